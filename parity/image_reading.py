"""Reads the files of `image_files.py` with vitok and with Pillow, and prints every difference; exits with 1 if one is not explained below.

Three readings are compared, by the example `to_ppm`: `pillow`, which is `Image.open(path).convert("RGB")`; `shown`, which is upright and over
white; `frames`, all frames of an animation as they are shown. The frames of animated PNG are compared with ffmpeg's, because Pillow blends and
restores them otherwise than the specification says. Gray of 16 bits and floats are compared with Pillow's values scaled to bytes: its `convert` cuts
off what is over 255."""
import argparse
import collections
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

import image_files

# What differs and is right to: a pattern of names, the readings, how far pixels may be apart (None: whatever; "refused": vitok does not read it),
# and why.
EXPLAINED = []


def explain(pattern, readings, allowed, why):
    EXPLAINED.append((re.compile(pattern), readings.split(), allowed, why))


ALL = "pillow shown frames"
explain(r"^(png/.*(16|48|64)|tiff/.*16)", "shown frames", 1, "16 bits are rounded; Pillow takes the upper half")
explain(r"^tiff/magick-associated-16", "shown frames", 2, "the same, before the colors are divided by alpha")
explain(r"^apng/(alpha|interlaced-d.-b1)", "frames", 2, "transparency over transparency is exact; ffmpeg computes in coarser steps")
explain(r"^bmp/.*(565|555)", ALL, 1, "5 and 6 bits are scaled by another rounding than Pillow's")
explain(r"^bmp/magick-bmp-1555", "pillow", 1, "5 and 6 bits are scaled by another rounding than Pillow's")
explain(r"^bmp/magick-bmp-1555", "shown frames", None, "the transparency of 16 bits counts; Pillow passes over it")
explain(r"^bmp/magick-bmp2-(565|555|4444|1555)", ALL, "refused", "16 bits a pixel with a header of OS/2, which only ImageMagick writes")
explain(r"^gif/zeros-between", ALL, "refused", "bytes without a meaning between the blocks")
explain(r"^orientation/.*kind1x1", "shown frames", None, "an orientation counts also as a BYTE; Pillow passes over it")
explain(r"^tiff/(LAB|.*[-]lab)", ALL, "refused", "CIE Lab colors")
explain(r"^tiff/.*(zstd|lzma|webp|thunderscan)", ALL, "refused", "a compression of libtiff's own: Zstandard, LZMA, WebP, ThunderScan")
explain(r"^tiff/(I-|magick-.*-32|.*-I-)", ALL, "refused", "integers of 32 bits, which have no white")
explain(r"^tiff/.*(YCbCr|ycbcr)", ALL, 1, "YCbCr other than as JPEG is converted with another rounding")


def white(image):
    """The image upright and over white."""
    rgba = ImageOps.exif_transpose(image).convert("RGBA")
    over = Image.new("RGB", rgba.size, (255, 255, 255))
    over.paste(rgba, mask=rgba)
    return np.asarray(over)


def scaled(image, reading):
    """An image whose values go beyond a byte, as bytes; any other as it is."""
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint32)
        values = values >> 8 if reading == "pillow" else (values + 128) // 257
    elif image.mode == "F":
        values = np.floor(np.asarray(image).astype(np.float64) * 255 + 0.5)
    else:
        return image
    return Image.fromarray(values.astype(np.uint8))


def by_pillow(path, reading):
    with Image.open(path) as image:
        if image.mode == "F" or image.mode.startswith("I;16"):
            upright = image if reading == "pillow" else ImageOps.exif_transpose(image)
            return [np.asarray(scaled(upright, reading).convert("RGB"))]
        if reading == "pillow":
            return [np.asarray(image.convert("RGB"))]
        if reading == "shown":
            return [white(image)]
        frames = []
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            frames.append(white(image))
        # Pillow counts a still image that is no part of the animation.
        return frames[1:] if image.info.get("default_image") else frames


