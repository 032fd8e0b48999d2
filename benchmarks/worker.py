"""One peer doing one case, an iteration for each line `run` it is told; run.py tells it.

    python worker.py PEER CASE OUTPUT

CASE is the file run.py wrote (its `prepare` says what is in it). Lines on stdout, one JSON object each:
`{"ready": true}` after set-up and warm-up, `{"seconds": x}` for each `run`, and for `finish`, when what the case gave
has been written to OUTPUT, `{"peak_mib": x}`.

The SD-VAE says with `ready` how many multiply-adds it takes; sgemm says with `seconds` how many `flops` took them.
"""
import json
import sys
import time

WARM_UP = 2  # iterations before measuring: compilation, buffers, the first touch of memory
LONG = 5  # seconds: one iteration that takes longer is enough


def peak_mib():
    """The most memory this process ever held."""
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024


class Inference:
    """The twin encoding, decoding or both."""

    def __init__(self, case, compiled):
        import torch
        from safetensors.torch import load_file
        from twin import Tokenizer

        work = case["work"]
        shape = tuple(case["shape"][axis] for axis in ("frames", "height", "width"))
        model = Tokenizer.load(case["model"], work != "decode", work != "encode")
        for side in ("encoder", "decoder"):
            model.turn(side, model.grid(shape))
        function = {
            "encode": model.encode,
            "decode": lambda latents: model.decode(latents, shape),
            "both": lambda clips: model.decode(model.encode(clips), shape),
        }[work]
        self.function = torch.compile(function) if compiled else function
        self.inference_mode = torch.inference_mode
        self.input = load_file(case["input"])["input"]
        self.output = None

    def run(self):
        self.output = None  # a caller would not hold two results either
        start = time.perf_counter()
        with self.inference_mode():
            self.output = self.function(self.input)
        return {"seconds": time.perf_counter() - start}

    def finish(self, path):
        from safetensors.torch import save_file

        save_file({"output": self.output.contiguous()}, path)


