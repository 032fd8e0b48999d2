//! PSNR and SSIM of a clip against its original, on the bytes a file would hold: the one definition that evaluation,
//! training and every front end use.

use std::slice;

use serde::Serialize;

use super::{SsimConvention, json_number, mse, psnr_from_mse, ssim};
use crate::media::{Clip, Image, byte_planes};
use crate::{Error, Result};

/// The convention of every SSIM on images in this library.
pub const IMAGE_SSIM: SsimConvention = SsimConvention::Torchmetrics;

/// The range of a byte, as `data_range`.
pub(crate) const BYTE_RANGE: f64 = 255.0;

/// How close an image or clip is to its original.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImageScores {
    /// Peak signal-to-noise ratio in dB over all pixels and colors of all frames; infinite for equal clips.
    #[serde(serialize_with = "json_number::one")]
    pub psnr: f64,
    /// SSIM ([`IMAGE_SSIM`]), -1 to 1, the mean over frames; none for frames with a side under 6 pixels.
    pub ssim: Option<f64>,
}

/// Scores a clip: PSNR over all its pixels, SSIM as the mean over its frames. An image is a clip of one frame.
///
/// # Errors
/// [`Error::InvalidArgument`] if the two are not of one shape.
pub fn score_clip(original: &Clip, output: &Clip) -> Result<ImageScores> {
    original.check_same_shape(output)?;
    score_frames(original.frames(), output.frames())
}

/// [`score_clip`] of a single image.
///
/// # Errors
/// [`Error::InvalidArgument`] if the two are not of one size.
pub fn score_image(original: &Image, output: &Image) -> Result<ImageScores> {
    original.check_size_of(output)?;
    score_frames(slice::from_ref(original), slice::from_ref(output))
}

fn score_frames(original: &[Image], output: &[Image]) -> Result<ImageScores> {
    Ok(ImageScores {
        psnr: psnr_of_frames(original, output)?,
        ssim: ssim_of_frames(original, output),
    })
}

/// PSNR over all pixels in dB: frames are of one size, so the mean of their errors is the error of all pixels.
pub(crate) fn psnr_of_frames(original: &[Image], output: &[Image]) -> Result<f64> {
    psnr_from_mse(mean_over_frames(original, output, |a, b, _| mse(a, b))?, BYTE_RANGE)
}

/// The mean SSIM over frames; none where a side is under 6 pixels, its only error for frames of one size.
pub(crate) fn ssim_of_frames(original: &[Image], output: &[Image]) -> Option<f64> {
    let one = |a: &[f32], b: &[f32], shape| ssim(a, b, shape, BYTE_RANGE, IMAGE_SSIM);
    mean_over_frames(original, output, one).ok()
}

/// The mean over frames of a score of planes `[3, H, W]` of bytes, which comes with that shape. Frames are converted
/// one by one, so that memory does not grow with the clip.
pub(crate) fn mean_over_frames(
    original: &[Image],
    output: &[Image],
    score: impl Fn(&[f32], &[f32], [usize; 3]) -> Result<f64>,
) -> Result<f64> {
    let scores = original
        .iter()
        .zip(output)
        .map(|(a, b)| score(&byte_planes(a), &byte_planes(b), [3, a.height(), a.width()]));
    Ok(scores.sum::<Result<f64>>()? / original.len() as f64)
}

/// The means over clips. An infinite PSNR, of an exact reconstruction, makes the mean infinite; clips without SSIM do
/// not count in its mean.
///
/// # Errors
/// [`Error::InvalidArgument`] for no clips.
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
