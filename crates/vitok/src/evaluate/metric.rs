//! The metrics there are: name, direction, formula and source of each.

use serde::{Deserialize, Serialize};

use crate::features::{FeatureNetwork, LPIPS_MIN_SIDE};
use crate::metrics::{IMAGE_SSIM, MS_SSIM_MIN_SIDE};
use crate::{Error, Result};

/// A metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Peak signal-to-noise ratio in dB.
    Psnr,
    /// Structural similarity, at most 1.
    Ssim,
    /// Multi-scale structural similarity, 0 to 1.
    MsSsim,
    /// LPIPS on VGG16.
    LpipsVgg,
    /// LPIPS on AlexNet.
    LpipsAlex,
    /// Shift-tolerant LPIPS on VGG16.
    StLpips,
    /// Mean squared error.
    Mse,
    /// Mean absolute error.
    Mae,
    /// Fréchet distance of features; FID on the FID Inception.
    Frechet,
    /// Kernel inception distance.
    Kid,
    /// Inception Score of the outputs.
    InceptionScore,
    /// Improved precision: the fraction of outputs that look like originals.
    Precision,
    /// Improved recall: the fraction of originals that look like outputs.
    Recall,
}

/// Which direction of a score is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// A higher score is better.
    Higher,
    /// A lower score is better.
    Lower,
}

impl Metric {
    /// All metrics, in the order of tables.
    pub const ALL: [Self; 13] = [
        Self::Psnr,
        Self::Ssim,
        Self::MsSsim,
        Self::LpipsVgg,
        Self::LpipsAlex,
        Self::StLpips,
        Self::Mse,
        Self::Mae,
        Self::Frechet,
        Self::Kid,
        Self::InceptionScore,
        Self::Precision,
        Self::Recall,
    ];

    /// The metric of that [key](Self::key).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none, with the keys there are.
    pub fn named(key: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|metric| metric.key() == key);
        found.ok_or_else(|| {
            let keys = Self::ALL.map(Self::key).join(", ");
            Error::InvalidArgument(format!("no metric is called {key}; there are {keys}"))
        })
    }

    /// Its name in settings and files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Psnr => "psnr",
            Self::Ssim => "ssim",
            Self::MsSsim => "ms-ssim",
            Self::LpipsVgg => "lpips-vgg",
            Self::LpipsAlex => "lpips-alex",
            Self::StLpips => "st-lpips",
            Self::Mse => "mse",
            Self::Mae => "mae",
            Self::Frechet => "frechet",
            Self::Kid => "kid",
            Self::InceptionScore => "inception-score",
            Self::Precision => "precision",
            Self::Recall => "recall",
        }
    }

    /// Its name in tables. Scores on features carry their network's name unless it is that of the
    /// standard FID.
    pub fn title(self, network: FeatureNetwork) -> String {
        match self {
            Self::Psnr => "PSNR (mean)".into(),
            Self::Ssim => "SSIM".into(),
            Self::MsSsim => "MS-SSIM".into(),
            Self::LpipsVgg => "LPIPS (VGG)".into(),
            Self::LpipsAlex => "LPIPS (Alex)".into(),
            Self::StLpips => "ST-LPIPS (VGG)".into(),
            Self::Mse => "MSE".into(),
            Self::Mae => "MAE".into(),
            Self::Frechet => network.frechet_name(),
            Self::Kid => network.named("KID"),
            Self::InceptionScore => network.named("Inception Score"),
            Self::Precision => network.named("Precision"),
            Self::Recall => network.named("Recall"),
        }
    }

    /// Whether it compares an image with its original; others compare sets.
    pub fn is_full_reference(self) -> bool {
        self < Self::Frechet
    }

    /// The weights it needs beside the protocol's network, by their names in
    /// [`pretrained_weights`](crate::weights::pretrained::pretrained_weights).
    pub fn weights(self) -> &'static [&'static str] {
        match self {
            Self::LpipsVgg => &["vgg16", "lpips-vgg-heads"],
            Self::LpipsAlex => &["alexnet", "lpips-alex-heads"],
            Self::StLpips => &["stlpips-vgg"],
            _ => &[],
        }
    }

    /// Its unit, where it has one.
    pub fn unit(self) -> Option<&'static str> {
        (self == Self::Psnr).then_some("dB")
    }

    /// Which direction is better.
    pub fn better(self) -> Better {
        match self {
            Self::Psnr | Self::Ssim | Self::MsSsim => Better::Higher,
            Self::InceptionScore | Self::Precision | Self::Recall => Better::Higher,
            _ => Better::Lower,
        }
    }

    /// Why an image that is too small for it has no score.
    pub(super) fn too_small(self) -> String {
        let least = match self {
            Self::MsSsim => MS_SSIM_MIN_SIDE,
            Self::LpipsVgg | Self::LpipsAlex | Self::StLpips => LPIPS_MIN_SIDE,
            _ => IMAGE_SSIM.smallest_side(),
        };
        format!("a side is under {least} pixels")
    }

    /// Its formula and convention, in words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Psnr => {
                "10 log10(255² / MSE) of each image, all pixels and colors of its bytes; the mean over \
                 images: what papers on image tokenizers print, and scikit-image or torchmetrics give image \
                 by image. Infinite for an exact copy, and so is the mean then"
            }
            Self::Ssim => {
                "on bytes, as torchmetrics: 11 x 11 Gaussian of 1.5 pixels, reflected border, mean \
                 over colors and pixels. scikit-image's defaults give another number"
            }
            Self::MsSsim => {
                "on bytes, as torchmetrics: five scales, each half of the one before; images of at \
                 least 176 pixels a side"
            }
            Self::LpipsVgg | Self::LpipsAlex => {
                "version 0.1 with its linear heads, on pixels of [-1, 1] at the image's own size"
            }
            Self::StLpips => {
                "LPIPS on a backbone with blurred pools, which forgives shifts of a pixel; not comparable \
                 with LPIPS"
            }
            Self::Mse => "mean squared difference of bytes",
            Self::Mae => "mean absolute difference of bytes",
            Self::Frechet => {
                "|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½) of the features' means and covariances, in f64. \
                 It depends on the number of images: compare only equal numbers"
            }
            Self::Kid => {
                "unbiased squared maximum mean discrepancy with the kernel (x·y / d + 1)³, mean over \
                 random subsets; ± is the standard error of that mean. Fit for few images. \
                 Reconstructions depend on their originals, which lowers it, below 0 at times"
            }
            Self::InceptionScore => {
                "exp of the mean divergence of each image's class probabilities from the mean \
                 ones, mean over ten splits; ± is their standard deviation. Of the outputs alone"
            }
            Self::Precision => "fraction of the outputs within the originals' manifold (3 neighbors)",
            Self::Recall => "fraction of the originals within the outputs' manifold (3 neighbors)",
        }
    }

    /// The paper it is from; empty for MSE and what follows from it.
    pub fn source(self) -> &'static str {
        match self {
            Self::Psnr | Self::Mse | Self::Mae => "",
            Self::Ssim => "Wang et al. 2004",
            Self::MsSsim => "Wang, Simoncelli, Bovik 2003",
            Self::LpipsVgg | Self::LpipsAlex => "Zhang et al. 2018",
            Self::StLpips => "Ghildyal and Liu 2022",
            Self::Frechet => "Heusel et al. 2017",
            Self::Kid => "Bińkowski et al. 2018",
            Self::InceptionScore => "Salimans et al. 2016",
            Self::Precision | Self::Recall => "Kynkäänniemi et al. 2019",
        }
    }
}