def by_ffmpeg(path):
    with Image.open(path) as image:
        width, height = image.size
    raw = subprocess.run(["ffmpeg", "-loglevel", "error", "-i", path, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgba", "-"],
                         capture_output=True, check=True).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 4)
    return [white(Image.fromarray(frame)) for frame in frames]


def read_ppms(path):
    content, frames = path.read_bytes(), []
    while content:
        head, _, rest = content.partition(b"\n")
        width, height = map(int, head.split()[1:3])
        frames.append(np.frombuffer(rest[:width * height * 3], np.uint8).reshape(height, width, 3))
        content = rest[width * height * 3:]
    return frames


def by_vitok(to_ppm, jobs, folder):
    """For each (path, reading): frames, or what vitok says."""
    outputs = [folder / f"{index}.ppm" for index in range(len(jobs))]
    lines = "".join(f"{reading}\t{path}\t{output}\n" for (path, reading), output in zip(jobs, outputs))
    answers = subprocess.run([to_ppm], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    return [read_ppms(output) if answer == "ok" else answer for answer, output in zip(answers, outputs, strict=True)]


def difference(theirs, ours):
    """The largest difference, or what else differs."""
    if len(theirs) != len(ours):
        return f"{len(ours)} frames, not {len(theirs)}"
    worst = 0
    for a, b in zip(theirs, ours):
        if a.shape != b.shape:
            return f"{b.shape}, not {a.shape}"
        worst = max(worst, int(np.abs(a.astype(int) - b).max()))
    return worst


def explanation(name, reading, found):
    """Why the difference is right, if it is."""
    for pattern, readings, allowed, why in EXPLAINED:
        if not pattern.search(name) or reading not in readings:
            continue
        fits = {"refused": isinstance(found, str) and found.startswith("refused")}.get(allowed, allowed is None or isinstance(found, int) and found <= allowed)
        if fits:
            return why
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--to-ppm", required=True, help="the built example")
    arguments.add_argument("--out", type=Path, help="where the files are made, and stay")
    arguments.add_argument("--only", default="", help="files whose name matches this pattern")
    options = arguments.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.out or Path(temporary) / "files"
        paths = image_files.make(folder)
        names = {path: path.relative_to(folder).as_posix() for path in paths}
        jobs = [(path, reading) for path in paths if re.search(options.only, names[path]) for reading in ("pillow", "shown", "frames")]
        ppms = Path(temporary) / "ppm"
        ppms.mkdir()
        counts, reasons, unexplained = collections.Counter(), collections.Counter(), 0
        for (path, reading), ours in zip(jobs, by_vitok(options.to_ppm, jobs, ppms)):
            name = names[path]
            try:
                apng = reading == "frames" and name.startswith("apng/")
                theirs = by_ffmpeg(path) if apng else by_pillow(path, reading)
            except (OSError, ValueError, SyntaxError, KeyError, EOFError, UnidentifiedImageError, TypeError, subprocess.CalledProcessError) as error:
                theirs = f"{type(error).__name__}: {error}"
            if isinstance(theirs, str):
                counts["neither reads it" if isinstance(ours, str) else "only vitok reads it"] += 1
                continue
            found = f"refused: {ours.split(': ', 1)[1]}" if isinstance(ours, str) else difference(theirs, ours)
            if found == 0:
                counts["equal"] += 1
                continue
            why = explanation(name, reading, found)
            counts["explained" if why else "unexplained"] += 1
            if why:
                reasons[why] += 1
            else:
                unexplained += 1
                print(f"{reading:7} {name}: {found}")
    print(f"{len(paths)} files, {len(jobs)} readings: " + ", ".join(f"{count} {what}" for what, count in sorted(counts.items())))
    for why, count in reasons.most_common():
        print(f"{count:5}  {why}")
    sys.exit(unexplained > 0)


main()
