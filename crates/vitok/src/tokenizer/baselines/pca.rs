//! Principal components of patches.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use faer::{Mat, Side};
use sha2::{Digest, Sha256};

use crate::device::to_host;
use crate::files::hexadecimal;
use crate::media::{Clip, ClipShape, Image, clip_from_tensor, clip_to_tensor};
use crate::patches::{BatchLayout, Sequence, TokenBatch, TokenGrid, Tubelet, patchify, unpatchify};
use crate::tokenizer::codec::reconstruct_by_latents;
use crate::tokenizer::{Codec, Latents, Reconstruction, Tokenizer, TokenizerInfo};
use crate::weights::{Dtype, NewTensor, TensorFile, write_tensors};
use crate::{Error, Result};

const MEAN: &str = "mean";
const COMPONENTS: &str = "components";

/// The best linear codec of patches: `c` principal components of `3pp` pixel values.
#[derive(Clone, Debug)]
pub struct Pca {
    patch: usize,
    /// `[3pp]`
    mean: Vec<f32>,
    /// `[c, 3pp]`, orthonormal rows, the largest variance first.
    components: Vec<f32>,
}

/// Collects the mean and covariance of patches, image by image.
#[derive(Debug)]
pub struct PcaFit {
    patch: usize,
    count: f64,
    /// `[3pp]`
    sum: Vec<f64>,
    /// `[3pp, 3pp]`
    products: Vec<f64>,
}

impl PcaFit {
    /// An empty fit of `patch` x `patch` pixels.
    pub fn new(patch: usize) -> Self {
        let values = 3 * patch * patch;
        Self {
            patch,
            count: 0.0,
            sum: vec![0.0; values],
            products: vec![0.0; values * values],
        }
    }

    /// Takes in the patches of an image; what does not fill a patch is left out.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for an image smaller than a patch.
    pub fn add(&mut self, image: &Image) -> Result<()> {
        let whole = |length: usize| length / self.patch * self.patch;
        let image = image.crop(0, 0, whole(image.width()), whole(image.height()))?;
        let clip = clip_to_tensor(&image.into(), &Device::flex());
        let patches = patchify(&[clip], tubelet(self.patch), None)?.tokens;
        let [_, count, values] = patches.dims();
        let patches = patches.reshape([count, values]);
        let products = patches.clone().transpose().matmul(patches.clone());
        add_to(&mut self.products, products)?;
        add_to(&mut self.sum, patches.sum_dim(0))?;
        self.count += count as f64;
        Ok(())
    }

    /// The PCA of `channels` components.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no patches, or more components than a patch has values.
    pub fn finish(&self, channels: usize) -> Result<Pca> {
        let values = self.sum.len();
        if self.count == 0.0 || channels == 0 || channels > values {
            return Err(Error::InvalidArgument(format!(
                "cannot fit {channels} components to {} patches of {values} values",
                self.count
            )));
        }
        let mean: Vec<f64> = self.sum.iter().map(|s| s / self.count).collect();
        let covariance = Mat::from_fn(values, values, |i, j| {
            self.products[i * values + j] / self.count - mean[i] * mean[j]
        });
        // Eigenvalues come in ascending order.
        let eigen = covariance.self_adjoint_eigen(Side::Lower);
        let eigen = eigen.map_err(|e| Error::InvalidArgument(format!("no principal components: {e:?}")))?;
        let vectors = eigen.U();
        let components = (0..channels).flat_map(|c| (0..values).map(move |i| vectors[(i, values - 1 - c)] as f32));
        Ok(Pca {
            patch: self.patch,
            mean: mean.iter().map(|&m| m as f32).collect(),
            components: components.collect(),
        })
    }
}

fn add_to(sums: &mut [f64], terms: Tensor<2>) -> Result<()> {
    for (sum, term) in sums.iter_mut().zip(to_host(terms)?) {
        *sum += f64::from(term);
    }
    Ok(())
}

fn tubelet(patch: usize) -> Tubelet {
    Tubelet { frames: 1, patch }
}

impl Pca {
    /// Side of a patch in pixels.
    pub fn patch(&self) -> usize {
        self.patch
    }

    /// Components c.
    pub fn channels(&self) -> usize {
        self.components.len() / self.mean.len()
    }

