"""Measures vitok beside its peers; README.md says what and how to read it. Called by scripts/benchmark."""
import argparse
import contextlib
import datetime
import fnmatch
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy
from safetensors.numpy import load_file

import report
from cases import ROOT, all_cases, prepare, slug

HERE = Path(__file__).resolve().parent
PAUSE = 0.1  # seconds before a peer's turn: the threads of the one before may still spin
TURN = 0.5  # seconds a turn lasts at least: short iterations are repeated
LIBRARIES = report.LIBRARIES  # whose sgemm is the ceiling
TOLERANCE = {"network": 1e-3, "training": 1e-3, "features": 1e-3, "command": 0.1}  # commands decode JPEG by other code, and keep halves
KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**31 - 1), "MALLOC_TOP_PAD_": str(64 << 20)}


class Died(Exception):
    """A worker ended before its time; the message is the end of what it said on stderr."""


class Process:
    """A child in a group of its own, so that it goes with all its children and Ctrl-C reaches this driver alone."""

    def __init__(self, command, environment, log, **pipes):
        self.log = log
        with open(log, "w") as stderr:
            self.child = subprocess.Popen([str(part) for part in command], env=environment, stderr=stderr, text=True,
                                          start_new_session=True, **pipes)

    def died(self):
        status = self.child.wait()
        lines = [line.strip() for line in open(self.log, errors="replace") if line.strip()]
        return Died("exit status %s: %s" % (status, " | ".join(lines[-3:]) or "nothing on stderr"))

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


