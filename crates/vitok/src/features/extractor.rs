//! Features of images and clips, by the network a score names.

use std::fmt;

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::efficientnet::EfficientNetLite0;
use super::i3d::I3d;
use super::inception::{Inception, InceptionBuild};
use super::preprocess::{Preprocess, Range, Resize};
use super::state_dict_loader::StateDictLoader;
use crate::device::to_host;
use crate::media::Image;
use crate::{Error, Result};

/// The networks that distances between sets are taken on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FeatureNetwork {
    /// pytorch-fid's port of the 2015 TensorFlow graph: the network of the standard FID.
    InceptionFid,
    /// torchvision's Inception v3.
    InceptionTorchvision,
    /// EfficientNet-Lite0.
    EfficientnetLite0,
    /// I3D on clips, its 400 logits: the network of the Frechet video distance.
    I3d,
}

impl FeatureNetwork {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::InceptionFid,
        Self::InceptionTorchvision,
        Self::EfficientnetLite0,
        Self::I3d,
    ];

    /// Its name in settings and files, and that of its weights among the
    /// [`pretrained_weights`](crate::weights::pretrained::pretrained_weights).
    pub fn name(self) -> &'static str {
        match self {
            Self::InceptionFid => "inception-fid",
            Self::InceptionTorchvision => "inception-torchvision",
            Self::EfficientnetLite0 => "efficientnet-lite0",
            Self::I3d => "i3d",
        }
    }

    /// Its name for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::InceptionFid => "FID Inception v3",
            Self::InceptionTorchvision => "torchvision Inception v3",
            Self::EfficientnetLite0 => "EfficientNet-Lite0",
            Self::I3d => "I3D Kinetics-400",
        }
    }

    /// What the Frechet distance on its features is called. Only the standard network's is "FID";
    /// on clips the name is the video distance's.
    pub fn frechet_name(self) -> String {
        match self {
            Self::InceptionFid => "FID".into(),
            Self::I3d => "FVD (I3D)".into(),
            other => format!("Frechet distance ({})", other.title()),
        }
    }

    /// What other scores on its features are called: `KID (EfficientNet-Lite0)`. The standard
    /// network needs no mention.
    pub fn named(self, score: &str) -> String {
        match self {
            Self::InceptionFid => score.into(),
            other => format!("{score} ({})", other.title()),
        }
    }

    /// Width and height of its input.
    pub fn side(self) -> usize {
        match self {
            Self::InceptionFid | Self::InceptionTorchvision => Inception::SIDE,
            Self::EfficientnetLite0 => EfficientNetLite0::SIDE,
            Self::I3d => I3d::SIDE,
        }
    }

    /// Features of an image or clip.
    pub fn features(self) -> usize {
        match self {
            Self::InceptionFid | Self::InceptionTorchvision => Inception::FEATURES,
            Self::EfficientnetLite0 => EfficientNetLite0::FEATURES,
            Self::I3d => I3d::CLASSES,
        }
    }

    /// Logits of an image, which the Inception Score is made of; none where nobody takes one.
    pub fn logits(self) -> Option<usize> {
        match self {
            Self::InceptionFid => Some(1008),
            Self::InceptionTorchvision | Self::EfficientnetLite0 => Some(1000),
            Self::I3d => None,
        }
    }

    /// Fewest frames of a clip.
    pub fn min_frames(self) -> usize {
        match self {
            // Its kernels and pools shrink time eight times.
            Self::I3d => 9,
            _ => 1,
        }
    }

    /// How images become its input where no protocol says otherwise.
    pub fn preprocess(self) -> Preprocess {
        let (resize, range) = match self {
            Self::InceptionFid => (Resize::Bilinear, Range::Signed),
            Self::InceptionTorchvision => (Resize::BilinearCorners, Range::Signed),
            Self::EfficientnetLite0 => (Resize::BicubicPillow, Range::By127),
            Self::I3d => (Resize::Bilinear, Range::Signed),
        };
        Preprocess { resize, range }
    }
}

impl fmt::Display for FeatureNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

#[derive(Debug)]
enum Network {
    Inception(Box<Inception>),
    EfficientNetLite0(EfficientNetLite0),
    I3d(I3d),
}

