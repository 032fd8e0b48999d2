"""What is measured, and the files the measurements read."""
import dataclasses
import json
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy
from PIL import Image
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "examples" / "images"
FOLDER = 500  # images of the folder case

INCEPTION = "FID Inception"
INCEPTION_MACS = 5711168096  # of an image, in its convolutions

# A new v2 model's blocks add next to nothing (LayerScale 1e-4); then agreeing would say nothing about them.
SPECS = {"S-B/16": {}, "S-B/4x8": {}, "Ld4-Ld24/1x16x64": {"layer_scale": 0.3}, "w256_d6_h4/1x8x16": {"layer_scale": 0.3}}


@dataclasses.dataclass
class Case:
    """One row. `work` is encode, decode, both, train, features, sd-vae, or one of the commands, cold and folder."""
    work: str
    model: str
    side: int
    batch: int = 1
    frames: int = 1
    loss: dict = dataclasses.field(default_factory=dict)

    @property
    def kind(self):
        return {"train": "training", "features": "features", "sd-vae": "sd-vae", "cold": "command", "folder": "command"}.get(self.work, "network")

    @property
    def name(self):
        clip = "%dx" % self.frames if self.frames > 1 else ""
        of = "batch %d" % self.batch
        of = {"cold": "1 JPEG", "folder": "%d JPEGs" % FOLDER, "sd-vae": ""}.get(self.work, of)
        return ("%s %s %s%dx%d %s" % (self.work, self.model, clip, self.side, self.side, of)).strip()

    @property
    def slug(self):
        return slug(self.name)


def slug(text):
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def all_cases():
    for model in ("S-B/16", "Ld4-Ld24/1x16x64"):
        for side, batch in ((256, 1), (256, 8), (1024, 1)):
            for work in ("encode", "decode", "both"):
                yield Case(work, model, side, batch)
    for work in ("encode", "decode", "both"):
        yield Case(work, "S-B/4x8", 128, frames=16)
    yield Case("train", "S-B/16", 256, 4, loss={"mse": 1.0, "kl": 1e-4})
    yield Case("train", "w256_d6_h4/1x8x16", 64, 32, loss={"mse": 0.0, "charbonnier": 1.0})
    yield Case("features", INCEPTION, 256)
    yield Case("features", INCEPTION, 256, 8)
    yield Case("sd-vae", "S-B/16", 256)
    yield Case("sd-vae", "S-B/16", 512)
    yield Case("cold", "S-B/16", 256)
    yield Case("folder", "S-B/16", 256)


def prepare(case, cache, vitok, threads):
    """Makes what the case reads, where it is not there yet. Returns what the workers are told and its file."""
    folder = cache / "cases" / case.slug
    folder.mkdir(parents=True, exist_ok=True)
    if case.work == "features":
        return prepare_features(case, folder, cache, threads)
    model = prepare_model(case.model, cache / "models", vitok)
    size = ["--size", str(case.side), "--frames", str(case.frames), "--json"]
    about = json.loads(subprocess.run([vitok, "info", model, *size], stdout=subprocess.PIPE, check=True).stdout)
    config, counts = about["config"], about["counts"]
    work = "both" if case.work == "sd-vae" else case.work
    told = {
        "work": work,
        "model": str(model),
        "shape": {"frames": case.frames, "height": case.side, "width": case.side},
        "batch": case.batch,
        "threads": threads,
        "input": str(folder / "input.safetensors"),
        "macs": case.batch * macs(counts, work),
        "products": products(config, case.batch * counts["tokens"], work),
    }
    if work == "train":
        told["noise"] = str(folder / "noise.safetensors")
        told["config"] = {
            "model": {"variant": case.model, **SPECS[case.model]},
            "data": {"train": ["unused"]},
            "loss": {"kl": 0.0, "charbonnier": 0.0, "charbonnier_eps": 1e-3, **case.loss},
            "train": {"steps": 1000000, "batch_size": case.batch, "lr": 3e-4, "betas": [0.9, 0.95], "eps": 1e-8,
                      "weight_decay": 1e-4, "grad_clip": 1.0, "ema_decay": 0.999},
        }
    if case.kind != "command":
        save_file({"input": make_input(case, config, counts)}, told["input"])
    elif case.work == "folder":
        told["input"] = str(prepare_folder(cache / "folder"))
    else:
        told["input"] = str(IMAGES / "rocket.jpg")
    file = folder / "case.json"
    file.write_text(json.dumps(told, indent=1))
    return told, file


