"""Scores the sets of images with the packages that papers use; README.md says what and how. Called by scripts/parity."""
import argparse
import contextlib
import functools
import importlib.metadata
import json
import os
import platform
import sys
import types
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import torchvision
from PIL import Image
from safetensors.numpy import load_file

import formula
import images

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent.parent / "shared/golden"
PACKAGES = ["torch", "torchvision", "pytorch-fid", "clean-fid", "torch-fidelity", "lpips", "stlpips_pytorch", "torchmetrics",
            "scikit-image", "scipy", "numpy", "pillow"]
PAIRS = {"square": 16, "mixed": 12}  # pairs of a set that are scored one by one
SUBSET = 30  # of KID: half of the set `square`


class Reference:
    """The report, and where things lie."""

    def __init__(self, out):
        self.out, self.features_folder = out, out / "features"
        self.features_folder.mkdir(parents=True, exist_ok=True)
        self.file = out / "reference.json"
        self.report = json.loads(self.file.read_text()) if self.file.exists() else {"golden": {}, "numbers": {}}
        self.report["versions"] = {name: importlib.metadata.version(name) for name in PACKAGES}
        self.report["versions"]["python"] = platform.python_version()

    def folder(self, name, side):
        return str(self.out / "images" / name / side)

    def weights(self, file):
        return torch.load(self.out / "weights" / file)

    def note(self, name, value, call, **more):
        self.report["numbers"][name] = {"value": value, "call": call, **more}
        shown = value if isinstance(value, float) else "%d values, mean %.7g" % (len(value), np.mean(value))
        print("%-60s %s" % (name, shown), flush=True)
        self.save()

    def golden(self, name, found, wanted):
        """How far from the golden file: the largest difference over the largest value."""
        found, wanted = np.asarray(found, np.float64).ravel(), np.asarray(wanted, np.float64).ravel()
        error = float(np.abs(found - wanted).max() / np.abs(wanted).max())
        self.report["golden"][name] = error
        print("golden %-53s %.2g" % (name, error), flush=True)
        assert error < 1e-4, "the formula is not that of the golden file " + name
        self.save()

    def save(self):
        part = self.file.with_suffix(".tmp")
        part.write_text(json.dumps(self.report, indent=1, sort_keys=True) + "\n")
        part.rename(self.file)

    def keep(self, name, array):
        np.save(self.features_folder / (name + ".npy"), np.asarray(array))

    def kept(self, name):
        path = self.features_folder / (name + ".npy")
        if not path.exists():
            sys.exit("reference.py: %s is missing; run the section that makes it first" % path)
        return np.load(path)


def frechet_by_singular_values(a, b):
    """The distance without sqrtm: tr sqrt(S1 S2) is the nuclear norm of A B^T, A and B being centered and scaled."""
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shift = a.mean(0) - b.mean(0)
    a, b = ((x - x.mean(0)) / np.sqrt(len(x) - 1) for x in (a, b))
    cross = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return float(shift @ shift + (a**2).sum() + (b**2).sum() - 2 * cross)


def keep_set(reference, protocol, name, sides):
    """Keeps what the network gave for both sides, and the distance of the two by singular values."""
    for side, array in zip("ab", sides):
        reference.keep("%s.%s.%s" % (protocol, name, side), np.asarray(array, np.float32))
    reference.note("%s/%s/frechet.by_singular_values" % (protocol, name), frechet_by_singular_values(*sides),
                   "parity/reference.py: frechet_by_singular_values(a, b)")


@contextlib.contextmanager
def recorded(module, name):
    """What the module's function returns meanwhile: the features a package scores, without computing them twice."""
    function, results = getattr(module, name), []

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        results.append(function(*args, **kwargs))
        return results[-1]

    setattr(module, name, wrapper)
    try:
        yield results
    finally:
        setattr(module, name, function)


def u8(path):
    """Pixels `[H, W, 3]` as all the packages read them."""
    return np.asarray(Image.open(path).convert("RGB"))


def unit(pixels):
    """`[1, 3, H, W]` in 0..1, as ToTensor."""
    return torchvision.transforms.ToTensor()(np.array(pixels))[None]


def signed(pixels):
    """`[1, 3, H, W]` in -1..1, as lpips.im2tensor."""
    return torch.from_numpy((pixels / 127.5 - 1).astype(np.float32)).permute(2, 0, 1)[None].contiguous()


def names(reference, name, side="a"):
    return sorted(os.listdir(reference.folder(name, side)))


# Networks.


