//! How close a reconstruction is to its original, and a set of images to another.
//!
//! The measures on pixels work on plain slices without a tensor library: planar images (channels,
//! height, width) in any value range, with that range given explicitly as `data_range` (255 for
//! bytes, 1 for 0..1, 2 for -1..1). The measures on sets work on features, a row an image
//! ([`FeatureSet`]), which [`crate::features`] extracts. Sums are kept in f64.
//!
//! [`Metric`] lists them all, [`Protocol`] says what a score is comparable to.

mod bootstrap;
mod feature_set;
mod feature_statistics;
mod frechet;
mod image_scores;
mod inception_score;
mod kid;
mod linear_algebra;
mod ms_ssim;
mod precision_recall;
mod psnr;
mod ssim;
mod statistics_file;

pub use bootstrap::{Interval, interval_around, mean_interval, resample};
pub use feature_set::FeatureSet;
pub use feature_statistics::{FeatureStatistics, FeatureStatisticsSum};
pub use frechet::{FrechetOfRows, frechet, frechet_of_sets};
pub use image_scores::{IMAGE_SSIM, ImageScores, mean_scores, score_clip, score_image};
pub use inception_score::inception_score;
pub use kid::{Kid, KidOptions, kid, mmd2, mmd2_of_rows};
pub use ms_ssim::ms_ssim;
pub use precision_recall::{PrecisionRecall, precision_recall};
pub use psnr::{mae, mse, psnr, psnr_from_mse};
pub use ssim::{SsimConvention, ssim};
pub use statistics_file::{read_statistics, write_statistics};

use crate::{Error, Result};

/// Refuses images of different or no size.
fn check_sizes(x: &[f32], y: &[f32]) -> Result<()> {
    if x.len() != y.len() {
        return Err(Error::InvalidArgument(format!(
            "images of {} and {} values cannot be compared",
            x.len(),
            y.len()
        )));
    }
    if x.is_empty() {
        return Err(Error::InvalidArgument("there are no pixels to compare".into()));
    }
    Ok(())
}

/// Refuses ranges that would make a ratio meaningless.
fn check_range(data_range: f64) -> Result<()> {
    if data_range.is_finite() && data_range > 0.0 {
        Ok(())
    } else {
        Err(Error::InvalidArgument(format!(
            "the data range must be a positive number, not {data_range}"
        )))
    }
}
