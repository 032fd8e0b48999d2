//! 1 - SSIM as a loss (Wang et al. 2004, equation 13; ViTok-v2), with torchmetrics' window and borders:
//! [`crate::metrics::SsimConvention::Torchmetrics`].
//!
//! The Gaussian window is separable and its reflecting border linear, so that a blur is two products with small matrices,
//! `G_h X G_w^T`: exact, and fast on every device without a convolution.

use burn::tensor::{Device, Tensor, TensorData};

use crate::{Error, Result};

/// Of the Gaussian window, in pixels.
const SIGMA: f64 = 1.5;
/// The window has `2 RADIUS + 1` pixels a side.
const RADIUS: usize = 5;
/// Stabilize the two fractions: `c1 = (K1 range)^2`, `c2 = (K2 range)^2`.
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// `1 - SSIM` of `[N, C, H, W]` images, the mean over images, colors and pixels, `[1]`; `range` is the span of possible
/// values (2 for [-1, 1]). With means, variances and covariance under the window,
///
/// ```text
/// SSIM = (2 mean_x mean_y + c1) (2 cov_xy + c2) / ((mean_x^2 + mean_y^2 + c1) (var_x + var_y + c2))
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] if the shapes differ or a side has fewer than 6 pixels, which the window's reflection needs.
pub fn one_minus_ssim(prediction: Tensor<4>, target: Tensor<4>, range: f64) -> Result<Tensor<1>> {
    let [_, _, height, width] = prediction.dims();
    if prediction.dims() != target.dims() || height.min(width) <= RADIUS {
        return Err(Error::InvalidArgument(format!(
            "SSIM compares images of one size with at least {} pixels a side, not {:?} and {:?}",
            RADIUS + 1,
            prediction.dims(),
            target.dims()
        )));
    }
    let device = prediction.device();
    let vertical = blur_matrix(height, &device).unsqueeze::<4>(); // [1, 1, H, H]
    let horizontal = blur_matrix(width, &device).transpose().unsqueeze::<4>(); // [1, 1, W, W]
    let blur = |x: Tensor<4>| vertical.clone().matmul(x).matmul(horizontal.clone());

    let (c1, c2) = ((K1 * range).powi(2), (K2 * range).powi(2));
    let (mean_x, mean_y) = (blur(prediction.clone()), blur(target.clone()));
    let mean_xx = mean_x.clone().square();
    let mean_yy = mean_y.clone().square();
    let mean_xy = mean_x * mean_y;
    // Variances cannot be negative; rounding can make them so.
    let var_x = (blur(prediction.clone().square()) - mean_xx.clone()).clamp_min(0.0);
    let var_y = (blur(target.clone().square()) - mean_yy.clone()).clamp_min(0.0);
    let covariance = blur(prediction * target) - mean_xy.clone();
    let ssim = (mean_xy * 2.0 + c1) * (covariance * 2.0 + c2) / ((mean_xx + mean_yy + c1) * (var_x + var_y + c2));
    Ok(-ssim.mean() + 1.0)
}

/// `[length, length]`: the Gaussian window along one axis, with the border reflected about its outermost pixel.
fn blur_matrix(length: usize, device: &Device) -> Tensor<2> {
    let offsets = || (0..=2 * RADIUS).map(|i| i as isize - RADIUS as isize);
    let weight = |offset: isize| (-(offset as f64 / SIGMA).powi(2) / 2.0).exp();
    let sum: f64 = offsets().map(weight).sum();
    let mut matrix = vec![0f32; length * length];
    for row in 0..length {
        for offset in offsets() {
            let column = (row as isize + offset).unsigned_abs();
            let column = column.min(2 * (length - 1) - column);
            matrix[row * length + column] += (weight(offset) / sum) as f32;
        }
    }
    Tensor::from_data(TensorData::new(matrix, [length, length]), device)
}