def fid_network(reference, **options):
    """pytorch-fid's InceptionV3 with the weights of the formula, which it would fetch otherwise."""
    from pytorch_fid import inception

    inception.load_state_dict_from_url = lambda *_, **__: reference.weights("fid-inception-formula.pth")
    return inception.InceptionV3(**options).eval()


def torchvision_network(reference):
    """torchvision's Inception v3 of 1000 classes; gives the 2048 means, or logits if `fc` is put back."""
    network = torchvision.models.inception_v3(init_weights=False, transform_input=False).eval()
    network.load_state_dict(reference.weights("torchvision-inception-formula.pth"))
    return network


def trunk(reference, name):
    network = getattr(torchvision.models, name)(weights=None)
    network.load_state_dict(reference.weights(name + "-formula.pth"), strict=False)
    return network.eval()


def lpips_network(reference, net):
    """The package's LPIPS with its own heads, on a trunk of the formula."""
    import lpips

    lpips.pretrained_networks.tv = types.SimpleNamespace(vgg16=lambda pretrained: trunk(reference, "vgg16"),
                                                         alexnet=lambda pretrained: trunk(reference, "alexnet"))
    return lpips.LPIPS(net=net, verbose=False)


def stlpips_network(net):
    """The package's ST-LPIPS, weights and all."""
    # Imported by the package, for debugging and a summary; not among what it asks pip for.
    for name, attribute in (("IPython", "embed"), ("torchsummary", "summary")):
        sys.modules.setdefault(name, types.ModuleType(name)).__dict__.setdefault(attribute, None)
    from stlpips_pytorch import stlpips

    return stlpips.LPIPS(net=net, variant="shift_tolerant", verbose=False)


# Sections.


def golden(reference):
    """Are the networks those of the golden files?"""
    file = load_file(GOLDEN / "inception_fid.safetensors")
    network = fid_network(reference, output_blocks=(0, 1, 2, 3))
    weights = reference.weights("fid-inception-formula.pth")
    outputs = [network(unit(file["in.u8_hwc.%d" % i])) for i in range(2)]
    for block in range(3):
        reference.golden("inception_fid block %d" % block, torch.cat([o[block].mean((2, 3)) for o in outputs]),
                         file["block%d.mean_hw" % block])
    pool = torch.cat([o[3].flatten(1) for o in outputs])
    reference.golden("inception_fid pool2048", pool, file["pool2048"])
    reference.golden("inception_fid logits1008", pool @ weights["fc.weight"].T + weights["fc.bias"], file["logits1008"])

    file = load_file(GOLDEN / "inception_torchvision.safetensors")
    network = torchvision_network(reference)
    inputs = torch.cat([research_input(unit(file["in.u8_hwc.%d" % i])) for i in range(2)])
    reference.golden("inception_torchvision logits1000", network(inputs), file["logits1000"])
    network.fc = torch.nn.Identity()
    reference.golden("inception_torchvision pool2048", network(inputs), file["pool2048"])

    for name in ("vgg16", "alexnet"):
        file = load_file(GOLDEN / (name + ".safetensors"))
        x = torch.from_numpy(file["in.chw"])[None]
        for index, layer in enumerate(trunk(reference, name).features):
            x = layer(x)
            wanted = file.get("features.%d" % index)
            if wanted is not None:
                # A copy: the ReLU after it works in place.
                reference.golden("%s features.%d" % (name, index), x[0].clone() if wanted.ndim == 3 else x[0].mean((1, 2)), wanted)
    for net in ("vgg", "alex"):
        file = {name: torch.from_numpy(value) for name, value in load_file(GOLDEN / ("lpips_%s.safetensors" % net)).items()}
        network = lpips_network(reference, net)
        for index, head in enumerate(network.lins):
            head.model[-1].weight.data = file["lin%d.weight" % index]
        distance, layers = network(file["a"][None], file["b"][None], retPerLayer=True)
        reference.golden("lpips_%s distance" % net, distance.flatten(), file["distance"])
        reference.golden("lpips_%s layers" % net, torch.cat([layer.flatten() for layer in layers]), file["per_layer"])
    file = load_file(GOLDEN / "stlpips_vgg_real.safetensors")
    network = stlpips_network("vgg")
    for name in ("blur1", "noise10", "shift1"):
        reference.golden("stlpips_vgg_real " + name, network(signed(file["ref.u8_hwc"]), signed(file[name + ".u8_hwc"])).flatten(),
                         file[name + ".distance"])


