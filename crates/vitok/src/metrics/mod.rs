//! How close a reconstruction is to its original, and a set of images to another.
//!
//! - Full-reference metrics compare an image with its original: [`mse`], [`mae`], [`psnr`], [`ssim`], [`ms_ssim`]. They
//!   work on plain slices without a tensor library: planar images (channels, height, width) of any value range, which is
//!   given explicitly as `data_range` (255 for bytes, 1 for 0..1, 2 for -1..1). [`score_clip`] is PSNR and SSIM of a
//!   [`Clip`](crate::media::Clip) as this library always takes them.
//! - Metrics of sets compare features, a row for each image ([`FeatureSet`], extracted by [`crate::features`]):
//!   [`frechet`] (FID on Inception's features), [`kid`], [`precision_recall`], [`inception_score`].
//! - [`mean_interval`], [`interval_of`] and [`interval_around`] say how sure a score is.
//!
//! Sums are kept in f64. [`crate::evaluate`] lists what is scored by name, and by which protocol.

mod bootstrap;
mod checks;
mod clip_scores;
mod feature_set;
mod feature_statistics;
mod frechet;
mod inception_score;
pub(crate) mod json_number;
mod kid;
mod linear_algebra;
mod ms_ssim;
mod precision_recall;
mod psnr;
mod ssim;
mod statistics_file;

pub use bootstrap::{Interval, interval_around, interval_of, mean_interval, resample};
pub(crate) use clip_scores::{BYTE_RANGE, mean_over_frames, psnr_of_frames, ssim_of_frames};
pub use clip_scores::{IMAGE_SSIM, ImageScores, mean_scores, score_clip, score_image};
pub use feature_set::FeatureSet;
pub use feature_statistics::{FeatureStatistics, FeatureStatisticsSum};
pub use frechet::{FrechetOfRows, frechet, frechet_of_sets};
pub use inception_score::inception_score;
pub use kid::{Kid, KidOptions, kid, mmd2, mmd2_of_rows};
pub(crate) use ms_ssim::MIN_SIDE as MS_SSIM_MIN_SIDE;
pub use ms_ssim::ms_ssim;
pub use precision_recall::{PrecisionRecall, precision_recall};
pub use psnr::{mae, mse, psnr, psnr_from_mse};
pub use ssim::{SsimConvention, ssim};
pub use statistics_file::{read_statistics, write_statistics};
