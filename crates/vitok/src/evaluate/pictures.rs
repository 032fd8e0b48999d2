//! Scores of a picture against its original, on the bytes a file would hold.

use serde::Serialize;

use super::{SsimConvention, psnr, ssim};
use crate::pixels::Picture;
use crate::{Error, Result};

/// The convention of every SSIM on pictures in this library.
pub const PICTURE_SSIM: SsimConvention = SsimConvention::Torchmetrics;

/// How close a picture is to its original.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PictureScores {
    /// Peak signal-to-noise ratio in dB over all pixels and colours; infinite for equal pictures.
    pub psnr: f64,
    /// SSIM ([`PICTURE_SSIM`]); none for pictures smaller than its window.
    pub ssim: Option<f64>,
}

/// Scores a picture.
///
/// # Errors
/// [`Error::Input`] if the two are not of one size.
pub fn score_picture(original: &Picture, picture: &Picture) -> Result<PictureScores> {
    original.check_size_of(picture)?;
    let [a, b] = [original, picture].map(byte_planes);
    let shape = [3, original.height(), original.width()];
    Ok(PictureScores {
        psnr: psnr(&a, &b, 255.0)?,
        ssim: ssim(&a, &b, shape, 255.0, PICTURE_SSIM).ok(),
    })
}

/// `[3, H, W]`, 0 to 255.
pub fn byte_planes(picture: &Picture) -> Vec<f32> {
    let plane = |c: usize| picture.rgb()[c..].iter().step_by(3).map(|&b| f32::from(b));
    (0..3).flat_map(plane).collect()
}

/// The means over pictures. An infinite PSNR, of an exact reconstruction, makes the mean infinite;
/// pictures without SSIM do not count in its mean.
///
/// # Errors
/// [`Error::Input`] for no pictures.
pub fn mean_scores(scores: &[PictureScores]) -> Result<PictureScores> {
    if scores.is_empty() {
        return Err(Error::Input("there are no pictures to score".into()));
    }
    let structured: Vec<f64> = scores.iter().filter_map(|s| s.ssim).collect();
    Ok(PictureScores {
        psnr: scores.iter().map(|s| s.psnr).sum::<f64>() / scores.len() as f64,
        ssim: (!structured.is_empty())
            .then(|| structured.iter().sum::<f64>() / structured.len() as f64),
    })
}
