//! How close a reconstruction is to its original, measured on the pixels.
//!
//! The measures work on plain slices without a tensor library: planar pictures (channels,
//! height, width) in any value range, with that range given explicitly as `data_range` (255 for
//! bytes, 1 for 0..1, 2 for -1..1). Sums are kept in f64.

mod pictures;
mod psnr;
mod ssim;

pub use pictures::{PICTURE_SSIM, PictureScores, byte_planes, mean_scores, score_picture};
pub use psnr::{mae, mse, psnr, psnr_from_mse};
pub use ssim::{SsimConvention, ssim};

use crate::{Error, Result};

/// Refuses pictures of different or no size.
fn check_sizes(x: &[f32], y: &[f32]) -> Result<()> {
    if x.len() != y.len() {
        return Err(Error::Input(format!(
            "pictures of {} and {} values cannot be compared",
            x.len(),
            y.len()
        )));
    }
    if x.is_empty() {
        return Err(Error::Input("there are no pixels to compare".into()));
    }
    Ok(())
}

/// Refuses ranges that would make a ratio meaningless.
fn check_range(data_range: f64) -> Result<()> {
    if data_range.is_finite() && data_range > 0.0 {
        Ok(())
    } else {
        Err(Error::Input(format!(
            "the data range must be a positive number, not {data_range}"
        )))
    }
}
