"""`vitok encode --center-crop` in Python, as one would write it: images to latent files.

    python encode.py MODEL PIXELS OUT IMAGE_OR_FOLDER

A folder is read by a DataLoader with two processes, so that the network never waits for a JPEG, in batches of eight.
"""
import sys
from pathlib import Path

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file

from twin import Tokenizer

BATCH, READERS = 8, 2


def center_crop(image, size):
    """The rule of OpenAI's guided-diffusion: halve while one can, go the rest with a bicubic, cut out the middle."""
    while min(image.size) // 2 >= size:
        image = image.resize([side // 2 for side in image.size], Image.Resampling.BOX)
    scale = size / min(image.size)
    image = image.resize([round(side * scale) for side in image.size], Image.Resampling.BICUBIC)
    x, y = ((side - size) // 2 for side in image.size)
    return image.crop((x, y, x + size, y + size))


class Images(torch.utils.data.Dataset):
    def __init__(self, paths, size):
        self.paths, self.size = paths, size

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, i):
        with Image.open(self.paths[i]) as image:
            pixels = numpy.array(center_crop(image.convert("RGB"), self.size))
        return i, torch.from_numpy(pixels)


def main():
    model, size, out, source = sys.argv[1:]
    source, out = Path(source), Path(out)
    paths = sorted(source.iterdir()) if source.is_dir() else [source]
    images = Images(paths, int(size))
    if len(paths) > 1:
        batches = torch.utils.data.DataLoader(images, BATCH, num_workers=READERS)
    else:
        batches = [(torch.tensor([0]), images[0][1][None])]
    model = Tokenizer.load(model, decoder=False)
    out.mkdir(parents=True, exist_ok=True)
    with torch.inference_mode():
        for numbers, pixels in batches:
            clips = (pixels.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
            grid = model.grid((1, *clips.shape[2:]))
            latents = model.encode(clips[:, :, None]).unflatten(1, grid).half().contiguous()
            for i, one in zip(numbers, latents):
                save_file({"latents": one}, out / (paths[i].stem + ".safetensors"))


if __name__ == "__main__":
    main()
