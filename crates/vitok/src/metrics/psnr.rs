//! Mean squared and absolute error, and the peak signal-to-noise ratio (PSNR).

use super::checks::{check_range, check_sizes};
use crate::Result;

/// Mean squared error `Σ (x - y)² / n` over all n values, in squared units of the data.
///
/// `x` and `y` are of one size and in one layout; which layout does not matter. Not-a-number in
/// the data gives not-a-number.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] if the sizes differ or are zero.
pub fn mse(x: &[f32], y: &[f32]) -> Result<f64> {
    mean(x, y, |d| d * d)
}

/// Mean absolute error `Σ |x - y| / n` over all n values, in units of the data; otherwise like [`mse`].
///
/// # Errors
/// [`crate::Error::InvalidArgument`] if the sizes differ or are zero.
pub fn mae(x: &[f32], y: &[f32]) -> Result<f64> {
    mean(x, y, f64::abs)
}

/// Peak signal-to-noise ratio in decibels, `10 log10(data_range² / mse)`; infinite for identical
/// images.
///
/// One ratio over all values given, channels together. The mean over a dataset is a matter of
/// convention: of each image's ratio, or the ratio of the mean [`mse`] ([`psnr_from_mse`]).
///
/// # Errors
/// [`crate::Error::InvalidArgument`] if the sizes differ or are zero, or if the range is not positive.
pub fn psnr(x: &[f32], y: &[f32], data_range: f64) -> Result<f64> {
    psnr_from_mse(mse(x, y)?, data_range)
}

/// [`psnr`] of an error already known, for instance that of a whole dataset.
///
/// # Errors
/// [`crate::Error::InvalidArgument`] if the range is not positive.
pub fn psnr_from_mse(mse: f64, data_range: f64) -> Result<f64> {
    check_range(data_range)?;
    // Division by zero is what we want here: it gives infinity.
    Ok(10.0 * (data_range * data_range / mse).log10())
}

fn mean(x: &[f32], y: &[f32], cost: impl Fn(f64) -> f64) -> Result<f64> {
    check_sizes(x, y)?;
    let sum: f64 = x.iter().zip(y).map(|(&a, &b)| cost(f64::from(a) - f64::from(b))).sum();
    Ok(sum / x.len() as f64)
}
