//! A fully connected layer of a published network.

use burn::tensor::Tensor;

/// `y = x W + b`. Its weight is kept transposed, as the matrix product takes it.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    pub(super) weight: Tensor<2>,
    /// `[outputs]`.
    pub(super) bias: Tensor<1>,
}

impl Linear {
    /// `[B, inputs]` to `[B, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.without_bias(x) + self.bias.clone().unsqueeze()
    }

    /// The same without adding the bias.
    pub fn without_bias(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone())
    }
}
