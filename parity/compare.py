"""Holds vitok's scores against reference.json: every chain from files on disk to a number. Called by scripts/parity.

Each line says what the package gave, what `vitok evaluate` gave, and how far apart they are; the exit code is 1 if one
is farther than its limit.
"""
import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path

FID = "inception-fid=fid-inception-formula.pth"
TORCHVISION = "inception-torchvision=torchvision-inception-formula.pth"
TRUNKS = ["vgg16=vgg16-formula.pth", "alexnet=alexnet-formula.pth"]
# protocol, sets, weights: the distances.
DISTANCES = [
    ("fid-pytorch", ["square", "jpeg-444", "jpeg-420"], FID),
    ("fid-clean", ["square", "mixed", "jpeg-420"], FID),
    ("vitok-v1-research", ["square", "mixed"], TORCHVISION),
]
# Of the value. Where there are fewer images than features sqrtm has an error of its own: a package's number may be as much
# farther as it is from the same distance by singular values.
WITHIN = 1e-3
# Of KID, absolute: the packages add up f32.
KID = 5e-7
# score of vitok, name in reference.json, limit, absolute.
PAIRS = [
    ("psnr", "torchmetrics-psnr", 1e-4),
    ("psnr", "skimage-psnr", 1e-4),
    ("ssim", "torchmetrics-ssim", 1e-4),
    ("ms-ssim", "torchmetrics-ms-ssim", 1e-4),
    ("lpips-vgg", "lpips-vgg", 1e-4),
    ("lpips-alex", "lpips-alex", 1e-4),
    ("st-lpips", "stlpips-vgg", 1e-4),
]


class Comparison:
    def __init__(self, options):
        self.vitok, self.folder = options.vitok, options.out
        self.numbers = json.loads((self.folder / "reference.json").read_text())["numbers"]
        self.far = 0

    def evaluate(self, protocol, name, weights, scores, *more):
        """What vitok makes of a set."""
        out = self.folder / "vitok" / ("%s.%s" % (protocol, name))
        images = self.folder / "images" / name
        weights = [part for w in weights for part in ("--weights", w.replace("=", "=%s/weights/" % self.folder))]
        command = [self.vitok, "evaluate", images / "a", "--outputs", images / "b", "--protocol", protocol, "--metrics",
                   ",".join(scores), "--resamples", "0", "--out", out, "--restart", *weights, *more]
        subprocess.run(list(map(str, command)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        return json.loads((out / "scores.json").read_text()), out

    def line(self, name, theirs, ours, limit, relative):
        apart = abs(ours - theirs) / (abs(theirs) if relative else 1)
        good = apart <= limit
        self.far += not good
        print("%-48s %14.8g %14.8g  %8.1e %s %s" % (name, theirs, ours, apart, "of it" if relative else "     ", "" if good else "FAR"))

    def distances(self):
        for protocol, sets, weights in DISTANCES:
            for name in sets:
                report, _ = self.evaluate(protocol, name, [weights], ["frechet", "kid"], "--subset-size", "1000000")
                scores = report["models"][0]["scores"]
                prefix = "%s/%s/" % (protocol, name)
                exact, program = (self.numbers[prefix + kind]["value"] for kind in ("frechet.by_singular_values", "frechet"))
                ours = scores["frechet"]["value"]
                self.line(prefix + "frechet.by_singular_values", exact, ours, WITHIN, True)
                self.line(prefix + "frechet", program, ours, WITHIN + abs(program - exact) / program, True)

    def sets(self):
        """Scores of sets beside the distance, on the features of fid-pytorch's program."""
        scores = ["kid", "inception-score", "precision", "recall"]
        report, _ = self.evaluate("fid-pytorch", "square", [FID], scores, "--subset-size", "30")
        found = report["models"][0]["scores"]
        prefix = "fid-pytorch/square/"
        number = lambda key: self.numbers[prefix + key]["value"]
        self.line(prefix + "kid", number("kid-of-all-in-f64"), found["kid"]["value"], KID, False)
        # The splits are others: both are the mean over ten.
        self.line(prefix + "inception_score.b", number("inception_score_mean.b"), found["inception-score"]["value"], 1e-6, True)
        self.line(prefix + "precision", number("precision"), found["precision"]["value"], 1 / 60 + 1e-6, False)
        self.line(prefix + "recall", number("recall"), found["recall"]["value"], 1 / 60 + 1e-6, False)

    def pairs(self):
        for name in ("square", "mixed"):
            scores = list(dict.fromkeys(score for score, *_ in PAIRS))
            report, out = self.evaluate("fid-clean", name, TRUNKS, scores)
            pooled = report["models"][0]["scores"]["psnr-pooled"]["value"]
            self.line("torchmetrics-psnr-pooled/%s" % name, self.numbers["torchmetrics-psnr-pooled/%s" % name]["value"], pooled, 1e-4, False)
            with open(out / "images.csv", newline="") as file:
                rows = {Path(row["image"]).name: row for row in csv.DictReader(file)}
            for score, theirs, limit in PAIRS:
                wanted = self.numbers.get("%s/%s" % (theirs, name))
                if wanted is None:
                    continue  # MS-SSIM of images that are too small for it
                column = next(key for key in next(iter(rows.values())) if key.endswith(" " + score))
                found = [float(rows[file][column]) for file in wanted["files"]]
                worst = max(range(len(found)), key=lambda i: abs(found[i] - wanted["value"][i]))
                self.line("%s/%s, worst of %d" % (theirs, name, len(found)), wanted["value"][worst], found[worst], limit, False)


def main():
    parser = argparse.ArgumentParser(description="Holds vitok's scores against those of the packages.")
    parser.add_argument("--out", type=Path, required=True, help="where parity/reference.py wrote")
    parser.add_argument("--vitok", type=Path, required=True, help="the program")
    options = parser.parse_args()
    comparison = Comparison(options)
    print("%-48s %14s %14s  %8s" % ("", "package", "vitok", "apart"))
    try:
        comparison.pairs()
        comparison.distances()
        comparison.sets()
    except subprocess.CalledProcessError as error:
        sys.exit("compare.py: %s\n%s" % (" ".join(error.cmd), error.stderr.decode()))
    print("%d beyond their limits" % comparison.far)
    sys.exit(comparison.far > 0)


if __name__ == "__main__":
    main()
