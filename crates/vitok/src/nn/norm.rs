//! LayerNorm and RMSNorm; both with epsilon 1e-6 (as in the paper's research code and ViTok-v2).

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::params::uninitialized;

const EPSILON: f64 = 1e-6;

/// LayerNorm if there is a bias, RMSNorm if there is none.
#[derive(Module, Debug)]
pub struct Norm {
    /// `[C]`.
    pub weight: Param<Tensor<1>>,
    /// `[C]`; only LayerNorm has one.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Norm {
    /// An uninitialized LayerNorm: `(x - mean) / sqrt(var + eps) * weight + bias`.
    pub fn layer(width: usize, device: &Device) -> Self {
        Self {
            weight: uninitialized([width], device),
            bias: Some(uninitialized([width], device)),
        }
    }

    /// An uninitialized RMSNorm: `x / sqrt(mean(x^2) + eps) * weight`.
    pub fn rms(width: usize, device: &Device) -> Self {
        Self {
            weight: uninitialized([width], device),
            bias: None,
        }
    }

    /// `[.., C]` -> `[.., C]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val().unsqueeze();
        match &self.bias {
            Some(bias) => layer_norm(x) * weight + bias.val().unsqueeze(),
            None => {
                let mean_square = x.clone().square().mean_dim(D - 1);
                x / (mean_square + EPSILON).sqrt() * weight
            }
        }
    }
}

/// LayerNorm over the last axis without weight and bias: v2's bottleneck.
pub fn layer_norm<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let centered = x.clone() - x.mean_dim(D - 1);
    let variance = centered.clone().square().mean_dim(D - 1);
    centered / (variance + EPSILON).sqrt()
}
