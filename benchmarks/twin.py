"""The network of the `vitok` crate in PyTorch, to be measured against.

Both families of blocks, as crates/vitok/src/nn and tokenizer/network.rs define them, with the tensor names of
`model.safetensors`. Written to be quick in plain PyTorch: one product for q, k and v, one for value and gate, fused
attention, positions computed once for a size, q and k turned together. Attention is full, sizes
are whole tubelets, and where positions know no time there is one frame.
"""
import json
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn

EPSILON = 1e-6


def rotation(rope, grid, head_dim):
    """Cosine and sine by which each pair of a head's values is turned, [N, 1, 1, d / 2, 2]."""
    axis_dim = head_dim // 2 if rope == "2d" else head_dim // 6 * 2
    frequencies = 10_000.0 ** (-torch.arange(0, axis_dim, 2, dtype=torch.float64) / axis_dim)
    places = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in grid)).view(-1, 3)  # time, row, column
    axes = [1, 2] if rope == "2d" else [1, 2, 0]
    angles = (places[:, axes, None] * frequencies).flatten(1)
    angles = F.pad(angles, (0, head_dim // 2 - angles.shape[1]))  # what is left of a 3D head is not turned
    return torch.stack((angles.cos(), angles.sin()), -1).float()[:, None, None]


def rotate(x, turn):
    """Turns adjacent pairs (2i, 2i + 1) of the last axis."""
    pairs = x.unflatten(-1, (-1, 2))
    if not torch.compiler.is_compiling():  # one pass over memory instead of six
        return torch.view_as_real(torch.view_as_complex(pairs) * torch.view_as_complex(turn)).flatten(-2)
    (a, b), (cos, sin) = pairs.unbind(-1), turn.unbind(-1)  # the compiler fuses real numbers, not complex ones
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


class Attention(nn.Module):
    def __init__(self, width, heads, sequential):
        super().__init__()
        self.heads = heads
        self.qkv_proj = nn.Linear(width, 3 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=sequential)
        self.norm_q = self.norm_k = None
        if not sequential:
            self.norm_q, self.norm_k = (nn.RMSNorm(width // heads, EPSILON) for _ in range(2))

    def forward(self, x, turn):
        qkv = self.qkv_proj(x).unflatten(-1, (3, self.heads, -1))  # [B, N, 3, heads, d]
        if self.norm_q is None:
            q, k = rotate(qkv[:, :, :2], turn).unbind(2)
        else:
            q, k = self.norm_q(qkv[:, :, 0]), self.norm_k(qkv[:, :, 1])
            q, k = rotate(q, turn[:, 0]), rotate(k, turn[:, 0])
        q, k, v = (part.transpose(1, 2) for part in (q, k, qkv[:, :, 2]))
        return self.out_proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class GatedMlp(nn.Module):
    def __init__(self, width, hidden, bias):
        super().__init__()
        self.fc1 = nn.Linear(width, 2 * hidden, bias)
        self.fc2 = nn.Linear(hidden, width, bias)

    def forward(self, x):
        value, gate = self.fc1(x).chunk(2, -1)
        return self.fc2(F.silu(gate) * value)


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))


class Block(nn.Module):
    def __init__(self, stack, sequential):
        super().__init__()
        width = stack["width"]
        self.norm1 = nn.LayerNorm(width, EPSILON) if sequential else nn.RMSNorm(width, EPSILON)
        self.attn = Attention(width, stack["heads"], sequential)
        self.norm2 = nn.LayerNorm(width, EPSILON) if sequential else None
        self.ffn = GatedMlp(width, stack["hidden"], sequential)
        self.layer_scale = None if sequential else LayerScale(width)

    def forward(self, x, turn):
        h = self.norm1(x)
        if self.norm2 is None:
            return torch.addcmul(x, self.attn(h, turn) + self.ffn(h), self.layer_scale.gamma)
        x = x + self.attn(h, turn)
        return x + self.ffn(self.norm2(x))


class Tokenizer(nn.Module):
    """Clips [B, 3, T, H, W] in [-1, 1] to latents [B, L, c] and back. Either half may be left out."""

    def __init__(self, config, encoder=True, decoder=True):
        super().__init__()
        if config["attention"] != "full":
            raise ValueError("the twin has full attention only, not %s" % config["attention"])
        self.rope, self.channels, self.kl = config["rope"], config["channels"], config["bottleneck"] == "kl"
        self.tubelet = (config["tubelet"]["frames"],) + 2 * (config["tubelet"]["patch"],)
        self.head_dims = {side: config[side]["width"] // config[side]["heads"] for side in ("encoder", "decoder")}
        self.turns = {}
        q, p, _ = self.tubelet
        values, sequential = config["colors"] * q * p * p, config["block"] == "sequential"

        def stack(of):
            return nn.ModuleList(Block(of, sequential) for _ in range(of["depth"]))

        def norm(of):
            return nn.LayerNorm(of["width"], EPSILON) if sequential else nn.Identity()

        if encoder:
            self.patch_embed = nn.Linear(values, config["encoder"]["width"])
            self.encoder_blocks = stack(config["encoder"])
            self.encoder_norm = norm(config["encoder"])
            self.to_code = nn.Linear(config["encoder"]["width"], self.channels * (1 + self.kl))
        if decoder:
            self.decoder_embed = nn.Linear(self.channels, config["decoder"]["width"])
            self.decoder_blocks = stack(config["decoder"])
            self.decoder_norm = norm(config["decoder"])
            self.to_pixels = nn.Linear(config["decoder"]["width"], values)

    @classmethod
    def load(cls, folder, encoder=True, decoder=True):
        """What `vitok init` wrote. Only the tensors of the halves asked for are read, each once."""
        with torch.device("meta"):
            model = cls(json.loads((Path(folder) / "config.json").read_text()), encoder, decoder)
        with safe_open(Path(folder) / "model.safetensors", "pt") as file:
            wanted = model.state_dict()
            model.load_state_dict({name: file.get_tensor(name) for name in wanted}, assign=True)
            half_alone = not (encoder and decoder)
            if not half_alone and set(file.keys()) != set(wanted):
                raise ValueError("%s has other tensors than the twin" % folder)
        return model

    def grid(self, shape):
        return tuple(size // step for size, step in zip(shape, self.tubelet))

    def turn(self, side, grid):
        """The positions of a grid, kept: the compiler meets them as data only if they were asked for before."""
        if (side, grid) not in self.turns:
            self.turns[side, grid] = rotation(self.rope, grid, self.head_dims[side])
        return self.turns[side, grid]

    def patchify(self, clips):
        (q, p, _), (t, r, c) = self.tubelet, self.grid(clips.shape[2:])
        clips = clips.reshape(-1, clips.shape[1], t, q, r, p, c, p)
        return clips.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(4).flatten(1, 3)

    def unpatchify(self, patches, grid):
        (q, p, _), (t, r, c) = self.tubelet, grid
        patches = patches.view(-1, t, r, c, 3, q, p, p).permute(0, 4, 1, 5, 2, 6, 3, 7)
        return patches.reshape(-1, 3, t * q, r * p, c * p)

    def moments(self, clips):
        """What the bottleneck is made of, [B, L, c or 2 c]."""
        x, turn = self.patch_embed(self.patchify(clips)), self.turn("encoder", self.grid(clips.shape[2:]))
        for block in self.encoder_blocks:
            x = block(x, turn)
        return self.to_code(self.encoder_norm(x))

    def encode(self, clips):
        x = self.moments(clips)
        return x[..., :self.channels] if self.kl else F.layer_norm(x, (self.channels,), eps=EPSILON)

    def decode(self, latents, shape):
        x, turn = self.decoder_embed(latents), self.turn("decoder", self.grid(shape))
        for block in self.decoder_blocks:
            x = block(x, turn)
        return self.unpatchify(self.to_pixels(self.decoder_norm(x)), self.grid(shape))
