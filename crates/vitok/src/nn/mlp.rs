//! The gated MLP (SwiGLU, Shazeer, 2020).

use burn::module::Module;
use burn::tensor::{Device, Tensor, activation};

use super::linear::Linear;

/// `fc2(silu(gate) * value)`, value and gate from the one linear layer `fc1`.
#[derive(Module, Debug)]
pub struct GatedMlp {
    /// `[2 * hidden, C]`: value first, then gate (v2's order).
    pub fc1: Linear,
    /// `[C, hidden]`.
    pub fc2: Linear,
}

impl GatedMlp {
    /// An uninitialized layer.
    pub fn new(width: usize, hidden: usize, bias: bool, device: &Device) -> Self {
        Self {
            fc1: Linear::new(width, 2 * hidden, bias, device),
            fc2: Linear::new(hidden, width, bias, device),
        }
    }

    /// `[B, N, C]` -> `[B, N, C]`.
    pub fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let both = self.fc1.forward(x);
        let hidden = both.dims()[2] / 2;
        let value = both.clone().narrow(2, 0, hidden);
        let gate = both.narrow(2, hidden, hidden);
        self.fc2.forward(activation::silu(gate) * value)
    }
}
