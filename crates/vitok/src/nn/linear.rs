//! A linear layer with its weight as checkpoints store it.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::params::uninitialized;

/// `y = x W^T + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// An uninitialized layer.
    pub fn new(inputs: usize, outputs: usize, bias: bool, device: &Device) -> Self {
        Self {
            weight: uninitialized([outputs, inputs], device),
            bias: bias.then(|| uninitialized([outputs], device)),
        }
    }

    /// `[.., in]` -> `[.., out]`.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let weight = self.weight.val().transpose();
        burn::tensor::module::linear(x, weight, self.bias.as_ref().map(|b| b.val()))
    }
}