class Worker(Process):
    """A process that stays, and runs an iteration when told."""

    def __init__(self, command, environment, log):
        super().__init__(command, environment, log, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ready(self):
        return self.hear()

    def tell(self, line):
        with contextlib.suppress(BrokenPipeError):
            self.child.stdin.write(line + "\n")
            self.child.stdin.flush()
        return self.hear()

    def hear(self):
        for line in self.child.stdout:
            if line.startswith("{"):  # libraries may print too
                return json.loads(line)
        raise self.died()


class Command:
    """The same, for a program that starts anew for every iteration."""

    def __init__(self, command, environment, log, out):
        self.start = lambda: Process(command, environment, log, stdout=subprocess.DEVNULL)
        self.out, self.process, self.peak = out, None, 0

    def ready(self):
        return {}

    def tell(self, line):
        if line == "finish":
            return {"peak_mib": self.peak}
        shutil.rmtree(self.out, ignore_errors=True)
        start = time.perf_counter()
        self.process = self.start()
        _, status, usage = os.wait4(self.process.child.pid, 0)
        seconds = time.perf_counter() - start
        self.process.child.returncode = os.waitstatus_to_exitcode(status)
        if status:
            raise self.process.died()
        self.peak = max(self.peak, usage.ru_maxrss / 1024)
        return {"seconds": seconds}

    def close(self):
        if self.process:
            self.process.close()


class Bench:
    def __init__(self, options):
        self.options, self.cache = options, options.cache.resolve()
        self.vitok, self.worker = (options.binaries.resolve() / name for name in ("vitok", "examples/benchmark"))
        threads = ("RAYON", "OMP", "MKL", "OPENBLAS")
        self.environment = {**os.environ, **{name + "_NUM_THREADS": str(options.threads) for name in threads},
                            "TORCHINDUCTOR_CACHE_DIR": str(self.cache / "inductor"), "HF_HUB_OFFLINE": "1"}

    def peers(self, case):
        if case.kind == "sd-vae":
            return [peer for peer in self.options.peers if peer in ("vitok", "composed")] + ["sd-vae"]
        if case.kind == "command":
            return [peer for peer in self.options.peers if peer in ("vitok", "eager")]
        if case.kind == "features":
            return self.options.peers
        return [*self.options.peers, *LIBRARIES]

    def start(self, peer, case, told, file):
        output, log = (file.parent / (peer + end) for end in (".output", ".stderr"))
        environment = {**self.environment, **(KEPT if peer == "eager-kept" else {})}
        if case.kind == "command":
            crop = ["--center-crop", case.side]
            command = {
                "vitok": [self.vitok, "encode", told["input"], "--model", told["model"], *crop, "--out", output],
                "eager": [sys.executable, HERE / "encode.py", told["model"], case.side, output, told["input"]],
            }[peer]
            return Command(command, environment, log, output)
        if peer in ("vitok", "composed"):
            switch = {"VITOK_COMPOSED": "1"} if peer == "composed" else {}
            return Worker([self.worker, file, output], {**environment, **switch}, log)
        return Worker([sys.executable, HERE / "worker.py", peer.split("-kept")[0], file, output], environment, log)

    def measure(self, case):
        told, file = prepare(case, self.cache, self.vitok, self.options.threads)
        row = {"name": case.name, "kind": case.kind, "model": case.model, "macs": told["macs"], "peers": {}, "failed": {},
               "differences": {}, "rounds": self.options.rounds, "busy": [], "commit": commit(),
               "date": datetime.date.today().isoformat()}
        with contextlib.ExitStack() as running:
            workers = {}
            for peer in self.peers(case):
                say("%s: starting %s" % (case.name, peer))
                try:
                    workers[peer] = self.start(peer, case, told, file)
                    running.callback(workers[peer].close)
                    about = workers[peer].ready()
                    row["peers"][peer] = {"seconds": [], "macs": about.get("macs", told["macs"])}
                    if case.work == "cold":  # programs and libraries come from the file cache
                        workers[peer].tell("run")
                except (Died, OSError) as error:
                    row["failed"][peer] = str(error)
            for number in range(self.options.rounds):
                # There and back, so that a machine that slows down does not favor who comes first.
                for peer in list(row["peers"])[::1 if number % 2 == 0 else -1]:
                    if peer not in row["failed"]:
                        self.take_turn(row, peer, workers[peer], "round %d" % (number + 1))
            for peer in row["peers"]:
                if peer not in row["failed"]:
                    try:
                        row["peers"][peer].update(workers[peer].tell("finish"))
                    except Died as error:
                        row["failed"][peer] = str(error)
        row["busy"] = statistics.mean(row["busy"] or [0])
        for peer in row["failed"]:
            row["peers"].pop(peer, None)
            say("%s: %s failed: %s" % (case.name, peer, row["failed"][peer]))
        self.compare(case, file.parent, row)
        return row

    def take_turn(self, row, peer, worker, what):
        time.sleep(PAUSE)
        row["busy"].append(busy())  # nothing of ours computes now
        seconds, begun = [], time.perf_counter()
        try:
            while not seconds or time.perf_counter() - begun < TURN:
                answer = worker.tell("run")
                seconds.append(answer["seconds"])
        except Died as error:
            row["failed"][peer] = str(error)
            return
        row["peers"][peer]["seconds"].append(statistics.median(seconds))
        if "flops" in answer:
            row["peers"][peer]["macs"] = answer["flops"] // 2
        say("%s: %s: %s %s" % (row["name"], what, peer, report.seconds(seconds[-1])))

    def compare(self, case, folder, row):
        """The largest difference of each peer's result from vitok's, relative to the largest value."""
        others = [peer for peer in row["peers"] if peer not in ("vitok", "sd-vae", *LIBRARIES)]
        if "vitok" not in row["peers"] or case.kind == "sd-vae":
            return
        ours = results(folder / "vitok.output")
        for peer in others:
            theirs = results(folder / (peer + ".output"))
            # Not `max`, which lets NaN pass.
            row["differences"][peer] = float(numpy.max([difference(ours[key], theirs.get(key)) for key in ours]))
        wrong = [peer for peer, apart in row["differences"].items() if not apart <= TOLERANCE[case.kind]]
        if wrong:
            row["disagrees"] = wrong
            say("%s: DISAGREES with %s: %s" % (case.name, ", ".join(wrong), row["differences"]))


def results(path):
    """What a worker left: tensors by name, the numbers of a JSON object, or a folder of tensor files."""
    if path.is_dir():
        return {file.stem: load_file(file)["latents"].astype(numpy.float32) for file in path.glob("*.safetensors")}
    text = path.read_bytes()
    if text.startswith(b"{"):
        return {key: numpy.array(value) for key, value in json.loads(text).items()}
    return load_file(path)


def difference(ours, theirs):
    if theirs is None or ours.shape != theirs.shape:
        return float("inf")
    return numpy.abs(ours - theirs).max() / numpy.abs(ours).max()


def busy():
    """The share of the cores that others use."""
    def read():
        fields = [int(field) for field in open("/proc/stat").readline().split()[1:]]
        return sum(fields), fields[3] + fields[4]
    total, idle = read()
    time.sleep(0.2)
    total, idle = (after - before for after, before in zip(read(), (total, idle)))
    return 1 - idle / total


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, text=True).stdout.strip()
    return git("rev-parse", "--short", "HEAD") + ("+" if git("status", "--porcelain", "--", "crates", "benchmarks/*.py") else "")