class Training:
    """Steps of the twin as the crate's `Trainer` takes them, down to clipping, AdamW's groups and the average."""

    def __init__(self, case, compiled):
        import torch
        from safetensors.torch import load_file
        from twin import Tokenizer

        self.torch, self.config = torch, case["config"]["train"]
        torch.manual_seed(0)
        self.model = Tokenizer.load(case["model"])
        self.images = load_file(case["input"])["input"].to(torch.uint8)
        b, height, width, _ = self.images.shape
        grid = self.model.grid((1, height, width))
        for side in ("encoder", "decoder"):
            self.model.turn(side, grid)
        # The crate's noise for the first step, so that its loss and gradient can be compared.
        self.noise = load_file(case["noise"])["noise"] if self.model.kl else None
        self.parameters = list(self.model.parameters())
        groups = [
            {"params": [p for p in self.parameters if p.ndim >= 2], "weight_decay": self.config["weight_decay"]},
            {"params": [p for p in self.parameters if p.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, self.config["lr"], self.config["betas"], self.config["eps"],
                                           fused=True)
        self.average = [p.detach().clone() for p in self.parameters]
        self.loss = torch.compile(self.loss_of) if compiled else self.loss_of
        self.weights, self.steps, self.first = case["config"]["loss"], 0, None

    def loss_of(self, images, noise):
        model, weights = self.model, self.weights
        clips = ((images.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5).unsqueeze(2)
        loss = 0
        if model.kl:
            mean, logvar = model.moments(clips).chunk(2, -1)
            logvar = logvar.clamp(-30, 20)
            code = mean + (logvar * 0.5).exp() * noise
            loss = (mean.square() + logvar.exp() - 1 - logvar).mean() * (0.5 * weights["kl"])
        else:
            code = model.encode(clips)
        found = model.decode(code, clips.shape[2:])
        if weights["mse"]:
            loss = loss + self.torch.nn.functional.mse_loss(found, clips) * weights["mse"]
        if weights["charbonnier"]:
            squares = (found - clips).square() + weights["charbonnier-eps"] ** 2
            loss = loss + squares.sqrt().mean() * weights["charbonnier"]
        return loss

    def run(self):
        torch, config = self.torch, self.config
        start = time.perf_counter()
        if self.noise is not None and self.steps:
            self.noise = torch.randn_like(self.noise)
        loss = self.loss(self.images, self.noise)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, config["grad_clip"])
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.steps += 1
        decay = min(config["ema_decay"], (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, self.parameters, 1 - decay)
        self.first = self.first or {"loss": loss.item(), "gradient_norm": norm.item()}
        return {"seconds": time.perf_counter() - start}

    def finish(self, path):
        with open(path, "w") as file:
            json.dump(self.first, file)


class Features:
    """pytorch-fid's network from the bytes of images: its resize is in it."""

    def __init__(self, case, compiled):
        import torch
        from pytorch_fid import inception
        from safetensors.torch import load_file

        self.inference_mode = torch.inference_mode
        inception.load_state_dict_from_url = lambda *_, **__: torch.load(case["model"])
        model = inception.InceptionV3().eval()
        self.function = torch.compile(model) if compiled else model
        self.images = load_file(case["input"])["input"].to(torch.uint8)

    def run(self):
        start = time.perf_counter()
        with self.inference_mode():
            images = self.images.permute(0, 3, 1, 2).contiguous().float() / 255
            self.output = self.function(images)[0].flatten(1)
        return {"seconds": time.perf_counter() - start}

    def finish(self, path):
        from safetensors.torch import save_file

        save_file({"output": self.output.contiguous()}, path)


class SdVae:
    """Encoding and decoding by the VAE of Stable Diffusion 1 as diffusers runs it; its speed asks for no weights."""

    CONFIG = dict(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4,
        block_out_channels=[128, 256, 512, 512], layers_per_block=2, latent_channels=4, sample_size=512)

    def __init__(self, case):
        import torch
        from diffusers import AutoencoderKL

        self.torch = torch
        torch.manual_seed(0)
        self.model = AutoencoderKL(**self.CONFIG).eval()
        shape = case["shape"]
        self.image = torch.rand(case["batch"], 3, shape["height"], shape["width"]) * 2 - 1
        self.about = {"macs": self.count()}

    def reconstruct(self):
        with self.torch.inference_mode():
            return self.model.decode(self.model.encode(self.image).latent_dist.mode()).sample

    def count(self):
        """Multiply-adds of convolutions, linear layers and attention: what `vitok info` counts of ours."""
        from diffusers.models.attention_processor import Attention

        macs = []

        def convolution(layer, _, output):
            macs.append(output.numel() * layer.weight[0].numel())

        def linear(layer, _, output):
            macs.append(output.numel() * layer.in_features)

        def attention(layer, inputs, _):  # q k^T and its product with v, over height x width places
            b, c, height, width = inputs[0].shape
            macs.append(2 * b * c * (height * width) ** 2)

        kinds = {self.torch.nn.Conv2d: convolution, self.torch.nn.Linear: linear, Attention: attention}
        hooks = [layer.register_forward_hook(kinds[type(layer)])
                 for layer in self.model.modules() if type(layer) in kinds]
        self.reconstruct()
        for hook in hooks:
            hook.remove()
        return sum(macs)

    def run(self):
        start = time.perf_counter()
        self.reconstruct()
        return {"seconds": time.perf_counter() - start}

    def finish(self, path):
        pass  # nothing to compare with


class Sgemm:
    """The products of a case's linear layers and nothing else: what a library can do at the network's own shapes.

    Each distinct product runs once an iteration and counts as often as it occurs.
    """

    def __init__(self, case, library):
        import numpy

        generator = numpy.random.default_rng(0)
        make = {"openblas": self.openblas, "mkl": self.mkl, "onednn": self.onednn}[library]
        self.products = []
        for (m, k, n), times in case["products"]:
            left, right = (generator.standard_normal(shape, numpy.float32) for shape in ((m, k), (k, n)))
            self.products.append((make(left, right, numpy.empty((m, n), numpy.float32)), times))
        self.flops = sum(2 * m * k * n * times for (m, k, n), times in case["products"])

    @staticmethod
    def openblas(left, right, out):
        import numpy

        return lambda: numpy.matmul(left, right, out=out)

    @staticmethod
    def mkl(*matrices):
        import torch

        left, right, out = (torch.from_numpy(matrix) for matrix in matrices)
        return lambda: torch.mm(left, right, out=out)

    @staticmethod
    def onednn(left, right, _):
        """With the right matrix packed beforehand, as weights that never change can be."""
        import torch

        left, right = (torch.from_numpy(matrix) for matrix in (left, right))
        packed = torch.ops.mkldnn._reorder_linear_weight(right.t().contiguous(), len(left))
        return lambda: torch.ops.mkldnn._linear_pointwise(left, packed, None, "none", [], "")

    def run(self):
        total = 0
        for product, times in self.products:
            start = time.perf_counter()
            product()
            total += times * (time.perf_counter() - start)
        return {"seconds": total, "flops": self.flops}

    def finish(self, path):
        pass


def main():
    peer, case_file, output = sys.argv[1:]
    case = json.load(open(case_file))
    if peer != "openblas":  # which would meet torch's own threads
        import torch

        torch.set_num_threads(case["threads"])
    if peer in ("openblas", "mkl", "onednn"):
        worker = Sgemm(case, peer)
    elif peer == "sd-vae":
        worker = SdVae(case)
    else:
        kind = {"train": Training, "features": Features}.get(case["work"], Inference)
        worker = kind(case, peer == "compiled")
    for _ in range(WARM_UP):
        # Only compiling makes a first iteration long and the next ones short.
        if worker.run().get("seconds", 0) > LONG and peer != "compiled":
            break
    print(json.dumps({"ready": True, **getattr(worker, "about", {})}), flush=True)
    for line in sys.stdin:
        if line.strip() == "run":
            print(json.dumps(worker.run()), flush=True)
        elif line.strip() == "finish":
            peak = peak_mib()
            worker.finish(output)
            print(json.dumps({"peak_mib": peak}), flush=True)
            return


if __name__ == "__main__":
    main()
