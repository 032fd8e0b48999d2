"""Makes image files of every kind that Pillow, ffmpeg, ImageMagick, libjpeg's, libwebp's and libtiff's tools write, and of some that no
tool writes: JPEGs with contradicting markers, GIFs with every disposal. `make(folder)` returns their paths. Seeded."""
import io
import itertools
import random
import struct
import subprocess
import zlib

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

WIDTH, HEIGHT = 61, 43


def photograph(width=WIDTH, height=HEIGHT, seed=0):
    """Smooth colors with some noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + seed), np.cos(y / 7), np.sin((x + y) / 11)], axis=-1) * 100 + 128
    return Image.fromarray(np.clip(waves + rng.normal(0, 12, waves.shape), 0, 255).astype(np.uint8))


def with_alpha(seed=0):
    """The same with transparency of every strength."""
    image = photograph(seed=seed)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    alpha = np.clip((x * 255 // (WIDTH - 20)) - 20 + (y % 3) * 30, 0, 255).astype(np.uint8)
    image.putalpha(Image.fromarray(alpha))
    return image


def sprite(step):
    """A frame of an animation: a disc that moves over nothing."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    inside = (x - 10 - 9 * step) ** 2 + (y - 20) ** 2 < 100
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[inside] = (200, 40 * step, 255 - 50 * step, 255)
    return Image.fromarray(rgba)


def run(*command, stdin=None):
    """Runs a tool; false if it cannot write the kind."""
    return subprocess.run([str(part) for part in command], input=stdin, capture_output=True).returncode == 0


class Maker:
    def __init__(self, folder):
        self.folder = folder
        self.paths = []

    def path(self, name):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.paths.append(path)
        return path

    def bytes(self, name, content):
        self.path(name).write_bytes(content)

    def pillow(self, name, image, **options):
        try:
            content = io.BytesIO()
            image.save(content, name.rsplit(".")[-1].replace("jpg", "jpeg").replace("tif", "tiff"), **options)
        except (OSError, ValueError, KeyError, RuntimeError, TypeError, struct.error):
            return  # Pillow does not write the kind.
        self.bytes(name, content.getvalue())

    def tool(self, name, *command, stdin=None):
        """`OUT` in the command is the path."""
        path = self.path(name)
        done = run(*(path if part == "OUT" else part for part in command), stdin=stdin)
        if not done or not path.exists():
            self.paths.remove(path)


# JPEG


def segments(jpeg):
    """The segments of a JPEG up to its scans, as (marker, content), and the rest."""
    at, found = 2, []
    while jpeg[at + 1] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2:at + 4])[0]
        found.append((jpeg[at + 1], jpeg[at + 4:at + 2 + length]))
        at += 2 + length
    return found, jpeg[at:]


def joined(parts, rest):
    head = b"".join(b"\xff" + bytes([m]) + struct.pack(">H", len(c) + 2) + c for m, c in parts)
    return b"\xff\xd8" + head + rest