def prepare_features(case, folder, cache, threads):
    """The FID network with weights by the formula of parity/, and random images `[B, H, W, 3]`."""
    sys.path.insert(0, str(ROOT / "parity"))
    import formula

    weights = cache / "weights"
    formula.make(weights, ["fid-inception-formula.pth"])
    told = {"work": "features", "model": str(weights / "fid-inception-formula.pth"),
            "shape": {"frames": 1, "height": case.side, "width": case.side}, "batch": case.batch, "threads": threads,
            "input": str(folder / "input.safetensors"), "macs": case.batch * INCEPTION_MACS, "products": []}
    shape = (case.batch, case.side, case.side, 3)
    save_file({"input": numpy.random.default_rng(0).integers(0, 256, shape).astype(numpy.float32)}, told["input"])
    file = folder / "case.json"
    file.write_text(json.dumps(told, indent=1))
    return told, file


def prepare_model(variant, models, vitok):
    spec, folder = models / (slug(variant) + ".toml"), models / slug(variant)
    text = "".join("%s = %s\n" % (key, json.dumps(value)) for key, value in {"variant": variant, **SPECS[variant]}.items())
    if not (folder / "config.json").exists() or spec.read_text() != text:  # the config is written last
        shutil.rmtree(folder, ignore_errors=True)
        models.mkdir(parents=True, exist_ok=True)
        spec.write_text(text)
        subprocess.run([vitok, "init", spec, folder], stdout=subprocess.DEVNULL, check=True)
    return folder


def make_input(case, config, counts):
    """Clips [B, 3, T, H, W], latents [B, L, c], or for training the bytes [B, H, W, 3] of images."""
    generator = numpy.random.default_rng(0)
    if case.work == "decode":
        shape = (case.batch, counts["tokens"], config["channels"])
        return generator.standard_normal(shape, numpy.float32)
    if case.work == "train":
        return generator.integers(0, 256, (case.batch, case.side, case.side, 3)).astype(numpy.float32)
    shape = (case.batch, 3, case.frames, case.side, case.side)
    return generator.uniform(-1, 1, shape).astype(numpy.float32)


def macs(counts, work):
    """Multiply-adds for one of a batch. A backward pass has two products for each product of the forward pass."""
    encoder, decoder = counts["encoder_macs"], counts["decoder_macs"]
    return {"encode": encoder, "decode": decoder, "both": encoder + decoder, "cold": encoder,
            "folder": FOLDER * encoder, "train": 3 * (encoder + decoder)}[work]


def products(config, tokens, work):
    """The products of the linear layers: ((m, k, n), how often) for an m x k matrix times a k x n one."""
    counted = {}
    q, p, channels = config["tubelet"]["frames"], config["tubelet"]["patch"], config["channels"]
    values, code = 3 * q * p * p, channels * (2 if config["bottleneck"] == "kl" else 1)
    ends = {"encoder": (values, code), "decoder": (channels, values)}
    for side in {"encode": ["encoder"], "decode": ["decoder"]}.get(work, ["encoder", "decoder"]):
        width, hidden, depth = (config[side][key] for key in ("width", "hidden", "depth"))
        inner = [(width, 3 * width), (width, width), (width, 2 * hidden), (hidden, width)]
        layers = [(ends[side][0], width, 1), (width, ends[side][1], 1), *((*layer, depth) for layer in inner)]
        for k, n, times in layers:
            shapes = [(tokens, k, n)]  # the output
            if work == "train":
                shapes += [(tokens, n, k), (n, tokens, k)]  # the gradients of input and weight
            for shape in shapes:
                counted[shape] = counted.get(shape, 0) + times
    return list(counted.items())


def prepare_folder(folder):
    """Crops of the bundled images, of many sizes, as JPEG files; the same on every machine with this Pillow."""
    if folder.exists():
        return folder
    generator = random.Random(0)
    sources = [Image.open(path).convert("RGB") for path in sorted(IMAGES.glob("*.[jp][pn]g"))]
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for i in range(FOLDER):
        source = generator.choice(sources)
        width, height = (int(side * generator.uniform(0.4, 1)) for side in source.size)
        x, y = (generator.randint(0, whole - side) for whole, side in zip(source.size, (width, height)))
        scale = generator.uniform(300, 1200) / max(width, height)
        size = [max(32, round(side * scale)) for side in (width, height)]
        crop = source.crop((x, y, x + width, y + height)).resize(size, Image.Resampling.BICUBIC)
        crop.save(partial / ("%03d.jpg" % i), quality=90)
    partial.rename(folder)
    return folder
