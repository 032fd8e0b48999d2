//! Losses of pixels against pixels.

use burn::tensor::Tensor;

/// Mean squared error over all values (paper, section 2.3). Any shape, the same for both.
pub fn mse<const D: usize>(found: Tensor<D>, wanted: Tensor<D>) -> Tensor<1> {
    (found - wanted).square().mean()
}

/// Mean of `sqrt(d^2 + eps^2)` over all differences d: absolute error with a smooth foot (v2, with
/// eps = 1e-3).
pub fn charbonnier<const D: usize>(found: Tensor<D>, wanted: Tensor<D>, eps: f64) -> Tensor<1> {
    ((found - wanted).square() + eps * eps).sqrt().mean()
}