def with_markers(jpeg, jfif, adobe, ids):
    """The JPEG with other marks of its color space."""
    parts, rest = segments(jpeg)
    kept = [(m, c) for m, c in parts if m not in (0xE0, 0xEE)]
    start = [(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")] if jfif else []
    if adobe is not None:
        start.append((0xEE, b"Adobe\0\x64\0\0\0\0" + bytes([adobe])))
    renamed = []
    rest = bytearray(rest)
    for marker, content in kept:
        if marker in (0xC0, 0xC1, 0xC2) and ids:
            content = bytearray(content)
            for i, name in enumerate(ids):
                content[6 + 3 * i] = name
                rest[5 + 2 * i] = name
        renamed.append((marker, bytes(content)))
    return joined(start + renamed, bytes(rest))


def jpegs(make):
    image = photograph()
    ppm = io.BytesIO()
    image.save(ppm, "ppm")
    ppm = ppm.getvalue()
    for quality, subsampling, progressive in itertools.product((5, 75, 97), (0, 1, 2), (False, True)):
        for size in ((61, 43), (16, 16), (17, 9), (1, 1), (3, 50)):
            make.pillow(f"jpeg/{size[0]}x{size[1]}-q{quality}-s{subsampling}-p{progressive:d}.jpg", photograph(*size),
                        quality=quality, subsampling=subsampling, progressive=progressive)
    for mode in ("L", "CMYK", "1"):
        make.pillow(f"jpeg/mode-{mode}.jpg", image.convert(mode))
        make.pillow(f"jpeg/mode-{mode}-progressive.jpg", image.convert(mode), progressive=True)
    make.pillow("jpeg/keep-rgb.jpg", image, keep_rgb=True)
    make.pillow("jpeg/restart.jpg", image, restart_marker_rows=1)
    factors = [f"{h}x{v}" for h in (1, 2, 3, 4) for v in (1, 2, 3, 4)]
    for luma, chroma in itertools.product(factors, ("1x1", "2x1", "1x2", "2x2")):
        make.tool(f"jpeg/sampling-{luma}-{chroma}.jpg", "cjpeg", "-sample", f"{luma},{chroma},1x1", "-outfile", "OUT", stdin=ppm)
        make.tool(f"jpeg/sampling-{chroma}-{luma}.jpg", "cjpeg", "-sample", f"{chroma},{luma},{luma}", "-outfile", "OUT", stdin=ppm)
    for name, options in {"arithmetic": ["-arithmetic"], "arithmetic-progressive": ["-arithmetic", "-progressive"], "rgb": ["-rgb"],
                          "gray": ["-grayscale"], "float": ["-dct", "float"], "fast": ["-dct", "fast"], "restart": ["-restart", "1"],
                          "smooth": ["-smooth", "30"], "arithmetic-gray": ["-arithmetic", "-grayscale"]}.items():
        make.tool(f"jpeg/cjpeg-{name}.jpg", "cjpeg", *options, "-outfile", "OUT", stdin=ppm)
    for pixels in ("yuvj420p", "yuvj422p", "yuvj444p", "gray"):
        make.tool(f"jpeg/ffmpeg-{pixels}.jpg", "ffmpeg", "-y", "-f", "image2pipe", "-i", "-", "-pix_fmt", pixels, "OUT", stdin=ppm)
    for factor in ("4:1:0", "4:1:1", "4:2:0", "4:2:2", "4:4:0", "4:4:4"):
        make.tool(f"jpeg/magick-{factor.replace(':', '')}.jpg", "convert", "-", "-sampling-factor", factor, "OUT", stdin=ppm)
    make.tool("jpeg/magick-cmyk.jpg", "convert", "-", "-colorspace", "CMYK", "OUT", stdin=ppm)
    for source, count in ((image, 3), (image.convert("CMYK"), 4), (image.convert("L"), 1)):
        jpeg = io.BytesIO()
        source.save(jpeg, "jpeg", subsampling=0, quality=90)
        ids = [None, (1, 2, 3, 4), (0, 1, 2, 3), (82, 71, 66, 75), (5, 6, 7, 8), (34, 35, 36, 37)]
        for jfif, adobe, names in itertools.product((False, True), (None, 0, 1, 2), ids):
            content = with_markers(jpeg.getvalue(), jfif, adobe, names and names[:count])
            label = "asis" if names is None else "-".join(map(str, names[:count]))
            make.bytes(f"jpeg-color/{count}-jfif{jfif:d}-adobe{adobe}-{label}.jpg", content)


# Orientation


def exif_block(value, kind=3, count=1, order="<"):
    """EXIF data with an orientation, and a tag before it."""
    packed = {3: "H", 4: "I", 8: "h", 9: "i", 1: "B", 6: "b"}[kind]
    values = struct.pack(order + packed * count, *[value] + [1] * (count - 1))
    entries = struct.pack(order + "HHI", 0x010F, 2, 3) + b"me\0\0" + struct.pack(order + "HHI", 274, kind, count)
    entries += values.ljust(4, b"\0") if len(values) <= 4 else struct.pack(order + "I", 8 + 2 + 24 + 4)
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", 2) + entries + bytes(4) + (values if len(values) > 4 else b"")


def xmp(value, element):
    text = f"<tiff:Orientation>{value}</tiff:Orientation>" if element else f'<rdf:Description tiff:Orientation="{value}"/>'
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{text}</x:xmpmeta>'.encode()


def orientations(make):
    image = photograph(40, 24)
    kinds = [(3, 1), (4, 1), (8, 1), (9, 1), (1, 1), (6, 1), (3, 2), (3, 3), (4, 2)]
    for value, (kind, count), order in itertools.product(range(0, 10), kinds, "<>"):
        if (kind, count) != (3, 1) and value not in (1, 6):
            continue
        block = exif_block(value, kind, count, order)
        name = f"{value}-kind{kind}x{count}-{'le' if order == '<' else 'be'}"
        for extension in ("jpg", "png", "webp"):
            make.pillow(f"orientation/{name}.{extension}", image, exif=b"Exif\0\0" + block)
        make.pillow(f"orientation/plain-{name}.webp", image, exif=block)
    for value, element in itertools.product((3, 8), (False, True)):
        packet = xmp(value, element)
        make.pillow(f"orientation/xmp{value}-{element:d}.jpg", image, xmp=packet)
        make.pillow(f"orientation/xmp{value}-{element:d}.webp", image, xmp=packet)
        make.pillow(f"orientation/xmp{value}-{element:d}-exif6.jpg", image, xmp=packet, exif=b"Exif\0\0" + exif_block(6))
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", packet.decode())
        make.pillow(f"orientation/xmp{value}-{element:d}.png", image, pnginfo=info)
    for first, second in ((6, 1), (1, 6)):
        jpeg = io.BytesIO()
        image.save(jpeg, "jpeg", exif=b"Exif\0\0" + exif_block(first))
        parts, rest = segments(jpeg.getvalue())
        at = [m for m, _ in parts].index(0xE1)
        parts.insert(at + 1, (0xE1, b"Exif\0\0" + exif_block(second)))
        make.bytes(f"orientation/twice-{first}-{second}.jpg", joined(parts, rest))
    for value, compression in itertools.product(range(0, 10), (None, "tiff_lzw")):
        make.pillow(f"orientation/{value}-{compression}.tif", image, tiffinfo={274: value}, compression=compression)
    make.tool("orientation/magick-raw-profile.png", "convert", make.folder / "orientation/6-kind3x1-le.jpg", "OUT")


# PNG


def pngs(make):
    image, alpha = photograph(), with_alpha()
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        source = (alpha if mode in ("LA", "RGBA") else image).convert("I" if mode == "I;16" else mode)
        if mode == "I;16":
            source = Image.fromarray((np.asarray(image.convert("L")).astype(np.uint16) * 257 + 3))
        make.pillow(f"png/{mode.replace(';', '')}.png", source)
    make.pillow("png/transparent-rgb.png", image.quantize(8).convert("RGB"), transparency=image.quantize(8).convert("RGB").getpixel((3, 3)))
    make.pillow("png/transparent-gray.png", image.convert("L"), transparency=image.convert("L").getpixel((3, 3)))
    for colors in (2, 4, 16, 200):
        make.pillow(f"png/palette{colors}.png", image.quantize(colors))
        make.pillow(f"png/palette{colors}-transparent.png", image.quantize(colors), transparency=1)
        make.pillow(f"png/palette{colors}-alphas.png", image.quantize(colors), transparency=bytes(range(0, 250, 250 // colors)[:colors]))
    png = make.folder / "png/RGBA.png"
    kinds = {"gray": (0, (1, 2, 4, 8, 16)), "rgb": (2, (8, 16)), "palette": (3, (1, 2, 4, 8)), "gray-alpha": (4, (8, 16)), "rgba": (6, (8, 16))}
    for (name, (code, depths)), interlace in itertools.product(kinds.items(), ("None", "PNG")):
        for depth in depths:
            make.tool(f"png/magick-{name}{depth}-{interlace}.png", "convert", png, "-interlace", interlace, "-define", f"png:color-type={code}",
                      "-define", f"png:bit-depth={depth}", *(["-colors", 2**depth] if code == 3 else []), "OUT")
    for pixels in ("rgb24", "rgba", "rgb48be", "rgba64be", "gray", "ya8", "gray16be", "ya16be", "monob", "pal8"):
        make.tool(f"png/ffmpeg-{pixels}.png", "ffmpeg", "-y", "-i", png, "-pix_fmt", pixels, "OUT")


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def image_data(png):
    """The header of a PNG and its compressed pixels."""
    at, header, data = 8, b"", b""
    while at < len(png):
        length = struct.unpack(">I", png[at:at + 4])[0]
        content = png[at + 8:at + 8 + length]
        header = content if png[at + 4:at + 8] == b"IHDR" else header
        data += content if png[at + 4:at + 8] == b"IDAT" else b""
        at += 12 + length
    return header, data


def interlaced_apng(make, disposal, blend):
    """An interlaced animation whose second frame is smaller than its canvas; no tool writes one."""
    parts = []
    for seed, size in ((0, (24, 16)), (1, (11, 7))):
        source = io.BytesIO()
        with_alpha(seed).resize(size).save(source, "png")
        path = make.folder / "apng/part.png"
        path.parent.mkdir(exist_ok=True)
        run("convert", "-", "-interlace", "PNG", f"PNG32:{path}", stdin=source.getvalue())
        parts.append(image_data(path.read_bytes()))
        path.unlink()
    control = [struct.pack(">IIIIIHHBB", 0, 24, 16, 0, 0, 1, 10, 0, 0), struct.pack(">IIIIIHHBB", 1, 11, 7, 5, 4, 1, 10, disposal, blend),
               struct.pack(">IIIIIHHBB", 3, 11, 7, 0, 9, 1, 10, 0, 0)]
    (header, first), (_, second) = parts
    make.bytes(f"apng/interlaced-d{disposal}-b{blend}.png", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"acTL", struct.pack(">II", 3, 0))
               + chunk(b"fcTL", control[0]) + chunk(b"IDAT", first) + chunk(b"fcTL", control[1]) + chunk(b"fdAT", struct.pack(">I", 2) + second)
               + chunk(b"fcTL", control[2]) + chunk(b"fdAT", struct.pack(">I", 4) + second) + chunk(b"IEND", b""))


def apngs(make):
    for disposal, blend in itertools.product(range(3), range(2)):
        interlaced_apng(make, disposal, blend)
    frames = [sprite(step) for step in range(5)]
    opaque = [photograph(seed=seed) for seed in range(4)]
    for disposal, blend in itertools.product(range(3), range(2)):
        make.pillow(f"apng/sprite-d{disposal}-b{blend}.png", frames[0], save_all=True, append_images=frames[1:], disposal=disposal, blend=blend)
        make.pillow(f"apng/opaque-d{disposal}-b{blend}.png", opaque[0], save_all=True, append_images=opaque[1:], disposal=disposal, blend=blend)
        make.pillow(f"apng/default-d{disposal}-b{blend}.png", opaque[0], save_all=True, append_images=frames, disposal=disposal, blend=blend,
                    default_image=True)
    make.pillow("apng/alpha.png", with_alpha(0), save_all=True, append_images=[with_alpha(seed) for seed in range(1, 4)], blend=1)
    make.pillow("apng/gray.png", opaque[0].convert("L"), save_all=True, append_images=[frame.convert("L") for frame in opaque[1:]])
    make.tool("apng/ffmpeg.png", "ffmpeg", "-y", "-f", "lavfi", "-i", "testsrc=size=61x43:rate=5:duration=1", "-f", "apng", "OUT")


# WebP


def webps(make):
    image, alpha = photograph(), with_alpha()
    for name, source in (("rgb", image), ("rgba", alpha)):
        for options in ({"lossless": True}, {"lossless": True, "exact": True}, {"quality": 80}, {"quality": 10}, {"quality": 80, "method": 0},
                        {"quality": 80, "alpha_quality": 20}):
            label = "-".join(f"{key}{value}" for key, value in options.items())
            make.pillow(f"webp/{name}-{label}.webp", source, **options)
    for size in ((1, 1), (2, 3), (16, 16), (33, 17)):
        make.pillow(f"webp/{size[0]}x{size[1]}.webp", photograph(*size), quality=70)
    png = make.folder / "png/RGBA.png"
    for name, options in {"lossless": ["-lossless"], "near": ["-near_lossless", 40], "lossy": ["-q", 60], "noalpha": ["-noalpha"],
                          "exact": ["-exact", "-lossless"], "filter": ["-alpha_filter", "best"], "sharp": ["-sharp_yuv"]}.items():
        make.tool(f"webp/cwebp-{name}.webp", "cwebp", *options, png, "-o", "OUT")
    # Headers whose flags promise chunks that are not there.
    plain = (make.folder / "webp/cwebp-noalpha.webp").read_bytes()[12:]
    for flags in (0, 2, 4, 8, 16, 32, 63):
        body = b"WEBPVP8X" + struct.pack("<II", 10, flags) + struct.pack("<I", WIDTH - 1)[:3] + struct.pack("<I", HEIGHT - 1)[:3] + plain
        make.bytes(f"webp/flags{flags}.webp", b"RIFF" + struct.pack("<I", len(body)) + body)


def animated_webps(make):
    sprites = [sprite(step) for step in range(5)]
    opaque = [photograph(seed=seed) for seed in range(4)]
    clear = [with_alpha(seed) for seed in range(4)]
    for (name, frames), lossless, smallest in itertools.product({"sprite": sprites, "opaque": opaque, "clear": clear}.items(), (0, 1), (0, 1)):
        for options in ({}, {"kmin": 1, "kmax": 2}, {"allow_mixed": True}):
            make.pillow(f"webp-animation/{name}-l{lossless}-m{smallest}-{len(options)}{'x' if 'kmin' in options else ''}.webp", frames[0],
                        save_all=True, append_images=frames[1:], lossless=bool(lossless), minimize_size=bool(smallest), quality=70, **options)
    for gif in sorted(make.folder.glob("gif*/*.gif"))[::6]:
        for name, options in (("lossless", []), ("lossy", ["-lossy"]), ("mixed", ["-mixed"])):
            make.tool(f"webp-animation/gif2webp-{gif.stem}-{name}.webp", "gif2webp", *options, gif, "-o", "OUT")


# GIF


def lzw(indices, bits):
    """Indices as codes of one width, with a clear code before the width would grow."""
    clear, codes, size = 1 << bits, [], bits + 1
    for start in range(0, len(indices), clear - 2):
        codes += [clear, *indices[start:start + clear - 2]]
    codes.append(clear + 1)
    number = sum(code << (size * i) for i, code in enumerate(codes))
    packed = number.to_bytes((len(codes) * size + 7) // 8, "little")
    blocks = [packed[i:i + 255] for i in range(0, len(packed), 255)]
    return bytes([bits]) + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def random_gif(rng):
    """Frames with random places, palettes, transparent colors and disposals."""
    bits = 3
    width, height = rng.randint(4, 12), rng.randint(4, 12)
    palette = bytes(rng.randrange(256) for _ in range(3 << bits))
    gif = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80 | bits - 1, rng.randrange(8), 0) + palette
    opaque_first = rng.random() < 0.4
    for index in range(rng.randint(1, 6)):
        x, y = rng.randrange(width), rng.randrange(height)
        w, h = rng.randint(1, width - x), rng.randint(1, height - y)
        if index == 0 and rng.random() < 0.7:
            x, y, w, h = 0, 0, width, height
        transparent = rng.random() < 0.6 and not (index == 0 and opaque_first)
        gif += b"!\xf9\x04" + bytes([rng.randrange(4) << 2 | transparent, 10, 0, rng.randrange(8), 0])
        local = rng.random() < 0.3
        interlaced = rng.random() < 0.3
        gif += b"," + struct.pack("<HHHHB", x, y, w, h, (0x80 | bits - 1 if local else 0) | interlaced << 6)
        gif += bytes(rng.randrange(256) for _ in range(3 << bits)) if local else b""
        gif += lzw([rng.randrange(8) for _ in range(w * h)], bits)
    return gif + b";"


def gifs(make):
    image = photograph()
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        make.pillow(f"gif/{mode}.gif", (with_alpha() if mode == "RGBA" else image).convert(mode))
        make.pillow(f"gif/{mode}-interlaced.gif", image.convert(mode), interlace=1)
    for colors in (2, 4, 16, 256):
        make.pillow(f"gif/colors{colors}.gif", image.quantize(colors), transparency=1)
    for disposal in range(4):
        frames = [sprite(step) for step in range(5)]
        make.pillow(f"gif/sprite-d{disposal}.gif", frames[0], save_all=True, append_images=frames[1:], disposal=disposal)
        frames = [photograph(seed=seed) for seed in range(4)]
        make.pillow(f"gif/opaque-d{disposal}.gif", frames[0], save_all=True, append_images=frames[1:], disposal=disposal)
    for disposal in ("Undefined", "None", "Background", "Previous"):
        make.tool(f"gif/magick-{disposal}.gif", "convert", "-dispose", disposal, "-delay", 10, "-size", "61x43", "xc:none", "-fill", "red",
                  "-draw", "circle 20,20 25,25", "-size", "61x43", "(", "xc:none", "-fill", "blue", "-draw", "rectangle 10,10 40,30", ")",
                  "(", "-size", "20x20", "-page", "+5+9", "xc:green", ")", "OUT")
    make.tool("gif/ffmpeg.gif", "ffmpeg", "-y", "-f", "lavfi", "-i", "testsrc=size=61x43:rate=5:duration=1", "OUT")
    rng = random.Random(13)
    for index in range(120):
        make.bytes(f"gif-random/{index:03}.gif", random_gif(rng))
    whole = (make.folder / "gif/P.gif").read_bytes()
    make.bytes("gif/no-trailer.gif", whole[:-1])
    make.bytes("gif/no-screen.gif", whole[:6] + bytes(4) + whole[10:])
    make.bytes("gif/small-screen.gif", whole[:6] + b"\5\0\5\0" + whole[10:])
    palette = 13 + (3 << (whole[10] & 7) + 1)
    make.bytes("gif/unknown-extension.gif", whole[:palette] + b"!\x77\3abc\0" + whole[palette:])
    make.bytes("gif/zeros-between.gif", whole[:palette] + bytes(3) + whole[palette:])


# BMP


def bmps(make):
    image = photograph()
    for mode in ("1", "L", "P", "RGB", "RGBA"):
        make.pillow(f"bmp/{mode}.bmp", (with_alpha() if mode == "RGBA" else image).convert(mode))
    png = make.folder / "png/RGBA.png"
    for version, (name, options) in itertools.product(("bmp2", "bmp3", "bmp"), {
            "rgb": ["-alpha", "off"], "rgba": [], "gray": ["-alpha", "off", "-colorspace", "Gray"], "mono": ["-alpha", "off", "-monochrome"],
            "palette4": ["-alpha", "off", "-colors", 16, "-type", "Palette"], "palette8": ["-alpha", "off", "-colors", 200, "-type", "Palette"],
            "rle8": ["-alpha", "off", "-colors", 200, "-type", "Palette", "-compress", "RLE"],
            "565": ["-alpha", "off", "-define", "bmp:subtype=RGB565"], "555": ["-alpha", "off", "-define", "bmp:subtype=RGB555"],
            "4444": ["-define", "bmp:subtype=ARGB4444"], "1555": ["-define", "bmp:subtype=ARGB1555"]}.items()):
        make.tool(f"bmp/magick-{version}-{name}.bmp", "convert", png, *options, f"{version}:{make.folder / f'bmp/magick-{version}-{name}.bmp'}")
    for pixels in ("bgr24", "bgra", "rgb565le", "rgb555le", "rgb444le", "rgb8", "bgr8", "gray", "pal8", "monob"):
        make.tool(f"bmp/ffmpeg-{pixels}.bmp", "ffmpeg", "-y", "-i", png, "-pix_fmt", pixels, "OUT")


# TIFF


def premultiplied(order):
    """RGBA with associated alpha, as it lies in a file."""
    rgba = np.asarray(with_alpha()).astype(np.uint16)
    rgba[..., :3] = rgba[..., :3] * rgba[..., 3:] // 255
    ifd = TiffImagePlugin.ImageFileDirectory_v2(prefix=order)
    return rgba.astype(np.uint8).tobytes(), ifd


def tiffs(make):
    image, alpha = photograph(), with_alpha()
    sources = {"1": image, "L": image, "P": image, "RGB": image, "CMYK": image, "YCbCr": image, "LAB": image, "LA": alpha, "RGBA": alpha,
               "I;16": None, "I;16B": None, "I": None, "F": None}
    gray = np.asarray(image.convert("L"))
    deep = {"I;16": gray.astype(np.uint16) * 257 + 3, "I;16B": (gray.astype(np.uint16) * 257 + 3).astype(">u2"), "I": gray.astype(np.int32),
            "F": gray.astype(np.float32) / 255}
    compressions = (None, "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "group3", "group4", "tiff_ccitt", "zstd",
                    "lzma", "webp", "tiff_thunderscan")
    for (mode, source), compression in itertools.product(sources.items(), compressions):
        image_of_mode = Image.fromarray(deep[mode]) if source is None else source.convert(mode)
        name = f"tiff/{mode.replace(';', '')}-{compression}"
        make.pillow(f"{name}.tif", image_of_mode, compression=compression)
        make.pillow(f"{name}-big.tif", image_of_mode, compression=compression, big_tiff=True)
        if compression in ("tiff_lzw", "tiff_adobe_deflate"):
            make.pillow(f"{name}-predictor.tif", image_of_mode, compression=compression, tiffinfo={317: 2})
            make.pillow(f"{name}-strips.tif", image_of_mode, compression=compression, strip_size=700)
    for order in (b"II", b"MM"):
        raw, ifd = premultiplied(order)
        for extra in (0, 1, 2, 999):
            for key, values in {256: WIDTH, 257: HEIGHT, 258: (8,) * 4, 259: 1, 262: 2, 277: 4, 278: HEIGHT, 338: extra}.items():
                ifd[key] = values
            ifd.tagtype[338] = 3
            ifd[273] = 8
            ifd[279] = len(raw)
            head = order + (b"*\0" if order == b"II" else b"\0*") + struct.pack("<I" if order == b"II" else ">I", 8 + len(raw))
            content = io.BytesIO(head + raw)
            content.seek(8 + len(raw))
            ifd.save(content)
            make.bytes(f"tiff/extra{extra}-{order.decode()}.tif", content.getvalue())
    png = make.folder / "png/RGBA.png"
    kinds = {"rgb": ["-alpha", "off"], "rgba": [], "associated": ["-define", "tiff:alpha=associated"], "gray": ["-alpha", "off", "-colorspace", "Gray"],
             "gray-alpha": ["-colorspace", "Gray"], "palette": ["-alpha", "off", "-type", "Palette", "-colors", 16],
             "cmyk": ["-alpha", "off", "-colorspace", "CMYK"], "mono": ["-alpha", "off", "-monochrome"], "lab": ["-alpha", "off", "-colorspace", "Lab"],
             "palette-alpha": ["-type", "PaletteAlpha"], "cmyk-alpha": ["-colorspace", "CMYK"], "ycbcr": ["-alpha", "off", "-colorspace", "YCbCr"]}
    for (name, options), depth in itertools.product(kinds.items(), (1, 2, 4, 8, 16, 32)):
        make.tool(f"tiff/magick-{name}-{depth}.tif", "convert", png, *options, "-depth", depth, "OUT")
    layouts = {"tiles": ["-define", "tiff:tile-geometry=16x16"], "planes": ["-interlace", "plane"], "msb": ["-define", "tiff:endian=msb"],
               "lsb-fill": ["-define", "tiff:fill-order=lsb"], "rows": ["-define", "tiff:rows-per-strip=7"], "bigtiff": [],
               "float": ["-define", "quantum:format=floating-point", "-depth", "32"], "half": ["-define", "quantum:format=floating-point", "-depth", "16"],
               "white": ["-define", "quantum:polarity=min-is-white"]}
    for (name, options), kind, compression in itertools.product(layouts.items(), kinds, ("None", "LZW", "Zip", "RLE", "JPEG", "Group4", "Fax")):
        if name == "float" and kind in ("mono", "palette"):
            continue
        path = make.folder / f"tiff/magick-{name}-{kind}-{compression}.tif"
        prefix = "TIFF64:" if name == "bigtiff" else "TIFF:"
        make.tool(path.relative_to(make.folder).as_posix(), "convert", png, *kinds[kind], *options, "-compress", compression, f"{prefix}{path}")
    copies = {"separate": ["-p", "separate"], "tiles": ["-t", "-w", 16, "-l", 16], "big-endian": ["-B"], "bigtiff": ["-8"], "lsb": ["-f", "lsb2msb"],
              "lzw-predictor": ["-c", "lzw:2"], "zip-predictor": ["-c", "zip:2"], "zip-float": ["-c", "zip:3"], "packbits": ["-c", "packbits"],
              "g3": ["-c", "g3:1d"], "g3-2d": ["-c", "g3:2d"], "g3-fill": ["-c", "g3:1d:fill"], "g4": ["-c", "g4"], "jpeg": ["-c", "jpeg"],
              "jpeg-rgb": ["-c", "jpeg:r"], "separate-tiles": ["-p", "separate", "-t", "-w", 32, "-l", 16], "lzw-lsb": ["-c", "lzw", "-f", "lsb2msb"],
              "g4-lsb": ["-c", "g4", "-f", "lsb2msb"], "strips": ["-r", 5]}
    for (name, options), source in itertools.product(copies.items(), ("1-None", "L-None", "P-None", "RGB-None", "RGBA-None", "I16-None", "CMYK-None",
                                                                       "F-None", "LA-None", "magick-rgb-16", "magick-rgba-16", "magick-gray-4")):
        file = source if source.startswith("magick") else source
        make.tool(f"tiff/tiffcp-{name}-{source}.tif", "tiffcp", *options, make.folder / f"tiff/{file}.tif", "OUT")


def make(folder):
    """All files, below `folder`."""
    maker = Maker(folder)
    for part in (jpegs, orientations, pngs, apngs, webps, gifs, animated_webps, bmps, tiffs):
        part(maker)
    return maker.paths