def pytorch(reference):
    """Protocol fid-pytorch, by its own program."""
    from pytorch_fid import fid_score

    network = fid_network(reference)  # and so patches the loader for calculate_fid_given_paths
    for name in ("square", "jpeg-444", "jpeg-420"):
        sides = [reference.folder(name, side) for side in "ab"]
        with recorded(fid_score, "get_activations") as features:
            value = fid_score.calculate_fid_given_paths(sides, 50, "cpu", 2048, num_workers=0)
        reference.note("fid-pytorch/%s/frechet" % name, float(value),
                       'pytorch_fid.fid_score.calculate_fid_given_paths([a, b], 50, "cpu", 2048, num_workers=0)')
        keep_set(reference, "fid-pytorch", name, features)
    # Few features, many images: covariances of full rank, where sqrtm is at its best.
    few = [reference.kept("fid-pytorch.square." + side).astype(np.float64)[:, :32] for side in "ab"]
    statistics = [s for f in few for s in (f.mean(0), np.cov(f, rowvar=False))]
    reference.note("fid-pytorch/square/frechet-of-32", float(fid_score.calculate_frechet_distance(*statistics)),
                   "pytorch_fid.fid_score.calculate_frechet_distance on mean and cov of the first 32 features, f64")
    reference.note("fid-pytorch/square/frechet-of-32.by_singular_values", frechet_by_singular_values(*few),
                   "parity/reference.py: frechet_by_singular_values(a[:, :32], b[:, :32])")
    inputs = []
    network.blocks[0].register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
    for name in names(reference, "square")[:2]:
        network(unit(u8(Path(reference.folder("square", "a")) / name)))
    reference.keep("fid-pytorch.square.input", torch.cat(inputs))


def clean(reference):
    """Protocol fid-clean, by its own program with pytorch-fid's network in place of the TorchScript file."""
    from cleanfid import fid
    from cleanfid.utils import ResizeDataset

    network = fid_network(reference, resize_input=False, normalize_input=False)

    def extract(x):  # InceptionV3W.forward, with `layers` replaced
        assert x.shape[2:] == (299, 299)
        return network((x - 128) / 128)[0].flatten(1)

    options = dict(mode="clean", num_workers=0, device=torch.device("cpu"), verbose=False, use_dataparallel=False)
    shown = 'mode="clean", num_workers=0, device=cpu, use_dataparallel=False'
    for name in ("square", "mixed", "jpeg-420"):
        sides = [reference.folder(name, side) for side in "ab"]
        with recorded(fid, "get_folder_features") as features:
            value = fid.compute_fid(*sides, custom_feat_extractor=extract, **options)
        reference.note("fid-clean/%s/frechet" % name, float(value),
                       "cleanfid.fid.compute_fid(a, b, custom_feat_extractor=pytorch-fid's network on (x - 128) / 128, %s)" % shown)
        keep_set(reference, "fid-clean", name, features)
        np.random.seed(0)  # it draws from the global generator
        reference.note("fid-clean/%s/kid" % name, fid.kernel_distance(*features),
                       "numpy.random.seed(0); cleanfid.fid.kernel_distance(a, b)")
    inputs = ResizeDataset([Path(reference.folder("mixed", "a")) / name for name in names(reference, "mixed")], mode="clean")
    reference.keep("fid-clean.mixed.input", torch.stack([(inputs[i] - 128) / 128 for i in range(2)]))
    # compute_kid takes no extractor of ours as an argument.
    fid.build_feature_extractor = lambda *_, **__: extract
    np.random.seed(0)
    reference.note("fid-clean/mixed/kid.by_program", fid.compute_kid(*(reference.folder("mixed", side) for side in "ab"), **options),
                   "numpy.random.seed(0); cleanfid.fid.compute_kid(a, b, %s), its extractor replaced as for compute_fid" % shown)


