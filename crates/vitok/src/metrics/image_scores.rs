//! Scores of an image against its original, on the bytes a file would hold.

use serde::Serialize;

use super::{SsimConvention, psnr, ssim};
use crate::media::{Clip, Image, byte_planes};
use crate::{Error, Result};

/// The convention of every SSIM on images in this library.
pub const IMAGE_SSIM: SsimConvention = SsimConvention::Torchmetrics;

/// How close an image is to its original.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImageScores {
    /// Peak signal-to-noise ratio in dB over all pixels and colors; infinite for equal images.
    pub psnr: f64,
    /// SSIM ([`IMAGE_SSIM`]); none for images smaller than its window.
    pub ssim: Option<f64>,
}

/// Scores an image.
///
/// # Errors
/// [`Error::InvalidArgument`] if the two are not of one size.
pub fn score_image(original: &Image, image: &Image) -> Result<ImageScores> {
    original.check_size_of(image)?;
    let [a, b] = [original, image].map(byte_planes);
    let shape = [3, original.height(), original.width()];
    Ok(ImageScores {
        psnr: psnr(&a, &b, 255.0)?,
        ssim: ssim(&a, &b, shape, 255.0, IMAGE_SSIM).ok(),
    })
}

/// Scores a clip: PSNR over all pixels of all frames, SSIM as the mean over frames.
///
/// # Errors
/// [`Error::InvalidArgument`] if the two are not of one shape.
pub fn score_clip(original: &Clip, clip: &Clip) -> Result<ImageScores> {
    original.check_same_shape(clip)?;
    let planes = |clip: &Clip| -> Vec<Vec<f32>> { clip.frames().iter().map(byte_planes).collect() };
    let (a, b) = (planes(original), planes(clip));
    let shape = [3, original.size().height, original.size().width];
    let each = a
        .iter()
        .zip(&b)
        .filter_map(|(a, b)| ssim(a, b, shape, 255.0, IMAGE_SSIM).ok());
    let each: Vec<f64> = each.collect();
    Ok(ImageScores {
        psnr: psnr(&a.concat(), &b.concat(), 255.0)?,
        ssim: (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64),
    })
}

/// The means over images. An infinite PSNR, of an exact reconstruction, makes the mean infinite;
/// images without SSIM do not count in its mean.
///
/// # Errors
/// [`Error::InvalidArgument`] for no images.
pub fn mean_scores(scores: &[ImageScores]) -> Result<ImageScores> {
    if scores.is_empty() {
        return Err(Error::InvalidArgument("there are no images to score".into()));
    }
    let structured: Vec<f64> = scores.iter().filter_map(|s| s.ssim).collect();
    Ok(ImageScores {
        psnr: scores.iter().map(|s| s.psnr).sum::<f64>() / scores.len() as f64,
        ssim: (!structured.is_empty()).then(|| structured.iter().sum::<f64>() / structured.len() as f64),
    })
}
