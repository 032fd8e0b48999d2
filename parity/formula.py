"""Weights by a formula, so that networks whose weights cannot be fetched can be compared.

The formula is that of the golden files (shared/golden/README.md), of which the check below makes sure.
"""
import zlib

import numpy as np
import torch
import torchvision

MODELS = torchvision.models
# File name -> the module whose names and shapes it has. pytorch-fid's blocks compute otherwise than torchvision's, but have the
# same tensors.
NETWORKS = {
    "fid-inception-formula.pth": lambda: MODELS.inception_v3(num_classes=1008, aux_logits=False, init_weights=False),
    "torchvision-inception-formula.pth": lambda: MODELS.inception_v3(init_weights=False),
    "vgg16-formula.pth": lambda: MODELS.vgg16(init_weights=False),
    "alexnet-formula.pth": lambda: MODELS.alexnet(),
}
# The classifier of VGG16 is half a gigabyte that no score reads. AlexNet's stays: a reader has to pass over it.
LEFT_OUT = {"vgg16-formula.pth": "classifier."}


def values(name, shape):
    """The tensor of that name."""
    seed = zlib.crc32(name.encode()) % 100003
    index = np.arange(int(np.prod(shape)), dtype=np.uint64)
    v = ((index * np.uint64(7919) + np.uint64(seed * 104729)) % np.uint64(2003)) / 2003.0 - 0.5
    last = name.rsplit(".", 1)[-1]
    if last == "running_var":
        v = 1 + np.abs(v)
    elif last in ("running_mean", "bias"):
        v = 0.2 * v
    elif len(shape) == 1:
        v = 1 + 0.4 * v
    else:
        v = v * 2.8 * np.sqrt(3 / np.prod(shape[1:]))
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def make(folder, files=NETWORKS):
    """Writes the files that are not there yet, as torch.save writes them (zip)."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        if (folder / file).exists():
            continue
        network = NETWORKS[file]
        with torch.device("meta"):  # shapes are all that is wanted
            state = network().state_dict()
        state = {name: torch.zeros((), dtype=torch.int64) if name.endswith("num_batches_tracked") else values(name, tensor.shape)
                 for name, tensor in state.items() if not name.startswith(LEFT_OUT.get(file, "\0"))}
        torch.save(state, folder / "half.tmp")
        (folder / "half.tmp").rename(folder / file)