def fidelity(reference):
    """Protocol fid-torch-fidelity by its own program, and its set metrics on the features of fid-pytorch."""
    import torch_fidelity
    from torch_fidelity import metrics
    from torch_fidelity.metric_isc import isc_features_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    real, generated = (reference.folder("square", side) for side in "ab")
    with recorded(metrics, "extract_featuresdict_from_input_id_cached") as features:
        found = torch_fidelity.calculate_metrics(
            input1=generated, input2=real, cuda=False, isc=True, fid=True, kid=True, prc=True, kid_subset_size=SUBSET,
            feature_extractor="inception-v3-compat", cache=False, save_cpu_ram=True, verbose=False,
            feature_extractor_weights_path=str(reference.out / "weights/fid-inception-formula.pth"))
    call = ('torch_fidelity.calculate_metrics(input1=b, input2=a, cuda=False, isc=True, fid=True, kid=True, prc=True, kid_subset_size=%d, '
            'feature_extractor="inception-v3-compat")' % SUBSET)
    for name, value in found.items():
        reference.note("fid-torch-fidelity/square/" + name, value, call)
    features = [features[1], features[0]]  # a is the second
    keep_set(reference, "fid-torch-fidelity", "square", [f["2048"] for f in features])
    for side, dictionary in zip("ab", features):
        reference.keep("logits.fid-torch-fidelity.square." + side, dictionary["logits_unbiased"])

    for protocol, name in (("fid-pytorch", "square"), ("fid-clean", "mixed")):
        a, b = (torch.from_numpy(reference.kept("%s.%s.%s" % (protocol, name, side))) for side in "ab")
        for size in (len(a), len(a) // 2):
            found = kid_features_to_metric(b, a, kid_subset_size=size, verbose=False)
            for key, value in found.items():
                reference.note("%s/%s/%s-of-%d" % (protocol, name, key, size), value,
                               "torch_fidelity.metric_kid.kid_features_to_metric(b, a, kid_subset_size=%d)" % size)
        # The same estimate of the whole sets in f64: how much of a difference is f32's.
        found = kid_features_to_metric(b.double(), a.double(), kid_subset_size=len(a), kid_subsets=1, verbose=False)
        reference.note("%s/%s/kid-of-all-in-f64" % (protocol, name), found["kernel_inception_distance_mean"],
                       "kid_features_to_metric(b.double(), a.double(), kid_subset_size=n, kid_subsets=1)")
        for key, value in prc_features_to_metric(b, a, verbose=False).items():
            reference.note("%s/%s/%s" % (protocol, name, key), value, "torch_fidelity.metric_prc.prc_features_to_metric(b, a)")
        head = reference.weights("fid-inception-formula.pth")["fc.weight"]
        for side, values in (("a", a), ("b", b)):
            logits = values @ head.T
            reference.keep("logits.%s.%s.%s" % (protocol, name, side), logits)
            for key, value in isc_features_to_metric(logits).items():
                reference.note("%s/%s/%s.%s" % (protocol, name, key, side), value,
                               "torch_fidelity.metric_isc.isc_features_to_metric(features @ fc.weight.T)")
    # What RandomState(2020) draws, for those who have another generator: [subset, generated or real, index].
    rng, n = np.random.RandomState(2020), len(reference.kept("fid-pytorch.square.a"))
    reference.keep("kid-subsets", [[rng.choice(n, SUBSET, replace=False) for _ in range(2)] for _ in range(100)])
    reference.keep("isc-order", np.random.RandomState(2020).permutation(n))


def research_input(x):
    """vitok-v1-research: 0..1 to what the network gets."""
    return F.interpolate(2 * x - 1, (299, 299), mode="bilinear", align_corners=True)


def research(reference):
    """Protocol vitok-v1-research: there is no package, so this is the definition."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    network = torchvision_network(reference)
    network.fc = torch.nn.Identity()
    for name in ("square", "mixed"):
        features = []
        for side in "ab":
            folder = Path(reference.folder(name, side))
            inputs = [research_input(unit(u8(folder / file))) for file in names(reference, name, side)]
            features.append(np.concatenate([network(x).numpy() for x in inputs]).astype(np.float64))
            if side == "a":
                reference.keep("vitok-v1-research.%s.input" % name, torch.cat(inputs[:2]))
        statistics = [s for f in features for s in (f.mean(0), np.cov(f, rowvar=False))]
        reference.note("vitok-v1-research/%s/frechet" % name, float(calculate_frechet_distance(*statistics)),
                       "parity/reference.py: research(), with pytorch_fid.fid_score.calculate_frechet_distance")
        keep_set(reference, "vitok-v1-research", name, features)


def pairs(reference):
    """The pairs that are scored one by one: set, names, images."""
    for name, count in PAIRS.items():
        files = names(reference, name)[:count]
        yield name, files, [tuple(u8(Path(reference.folder(name, side)) / file) for side in "ab") for file in files]


def lpips(reference):
    """LPIPS with the package's heads on a formula trunk, ST-LPIPS with all its own weights."""
    for name, files, both in pairs(reference):
        for net in ("vgg", "alex"):
            network = lpips_network(reference, net)
            results = [network(signed(a), signed(b), retPerLayer=True) for a, b in both]
            reference.note("lpips-%s/%s" % (net, name), [float(value) for value, _ in results],
                           'lpips.LPIPS(net="%s")(a, b), trunk by formula, pixels u8 / 127.5 - 1' % net, files=files,
                           layers=[[float(layer) for layer in layers] for _, layers in results])
            network = stlpips_network(net)
            reference.note("stlpips-%s/%s" % (net, name), [float(network(signed(a), signed(b))) for a, b in both],
                           'stlpips_pytorch.stlpips.LPIPS(net="%s", variant="shift_tolerant")(a, b), pixels u8 / 127.5 - 1' % net,
                           files=files)


def pixels(reference):
    """PSNR, SSIM and MS-SSIM by torchmetrics and scikit-image."""
    from skimage import metrics
    from torchmetrics.functional import image
    from torchmetrics.image import PeakSignalNoiseRatio

    def planes(x):
        return torch.from_numpy(x.astype(np.float32)).permute(2, 0, 1)[None]

    window = dict(channel_axis=2, data_range=255)
    gaussian = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    scores = {
        "torchmetrics-psnr": ("peak_signal_noise_ratio(b, a, data_range=255.0)",
                              lambda a, b: image.peak_signal_noise_ratio(planes(b), planes(a), data_range=255.0)),
        "torchmetrics-ssim": ("structural_similarity_index_measure(b, a, data_range=255.0)",
                              lambda a, b: image.structural_similarity_index_measure(planes(b), planes(a), data_range=255.0)),
        "torchmetrics-ms-ssim": ("multiscale_structural_similarity_index_measure(b, a, data_range=255.0)",
                                 lambda a, b: image.multiscale_structural_similarity_index_measure(planes(b), planes(a),
                                                                                                   data_range=255.0)),
        "skimage-psnr": ("peak_signal_noise_ratio(a, b, data_range=255)",
                         lambda a, b: metrics.peak_signal_noise_ratio(a, b, data_range=255)),
        "skimage-ssim": ("structural_similarity(a, b, channel_axis=2, data_range=255)",
                         lambda a, b: metrics.structural_similarity(a, b, **window)),
        "skimage-ssim-gaussian": ("structural_similarity(a, b, channel_axis=2, data_range=255, gaussian_weights=True, sigma=1.5, "
                                  "use_sample_covariance=False)",
                                  lambda a, b: metrics.structural_similarity(a, b, **window, **gaussian)),
    }
    for name, files, both in pairs(reference):
        for score, (call, function) in scores.items():
            # MS-SSIM halves four times and needs 11 pixels then.
            fit = [i for i, (a, _) in enumerate(both) if score != "torchmetrics-ms-ssim" or min(a.shape[:2]) >= 176]
            if fit:
                reference.note("%s/%s" % (score, name), [float(function(*both[i])) for i in fit], call, files=[files[i] for i in fit])
    # Over all images of a set, each pixel counting alike.
    for name in PAIRS:
        pooled = PeakSignalNoiseRatio(data_range=255.0)
        files = names(reference, name)
        for file in files:
            a, b = (planes(u8(Path(reference.folder(name, side)) / file)).double() for side in "ab")
            pooled.update(b, a)
        reference.note("torchmetrics-psnr-pooled/%s" % name, float(pooled.compute()),
                       "PeakSignalNoiseRatio(data_range=255.0), an update for each image", files=files)
    # What there is to lose between the two decodings of a JPEG.
    for name in ("jpeg-444", "jpeg-420"):
        files = names(reference, name)
        decoded = [[u8(Path(reference.folder(name, side)) / file) for file in files] for side in ("a", "b-decoded")]
        reference.note("skimage-psnr/%s" % name, [float(scores["skimage-psnr"][1](a, b)) for a, b in zip(*decoded)],
                       scores["skimage-psnr"][0] + ", b as Pillow decodes it", files=files)


SECTIONS = {f.__name__: f for f in (golden, pixels, lpips, pytorch, clean, research, fidelity)}


def main():
    parser = argparse.ArgumentParser(description="Scores by the packages that papers use; parity/README.md says more.")
    parser.add_argument("--out", type=Path, default=HERE.parent / "target/parity", help="folder for images, weights, features, numbers")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION",
                        help="of %s; `fidelity` needs the features of `pytorch` and `clean`" % ", ".join(SECTIONS))
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning)  # sqrtm's `disp`
    torch.set_grad_enabled(False)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    out = options.out.resolve()
    images.make(out / "images")
    formula.make(out / "weights")
    reference = Reference(out)
    for name, section in SECTIONS.items():
        if name in options.only:
            if name == "golden" and not GOLDEN.exists():
                print("golden files are not in this checkout: left out")
                continue
            section(reference)


if __name__ == "__main__":
    main()
