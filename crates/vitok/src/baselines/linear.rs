//! Principal components of patches.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::{Device, Tensor, TensorData};
use faer::{Mat, Side};

use crate::config::Tubelet;
use crate::device::to_host;
use crate::patches::{patchify, unpatchify};
use crate::pixels::{Picture, clip_from_pictures, pictures_from_clip};
use crate::tensor_file::{NewTensor, Precision, TensorFile, write_tensors};
use crate::{Error, Result};

const MEAN: &str = "mean";
const COMPONENTS: &str = "components";

/// The best linear code of patches: `c` principal components of `3pp` pixel values.
#[derive(Clone, Debug)]
pub struct LinearCode {
    patch: usize,
    /// `[3pp]`
    mean: Vec<f32>,
    /// `[c, 3pp]`, orthonormal rows, the largest variance first.
    components: Vec<f32>,
}

/// Collects the mean and covariance of patches, picture by picture.
#[derive(Debug)]
pub struct LinearFit {
    patch: usize,
    count: f64,
    /// `[3pp]`
    sum: Vec<f64>,
    /// `[3pp, 3pp]`
    products: Vec<f64>,
}

impl LinearFit {
    /// A fit of `patch` x `patch` pixels that has seen nothing.
    pub fn new(patch: usize) -> Self {
        let values = 3 * patch * patch;
        Self {
            patch,
            count: 0.0,
            sum: vec![0.0; values],
            products: vec![0.0; values * values],
        }
    }

    /// Takes in the patches of a picture; what does not fill a patch is left out.
    ///
    /// # Errors
    /// [`Error::Input`] for a picture smaller than a patch.
    pub fn add(&mut self, picture: &Picture) -> Result<()> {
        let whole = |length: usize| length / self.patch * self.patch;
        let picture = picture.crop(0, 0, whole(picture.width()), whole(picture.height()))?;
        let clip = clip_from_pictures(&[picture], &Device::flex())?;
        let patches = patchify(&[clip], tubelet(self.patch), None)?.tokens;
        let [_, count, values] = patches.dims();
        let patches = patches.reshape([count, values]);
        let products = patches.clone().transpose().matmul(patches.clone());
        add_to(&mut self.products, products)?;
        add_to(&mut self.sum, patches.sum_dim(0))?;
        self.count += count as f64;
        Ok(())
    }

    /// The code of `channels` components.
    ///
    /// # Errors
    /// [`Error::Input`] for no patches, or more components than a patch has values.
    pub fn finish(&self, channels: usize) -> Result<LinearCode> {
        let values = self.sum.len();
        if self.count == 0.0 || channels == 0 || channels > values {
            return Err(Error::Input(format!(
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
        let eigen = eigen.map_err(|e| Error::Input(format!("no principal components: {e:?}")))?;
        let vectors = eigen.U();
        let components = (0..channels)
            .flat_map(|c| (0..values).map(move |i| vectors[(i, values - 1 - c)] as f32));
        Ok(LinearCode {
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

impl LinearCode {
    /// Side of a patch in pixels.
    pub fn patch(&self) -> usize {
        self.patch
    }

    /// Components c.
    pub fn channels(&self) -> usize {
        self.components.len() / self.mean.len()
    }

    /// The picture through its code.
    ///
    /// # Errors
    /// [`Error::Device`] if the computation fails.
    pub fn reconstruct(&self, picture: &Picture) -> Result<Picture> {
        let device = Device::flex();
        let values = self.mean.len();
        let components = TensorData::new(self.components.clone(), [self.channels(), values]);
        let components = Tensor::<2>::from_data(components, &device);
        let mean = TensorData::new(self.mean.clone(), [1, values]);
        let mean = Tensor::<2>::from_data(mean, &device);
        let clip = clip_from_pictures(std::slice::from_ref(picture), &device)?;
        let mut patches = patchify(&[clip], tubelet(self.patch), None)?;
        let shape = patches.tokens.dims();
        let x = patches.tokens.reshape([shape[1], values]) - mean.clone();
        let code = x.matmul(components.clone().transpose());
        patches.tokens = (code.matmul(components) + mean).reshape(shape);
        let clip = unpatchify(&patches, tubelet(self.patch))?.remove(0);
        Ok(pictures_from_clip(clip)?.remove(0))
    }

    /// Writes the code as a safetensors file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
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
            "vitok.linear-code".to_owned(),
            "principal components of patches (colour, row, column) in [-1, 1]".to_owned(),
        )]);
        write_tensors(path, &about, tensors, Precision::F32)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Weights`] for a file that is no linear code.
    pub fn read(path: &Path) -> Result<Self> {
        let mut file = TensorFile::open(path)?;
        let wrong = || Error::Weights {
            path: path.to_owned(),
            reason: "not a linear code (`vitok compare --save-linear` writes one)".into(),
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
