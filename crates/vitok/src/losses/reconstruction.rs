//! Pixel losses between a prediction and its target.

use burn::tensor::Tensor;

/// Mean squared error `mean((prediction - target)^2)` over all values (ViTok, arXiv 2501.09755, section 2.3). Both of one
/// shape; the result is `[1]`.
pub fn mse<const D: usize>(prediction: Tensor<D>, target: Tensor<D>) -> Tensor<1> {
    (prediction - target).square().mean()
}

/// Charbonnier loss `mean(sqrt((prediction - target)^2 + eps^2))` over all values: the absolute error, smooth around 0
/// (Charbonnier et al. 1994; ViTok-v2 with eps = 1e-3). Both of one shape; the result is `[1]`.
pub fn charbonnier<const D: usize>(prediction: Tensor<D>, target: Tensor<D>, eps: f64) -> Tensor<1> {
    ((prediction - target).square() + eps * eps).sqrt().mean()
}
