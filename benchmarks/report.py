"""Rows of measurements as Markdown."""
from statistics import median

NAMES = {"vitok": "vitok", "composed": "vitok, composed", "eager": "PyTorch", "eager-kept": "PyTorch, memory kept",
         "compiled": "torch.compile", "sd-vae": "SD-VAE", "openblas": "OpenBLAS", "mkl": "MKL", "onednn": "oneDNN"}
TITLES = {"network": "Networks", "training": "Training steps",
          "features": "Features of the FID network, from bytes: resized to 299 x 299, as pytorch-fid does", "sd-vae": "ViTok S-B/16 and the SD-VAE, encode and decode",
          "command": "Commands, from process start to exit"}
LIBRARIES = ("openblas", "mkl", "onednn")


def seconds(value):
    if value < 1:
        return "%.3g ms" % (value * 1e3)
    return "%.3g s" % value if value < 100 else "%.0f s" % value


def gflops(measured):
    return 2 * measured["macs"] / median(measured["seconds"]) / 1e9


def ratio(one, other):
    """The middle of the rounds' ratios, and their span."""
    each = [a / b for a, b in zip(one["seconds"], other["seconds"])]
    return "**%.2f** (%.2f–%.2f)" % (median(each), min(each), max(each))


def ceiling(row):
    """(GFLOP/s, library) of the best library, if one was measured."""
    return max(((gflops(row["peers"][name]), name) for name in LIBRARIES if name in row["peers"]), default=None)


def cells(row, peers):
    """A row's cells by column."""
    measured = row["peers"]
    found = {"case": row["name"]}

    def each(column, show):
        for peer in peers:
            if peer in measured:
                found[column % NAMES[peer]] = show(measured[peer])
            elif peer in row["failed"]:
                found[column % NAMES[peer]] = "failed"

    each("%s", lambda one: seconds(median(one["seconds"])))
    ours = measured.get("vitok")
    for peer in peers:
        if ours and peer != "vitok" and peer in measured:
            if row["kind"] == "sd-vae" and peer == "sd-vae":
                found["SD-VAE / vitok, time"] = ratio(measured[peer], ours)
                found["SD-VAE / vitok, multiply-adds"] = "%.1f" % (measured[peer]["macs"] / ours["macs"])
            else:
                found["vitok / %s" % NAMES[peer]] = ratio(ours, measured[peer])
    if row["kind"] != "command":
        each("GFLOP/s %s", lambda one: "%.0f" % gflops(one))
    best = ceiling(row)
    if best:
        found["sgemm"] = "%.0f (%s)" % (best[0], NAMES[best[1]])
        if ours:
            found["of sgemm"] = "%.0f %%" % (100 * gflops(ours) / best[0])
    each("MiB %s", lambda one: "%.0f" % one["peak_mib"])
    if row["differences"]:
        found["difference"] = "%.0e" % max(row["differences"].values())
        if row.get("disagrees"):
            found["difference"] += " **disagrees**"
    return found


def table(rows):
    lines = [cells(row, [peer for peer in NAMES if peer not in LIBRARIES]) for row in rows]
    # Columns stand in the order of the fullest row, which a row where something failed is not.
    columns = list(dict.fromkeys(column for line in sorted(lines, key=len, reverse=True) for column in line))
    text = ["| %s |" % " | ".join(columns), "|" + "---|" * len(columns)]
    return text + ["| %s |" % " | ".join(line.get(column, "") for column in columns) for line in lines]


def markdown(about, rows):
    commits = sorted({"%s (%s)" % (row["commit"], row["date"]) for row in rows})
    rounds = sorted({row["rounds"] for row in rows})
    versions = ", ".join("%s %s" % item for item in about["versions"].items())
    text = ["# %s, %d threads" % (about["cpu"], about["threads"]), "",
            "[How to read this](../README.md). %d cores (%s), %d GiB, %s. %s. Commit %s; %s rounds." % (
                about["cores"], ", ".join(about["flags"]), about["memory_gib"], about["system"], versions,
                ", ".join(commits), " or ".join(map(str, rounds))), ""]
    for kind, title in TITLES.items():
        if of_kind := [row for row in rows if row["kind"] == kind]:
            text += ["## " + title, "", *table(of_kind), ""]
    failed = [(row["name"], peer, why) for row in rows for peer, why in row["failed"].items()]
    if failed:
        text += ["## Could not run", "", "| case | peer | why |", "|---|---|---|"]
        text += ["| %s | %s | %s |" % (name, NAMES[peer], why.replace("|", "\\|")) for name, peer, why in failed] + [""]
    disturbed = ["%s (%.0f %%)" % (row["name"], 100 * row["busy"]) for row in rows if row["busy"] > 0.05]
    if disturbed:
        text += ["Others used the cores between the turns of: %s." % ", ".join(disturbed), ""]
    return "\n".join(text)