def machine(threads):
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    flags = re.search(r"(?:flags|Features)\s*: (.*)", text)
    known = [flag for flag in ("avx2", "fma", "avx512f", "asimd") if flags and flag in flags[1].split()]
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "diffusers", "safetensors", "pillow",
                                                                      "torchvision", "pytorch-fid")}
    rustc = subprocess.run(["rustc", "--version"], stdout=subprocess.PIPE, text=True).stdout.split()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {"cpu": model[1].strip() if model else platform.machine(), "flags": known, "cores": os.cpu_count(), "threads": threads,
            "memory_gib": round(memory), "system": platform.platform(),
            "versions": {"rustc": rustc[1] if rustc else "unknown", "python": platform.python_version(), **versions}}


def say(line):
    print(line, file=sys.stderr, flush=True)


def main():
    peers = ("vitok", "composed", "eager", "eager-kept", "compiled")
    parser = argparse.ArgumentParser(description="Measure vitok beside PyTorch, the SD-VAE and plain sgemm.", prog="scripts/benchmark")
    parser.add_argument("--cases", action="append", metavar="GLOB", help="only cases of such names (may be repeated); see --list")
    parser.add_argument("--list", action="store_true", help="list the cases and stop")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each peer (default 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="threads of each peer (default: all cores)")
    parser.add_argument("--peers", type=lambda text: text.split(","), default=["vitok", "eager", "compiled"], help=", ".join(peers))
    parser.add_argument("--out", type=Path, help="results, without ending (default: benchmarks/results/CPU-THREADS); "
                        "rows of cases that are not measured again stay")
    parser.add_argument("--binaries", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if unknown := set(options.peers) - set(peers):
        parser.error("no such peer: %s" % ", ".join(sorted(unknown)))
    every = list(all_cases())
    chosen = [case for case in every if any(fnmatch.fnmatchcase(case.name, glob) for glob in options.cases or ["*"])]
    if options.list or not chosen:
        print("\n".join(case.name for case in every))
        return 0 if options.list else "no such case; the above are there"
    about = machine(options.threads)
    out = options.out or HERE / "results" / slug("%s %d threads" % (about["cpu"], options.threads))
    file = out.with_name(out.name + ".json")
    rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]} if file.exists() else {}
    bench = Bench(options)
    failed = False
    for case in chosen:
        row = bench.measure(case)
        rows[case.name] = row
        failed |= bool(row["failed"] or row.get("disagrees"))
        # After each case: a run takes long, and may be stopped.
        ordered = [rows[case.name] for case in every if case.name in rows]
        out.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"machine": about, "rows": ordered}, indent=1) + "\n")
        out.with_name(out.name + ".md").write_text(report.markdown(about, ordered))
    say("in %s and .json" % out.with_name(out.name + ".md"))
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("stopped; what was measured before is in the results")
        sys.exit(130)