/// A network with its preprocessing: images in, features out.
#[derive(Debug)]
pub struct Extractor {
    kind: FeatureNetwork,
    network: Network,
    preprocess: Preprocess,
    device: Device,
}

/// The outputs of a network for a batch, row-major.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Extracted {
    /// `[batch, features]`.
    pub features: Vec<f32>,
    /// `[batch, logits]`; empty for networks without. Those of the FID Inception are without the bias, as in the original
    /// program and in torch-fidelity.
    pub logits: Vec<f32>,
}

impl Extractor {
    /// The network of a weight file.
    ///
    /// # Errors
    /// [`Error::Weights`] for weights of another network.
    pub fn load(kind: FeatureNetwork, loader: &StateDictLoader, preprocess: Preprocess) -> Result<Self> {
        let inception = |build| Inception::load(loader, build).map(Box::new);
        let network = match kind {
            FeatureNetwork::InceptionFid => Network::Inception(inception(InceptionBuild::Fid)?),
            FeatureNetwork::InceptionTorchvision => Network::Inception(inception(InceptionBuild::Torchvision)?),
            FeatureNetwork::EfficientnetLite0 => Network::EfficientNetLite0(EfficientNetLite0::load(loader)?),
            FeatureNetwork::I3d => Network::I3d(I3d::load(loader)?),
        };
        Ok(Self {
            kind,
            network,
            preprocess,
            device: loader.device().clone(),
        })
    }

    /// Which network.
    pub fn kind(&self) -> FeatureNetwork {
        self.kind
    }

    /// How images become its input.
    pub fn preprocess(&self) -> Preprocess {
        self.preprocess
    }

    /// The input of a clip (an image: one frame), `[frames, 3, side, side]`; on any thread, before
    /// [`extract`](Self::extract).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a clip of too few frames.
    pub fn prepare(&self, frames: &[Image]) -> Result<Vec<f32>> {
        self.prepare_by(self.preprocess, frames)
    }

    /// The same by another preprocess.
    ///
    /// # Errors
    /// As [`prepare`](Self::prepare).
    pub fn prepare_by(&self, preprocess: Preprocess, frames: &[Image]) -> Result<Vec<f32>> {
        let min = self.kind.min_frames();
        if frames.len() < min {
            return Err(Error::InvalidArgument(format!(
                "{} takes clips of at least {min} frames, not {}",
                self.kind,
                frames.len()
            )));
        }
        let side = self.kind.side();
        let mut all = Vec::with_capacity(frames.len() * 3 * side * side);
        for frame in frames {
            all.extend(preprocess.prepare(frame, side)?);
        }
        Ok(all)
    }

    /// The features of clips [prepared](Self::prepare), each of as many frames as the others.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if they are not.
    pub fn extract(&self, prepared: &[Vec<f32>]) -> Result<Extracted> {
        let Some(first) = prepared.first() else {
            return Ok(Extracted::default());
        };
        let side = self.kind.side();
        let (batch, frame) = (prepared.len(), 3 * side * side);
        if prepared.iter().any(|clip| clip.len() != first.len()) {
            return Err(Error::InvalidArgument(
                "clips of different numbers of frames in one batch".into(),
            ));
        }
        let frames = first.len() / frame;
        let shape = [batch, frames, 3, side, side];
        let x = TensorData::new(prepared.concat(), shape);
        let x: Tensor<5> = Tensor::from_data(x, &self.device).swap_dims(1, 2);
        let values = to_host::<2>;
        Ok(match &self.network {
            Network::Inception(network) => {
                let out = network.forward(x);
                let logits = match self.kind {
                    FeatureNetwork::InceptionFid => network.logits_without_bias(&out.features),
                    _ => out.logits,
                };
                Extracted {
                    features: values(out.features)?,
                    logits: values(logits)?,
                }
            }
            Network::EfficientNetLite0(network) => {
                let (features, logits) = network.forward(x);
                Extracted {
                    features: values(features)?,
                    logits: values(logits)?,
                }
            }
            Network::I3d(network) => Extracted {
                features: values(network.forward(x).1)?,
                logits: Vec::new(),
            },
        })
    }
}