    /// SHA-256 of all its values. Those of the mean come first, and tell the patch size too.
    fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for value in self.mean.iter().chain(&self.components) {
            hash.update(value.to_le_bytes());
        }
        hash.finalize().into()
    }

    /// Whether a file holds one.
    pub(in crate::tokenizer) fn is_pca(path: &Path) -> bool {
        TensorFile::open(path).is_ok_and(|file| file.shape(COMPONENTS).is_some())
    }

    /// `[c, 3pp]` and `[1, 3pp]`, on the CPU.
    fn tensors(&self) -> (Tensor<2>, Tensor<2>) {
        let device = Device::flex();
        let values = self.mean.len();
        let components = TensorData::new(self.components.clone(), [self.channels(), values]);
        let mean = TensorData::new(self.mean.clone(), [1, values]);
        (Tensor::from_data(components, &device), Tensor::from_data(mean, &device))
    }

    fn encode_frame(&self, frame: &Image) -> Result<Vec<f32>> {
        let (components, mean) = self.tensors();
        let clip = clip_to_tensor(&frame.clone().into(), &Device::flex());
        let patches = patchify(&[clip], tubelet(self.patch), None)?.tokens;
        let [_, count, values] = patches.dims();
        to_host((patches.reshape([count, values]) - mean).matmul(components.transpose()))
    }

    fn decode_frame(&self, latents: &[f32], sequence: Sequence) -> Result<Image> {
        let (components, mean) = self.tensors();
        let count = sequence.grid.tokens();
        let data = TensorData::new(latents.to_vec(), [count, self.channels()]);
        let patches = Tensor::<2>::from_data(data, &Device::flex()).matmul(components) + mean;
        let tokens = patches.reshape([1, count, self.mean.len()]);
        let layout = BatchLayout::new(vec![sequence])?;
        let clip = unpatchify(&TokenBatch { tokens, layout }, tubelet(self.patch))?.remove(0);
        Ok(clip_from_tensor(clip, None)?.into_frames().remove(0))
    }

    /// Writes it as a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn save(&self, path: &Path) -> Result<()> {
        let values = self.mean.len();
        let tensor = |name: &str, shape: Vec<usize>, values: &Vec<f32>| {
            let values = values.clone();
            NewTensor {
                name: name.to_owned(),
                shape,
                values: Box::new(move || Ok(values)),
            }
        };
        let tensors = vec![
            tensor(MEAN, vec![values], &self.mean),
            tensor(COMPONENTS, vec![self.channels(), values], &self.components),
        ];
        let about = BTreeMap::from([(
            "vitok.pca".to_owned(),
            "principal components of patches (color, row, column) in [-1, 1]".to_owned(),
        )]);
        write_tensors(path, &about, tensors, Dtype::F32)
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Weights`] for a file of something else.
    pub fn load(path: &Path) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        let wrong = || Error::Weights {
            path: path.to_owned(),
            reason: "not a PCA of patches".into(),
        };
        let &[_, values] = file.shape(COMPONENTS).ok_or_else(wrong)? else {
            return Err(wrong());
        };
        let patch = (values / 3).isqrt();
        if patch == 0 || 3 * patch * patch != values || file.shape(MEAN) != Some(&[values]) {
            return Err(wrong());
        }
        Ok(Self {
            patch,
            mean: file.read(MEAN)?,
            components: file.read(COMPONENTS)?,
        })
    }
}

impl Codec for Pca {
    fn name(&self) -> String {
        format!("PCA {p}x{p} to {}", self.channels(), p = self.patch)
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        reconstruct_by_latents(self, clips)
    }

    fn tokens(&self, shape: ClipShape) -> usize {
        TokenGrid::covering(shape, tubelet(self.patch)).tokens()
    }
}

impl Tokenizer for Pca {
    fn info(&self) -> TokenizerInfo {
        TokenizerInfo {
            kind: "pca".into(),
            name: self.name(),
            fingerprint: hexadecimal(&self.hash()[..8]),
        }
    }

    fn digest(&self) -> Result<String> {
        Ok(hexadecimal(&self.hash()))
    }

    fn latent_shape(&self, shape: ClipShape) -> (TokenGrid, usize) {
        (TokenGrid::covering(shape, tubelet(self.patch)), self.channels())
    }

    fn patch_size(&self) -> usize {
        self.patch
    }

    fn encode(&self, clips: &[Clip]) -> Result<Vec<Latents>> {
        let one = |clip: &Clip| -> Result<Latents> {
            let (grid, channels) = self.latent_shape(clip.shape());
            let frames = clip.frames().iter().map(|frame| self.encode_frame(frame));
            let values = frames.collect::<Result<Vec<_>>>()?.concat();
            let latents = Latents::new(values, channels, grid, clip.shape())?;
            Ok(Latents {
                fps: clip.fps(),
                ..latents
            })
        };
        clips.iter().map(one).collect()
    }

    fn decode(&self, latents: &[Latents]) -> Result<Vec<Clip>> {
        let one = |latents: &Latents| -> Result<Clip> {
            self.check_latents(latents)?;
            let sequence = Sequence {
                shape: ClipShape {
                    frames: 1,
                    ..latents.shape
                },
                grid: TokenGrid {
                    frames: 1,
                    ..latents.grid
                },
            };
            let frames = latents.values.chunks(sequence.grid.tokens() * latents.channels);
            let frames = frames.map(|values| self.decode_frame(values, sequence));
            Clip::new(frames.collect::<Result<_>>()?, latents.fps)
        };
        latents.iter().map(one).collect()
    }
}
