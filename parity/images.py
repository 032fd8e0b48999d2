"""Makes the sets of images that are scored; README.md lists them. Seeded: the same photographs give the same bytes."""
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

PHOTOGRAPHS = Path.home() / ".cache/vitok/photographs"  # scripts/fetch-photographs; made-up images do as well
SQUARE, MIXED = 60, 24
# Width and height in `mixed`: smaller and larger than the network's 299 on one axis or both, 299 itself, 1 beside it, and 176 and
# more for MS-SSIM.
SIZES = [(96, 96), (200, 176), (299, 299), (320, 240), (131, 97), (240, 360), (300, 298), (176, 208), (480, 320), (299, 180),
         (192, 192), (256, 256)]
GREY = (1, 6)  # of `mixed`, saved with one channel


def photographs(count, rng):
    """That many RGB images of any size."""
    names = PHOTOGRAPHS / "held-out.txt"
    paths = names.read_text().split("\n") if names.exists() else []
    paths = [PHOTOGRAPHS / path for path in paths if path]
    if len(paths) < count:
        return [made_up(rng) for _ in range(count)]
    return [Image.open(paths[i]).convert("RGB") for i in rng.permutation(len(paths))[:count]]


def made_up(rng):
    """Noise of several sizes of grain, which has the spectrum of a photograph, more or less."""
    side = 384
    total = np.zeros((side, side, 3))
    for grains in (3, 6, 12, 24, 48, 96, 192):
        noise = Image.fromarray(rng.integers(0, 256, (grains, grains, 3), dtype=np.uint8))
        total += np.asarray(noise.resize((side, side), Image.BICUBIC), np.float64) / grains
    total -= total.min()
    return Image.fromarray((total * (255 / total.max())).astype(np.uint8))


def cropped(image, width, height):
    """The largest centered part of that shape, resized."""
    scale = min(image.width / width, image.height / height)
    # Rounding must not carry the box beyond the image.
    w, h = min(width * scale, image.width), min(height * scale, image.height)
    left, top = (image.width - w) / 2, (image.height - h) / 2
    return image.resize((width, height), Image.LANCZOS, box=(left, top, left + w, top + h))


def damaged(image, index, rng):
    """Blurred, noisy, compressed or coarse, by turns and in growing strength."""
    strength = 0.25 + 0.75 * rng.random()
    match index % 4:
        case 0:
            return image.filter(ImageFilter.GaussianBlur(2.5 * strength))
        case 1:
            pixels = np.asarray(image, np.float64)
            noisy = pixels + rng.normal(0, 30 * strength, pixels.shape)
            return Image.fromarray(noisy.round().clip(0, 255).astype(np.uint8))
        case 2:
            return jpeg(image, int(50 - 40 * strength), 2)[1]
        case _:
            small = [max(8, round(side / (1 + 3 * strength))) for side in image.size]
            return image.resize(small, Image.BICUBIC).resize(image.size, Image.BICUBIC)


def jpeg(image, quality, subsampling):
    """The file, and what Pillow makes of it."""
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return file.getvalue(), Image.open(file).convert("RGB")


def make(folder):
    """Makes all sets below the folder, once: the file `done` is written last."""
    if (folder / "done").exists():
        return
    for path in ("square/a", "square/b", "mixed/a", "mixed/b", *(f"jpeg-{kind}/{side}" for kind in (444, 420)
                                                                  for side in ("a", "b", "b-decoded"))):
        (folder / path).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(20)
    originals = photographs(SQUARE + MIXED, rng)
    for index, original in enumerate(originals[:SQUARE]):
        image, name = cropped(original, 128, 128), f"{index:02}.png"
        image.save(folder / "square/a" / name)
        damaged(image, index, rng).save(folder / "square/b" / name)
        for kind, subsampling in ((444, 0), (420, 2)):
            file, decoded = jpeg(image, 95, subsampling)
            image.save(folder / f"jpeg-{kind}/a" / name)
            (folder / f"jpeg-{kind}/b/{index:02}.jpg").write_bytes(file)
            decoded.save(folder / f"jpeg-{kind}/b-decoded" / name)
    for index, original in enumerate(originals[SQUARE:]):
        image, name = cropped(original, *SIZES[index % len(SIZES)]), f"{index:02}.png"
        worse = damaged(image, index, rng)
        if index in GREY:
            image, worse = image.convert("L"), worse.convert("L")
        image.save(folder / "mixed/a" / name)
        worse.save(folder / "mixed/b" / name)
    (folder / "done").touch()
