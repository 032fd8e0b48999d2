//! Named evaluation protocols: how files are read, cropped and resized, and which network distances between sets are
//! taken on. Numbers can be compared only within one protocol.

use serde::Serialize;

use crate::features::{FeatureNetwork, Preprocess, Range, Resize};
use crate::media::{Image, ReadOptions, Size, center_crop_guided_diffusion};
use crate::{Error, Result};

/// An evaluation protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocol {
    /// Its name in settings and reports.
    pub name: &'static str,
    /// Whose numbers its scores may be compared with.
    pub about: &'static str,
    /// How files are read.
    pub reading: Reading,
    /// Side of the centered square that images are resized and cropped to (as in guided
    /// diffusion); none: they stay as they are.
    pub crop: Option<usize>,
    /// The network of distances between sets.
    pub network: FeatureNetwork,
    /// How images become its input.
    pub preprocess: Preprocess,
    /// The dataset it was made for, and how many images that has.
    pub expected: Option<(&'static str, usize)>,
}

/// How image files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reading {
    /// As Pillow's `convert("RGB")`, which the Python programs use: transparency dropped, an
    /// orientation applied to TIFF files only.
    Pillow,
    /// As they are shown: upright, transparency over white.
    Shown,
}

const PYTORCH_FID: Preprocess = Preprocess {
    resize: Resize::Bilinear,
    range: Range::Signed,
};

/// The protocols there are.
pub const PROTOCOLS: [Protocol; 6] = [
    Protocol {
        name: "native",
        about: "images at their own size, as they are shown; FID as clean-fid's, which takes any size",
        reading: Reading::Shown,
        crop: None,
        network: FeatureNetwork::InceptionFid,
        preprocess: Preprocess {
            resize: Resize::BicubicPillow,
            range: Range::By128,
        },
        expected: None,
    },
    Protocol {
        name: "fid-pytorch",
        about: "as pytorch-fid 0.3.0 scores two folders",
        reading: Reading::Pillow,
        crop: None,
        network: FeatureNetwork::InceptionFid,
        preprocess: PYTORCH_FID,
        expected: None,
    },
    Protocol {
        name: "fid-clean",
        about: "as clean-fid 0.1.35 scores two folders in its mode \"clean\"",
        reading: Reading::Pillow,
        crop: None,
        network: FeatureNetwork::InceptionFid,
        preprocess: Preprocess {
            resize: Resize::BicubicPillow,
            range: Range::By128,
        },
        expected: None,
    },
    Protocol {
        name: "vitok-v1-research",
        about: "as the research code of arXiv 2501.09755: torchvision's Inception, which is not FID's",
        reading: Reading::Pillow,
        crop: None,
        network: FeatureNetwork::InceptionTorchvision,
        preprocess: Preprocess {
            resize: Resize::BilinearCorners,
            range: Range::Signed,
        },
        expected: None,
    },
    Protocol {
        name: "imagenet-256-center-crop",
        about: "ImageNet-1k's validation images, center crop of 256 as guided diffusion's, then as fid-pytorch",
        reading: Reading::Pillow,
        crop: Some(256),
        network: FeatureNetwork::InceptionFid,
        preprocess: PYTORCH_FID,
        expected: Some(("ImageNet-1k's validation set", 50_000)),
    },
    Protocol {
        name: "coco-256",
        about: "COCO's val2017, center crop of 256 as guided diffusion's, then as fid-pytorch",
        reading: Reading::Pillow,
        crop: Some(256),
        network: FeatureNetwork::InceptionFid,
        preprocess: PYTORCH_FID,
        expected: Some(("COCO's val2017", 5_000)),
    },
];

impl Protocol {
    /// Images at their own size, as they are shown.
    pub const NATIVE: Self = PROTOCOLS[0];

    /// The protocol of that name.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is none, with the names there are.
    pub fn named(name: &str) -> Result<Self> {
        let found = PROTOCOLS.into_iter().find(|protocol| protocol.name == name);
        found.ok_or_else(|| {
            let names = PROTOCOLS.map(|protocol| protocol.name).join(", ");
            Error::InvalidArgument(format!("no protocol is called {name}; there are {names}"))
        })
    }

    /// The protocol with another center crop, of `side` pixels. It is then no longer that of a dataset.
    pub fn with_center_crop(self, side: usize) -> Self {
        Self {
            crop: Some(side),
            expected: None,
            ..self
        }
    }

    /// The protocol with another network and that network's own preprocessing.
    pub fn with_network(self, network: FeatureNetwork) -> Self {
        if network == self.network {
            return self;
        }
        Self {
            network,
            preprocess: network.preprocess(),
            ..self
        }
    }

    /// The options its files are read with.
    pub fn read_options(&self, max_pixels: u64) -> ReadOptions {
        let options = match self.reading {
            Reading::Pillow => ReadOptions::as_pillow(),
            Reading::Shown => ReadOptions::default(),
        };
        ReadOptions { max_pixels, ..options }
    }

    /// An image as it is scored, and as a model gets it.
    ///
    /// # Errors
    /// As [`center_crop_guided_diffusion`].
    pub fn crop(&self, image: Image) -> Result<Image> {
        match self.crop {
            Some(side) if image.size() != Size::new(side, side) => center_crop_guided_diffusion(&image, side),
            _ => Ok(image),
        }
    }

    /// Its name, and what was changed of the protocol of that name.
    pub fn title(&self) -> String {
        let mut changes = Vec::new();
        if let Ok(shipped) = Self::named(self.name) {
            if shipped.crop != self.crop {
                changes.push(match self.crop {
                    Some(side) => format!("center crop of {side}"),
                    None => "no crop".into(),
                });
            }
            if shipped.network != self.network {
                changes.push(self.network.title().into());
            }
        }
        match changes.is_empty() {
            true => self.name.into(),
            false => format!("{}, changed ({})", self.name, changes.join(", ")),
        }
    }

    /// How images are read and outputs rounded, in words, a sentence each.
    pub fn text(&self) -> Vec<String> {
        let reading = match self.reading {
            Reading::Pillow => {
                "Files are read as Pillow's convert(\"RGB\"): transparency is dropped, an \
                 orientation is applied to TIFF files only"
            }
            Reading::Shown => {
                "Files are read as they are shown: an orientation is applied, transparency laid \
                 over white"
            }
        };
        let crop = match self.crop {
            Some(side) => format!(
                "Images are center crops of {side} x {side} as guided diffusion makes them (halved by \
                 box, then Pillow's bicubic, on bytes)"
            ),
            None => "Images keep their size".into(),
        };
        vec![
            format!("{}: {}", self.title(), self.about),
            reading.into(),
            crop,
            "Outputs of models are clipped to [-1, 1] and rounded to the nearest byte, halves up, before anything \
             is scored"
                .into(),
        ]
    }

    /// What sets are compared on, in a sentence.
    pub fn text_of_sets(&self) -> String {
        format!(
            "Sets are compared on {}, {} features; its input: {}",
            self.network,
            self.network.features(),
            self.input()
        )
    }

    /// How images become the network's input, in words.
    pub fn input(&self) -> String {
        let side = self.network.side();
        let Preprocess { resize, range } = self.preprocess;
        format!("resized to {side} x {side} ({resize}), then {range}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_are_unique_and_only_the_standard_network_is_fid() {
        for protocol in PROTOCOLS {
            assert_eq!(Protocol::named(protocol.name).unwrap(), protocol);
            let name = protocol.network.frechet_name();
            assert_eq!(name == "FID", protocol.network == FeatureNetwork::InceptionFid);
        }
    }
}
