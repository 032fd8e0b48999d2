//! Perceptual distances: LPIPS (Zhang et al., "The Unreasonable Effectiveness of Deep Features as
//! a Perceptual Metric", 2018, version 0.1 of its package) and the same on a shift-tolerant backbone.
//!
//! The activations of both images are scaled, at every position, to vectors of length 1. The distance (equation 1 there)
//! is the sum over layers of the mean over positions of the squared difference, its channels weighted by the layer's
//! head.

use burn::tensor::{Device, Tensor, TensorData};

use super::state_dict_loader::StateDictLoader;
use super::vgg::Backbone;
use crate::{Error, Result};

/// Mean and standard deviation of ImageNet's channels, for pixels in [-1, 1].
const SHIFT: [f32; 3] = [-0.030, -0.088, -0.188];
const SCALE: [f32; 3] = [0.458, 0.448, 0.450];

/// Smallest side of an image in pixels: below it AlexNet's and VGG16's last activation would be empty.
pub const MIN_SIDE: usize = 32;

/// A perceptual distance: a backbone, and a head for each of its activations.
#[derive(Clone, Debug)]
pub struct Lpips {
    backbone: Backbone,
    /// `[1, C, 1, 1, 1]` each.
    heads: Vec<Tensor<5>>,
    shift: Tensor<5>,
    scale: Tensor<5>,
    device: Device,
}

impl Lpips {
    /// The distance of a backbone with heads of this file: `lin0.model.1.weight` and so on, `[1, C, 1, 1]`.
    ///
    /// # Errors
    /// [`Error::Weights`] for heads of another backbone.
    pub fn new(backbone: Backbone, heads: &StateDictLoader) -> Result<Self> {
        let head = |(layer, &channels): (usize, &usize)| {
            let name = format!("lin{layer}.model.1.weight");
            let head: Tensor<4> = heads.tensor(&name, [1, channels, 1, 1])?;
            Ok(head.reshape([1, channels, 1, 1, 1]))
        };
        let activations = backbone.channels().iter().enumerate();
        let colors = |values: [f32; 3], device: &Device| {
            Tensor::from_data(TensorData::new(values.to_vec(), [1, 3, 1, 1, 1]), device)
        };
        Ok(Self {
            heads: activations.map(head).collect::<Result<_>>()?,
            shift: colors(SHIFT, heads.device()),
            scale: colors(SCALE, heads.device()),
            device: heads.device().clone(),
            backbone,
        })
    }

    /// The device it computes on.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The distances `[B]` of images or clips `[B, 3, T, H, W]` in [-1, 1]; of a clip, the mean over its
    /// frames. Differentiable with respect to both.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the shapes differ or a side is below [`MIN_SIDE`].
    pub fn distance(&self, a: Tensor<5>, b: Tensor<5>) -> Result<Tensor<1>> {
        let layers = self.layers(a, b)?;
        let sum = layers.into_iter().reduce(|sum, layer| sum + layer);
        sum.ok_or_else(|| Error::InvalidArgument("a backbone without activations".into()))
    }

    /// What each layer adds to the [`distance`](Self::distance), `[B]` each.
    ///
    /// # Errors
    /// As there.
    pub fn layers(&self, a: Tensor<5>, b: Tensor<5>) -> Result<Vec<Tensor<1>>> {
        let [_, _, _, height, width] = a.dims();
        if a.dims() != b.dims() || height.min(width) < MIN_SIDE {
            return Err(Error::InvalidArgument(format!(
                "LPIPS compares images of one size with at least {MIN_SIDE} pixels a side, not \
                 {:?} and {:?}",
                a.dims(),
                b.dims()
            )));
        }
        let activations = |x: Tensor<5>| {
            let x = (x - self.shift.clone()) / self.scale.clone();
            self.backbone.forward(x)
        };
        let pairs = activations(a).into_iter().zip(activations(b)).zip(&self.heads);
        Ok(pairs
            .map(|((a, b), head)| {
                let difference = (unit(a) - unit(b)).square() * head.clone();
                let [batch, channels, t, h, w] = difference.dims();
                let positions = (t * h * w) as f64;
                let sum = difference.reshape([batch, channels * t * h * w]).sum_dim(1);
                sum.reshape([batch]) / positions
            })
            .collect())
    }
}

/// The vector of channels at every position divided by its length. The square root's argument is kept from 0, where its
/// derivative is infinite: after a ReLU whole vectors are 0.
fn unit(x: Tensor<5>) -> Tensor<5> {
    let length = (x.clone().square().sum_dim(1) + 1e-20).sqrt();
    x / (length + 1e-10)
}
