//! The scores of images and clips against their originals.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::metric::Metric;
use crate::features::{LPIPS_MIN_SIDE, Lpips};
use crate::media::byte_planes;
use crate::media::{Clip, Image, clip_to_tensor};
use crate::metrics::{IMAGE_SSIM, mae, ms_ssim, mse, psnr_from_mse, ssim};
use crate::{Error, Result};

/// The scores of one image or clip; none for one that is too small for the metric.
pub type PairScores = BTreeMap<Metric, Option<f64>>;

/// The frames of an original and of its output.
pub type Pair<'a> = (&'a [Image], &'a [Image]);

/// Scores images and clips against their originals.
#[derive(Debug)]
pub struct PairScorer {
    metrics: Vec<Metric>,
    networks: Vec<(Metric, Lpips)>,
}

impl PairScorer {
    /// One for these metrics, those of sets left out. Metrics on networks come with theirs.
    pub fn new(metrics: impl IntoIterator<Item = Metric>, networks: Vec<(Metric, Lpips)>) -> Self {
        let metrics = metrics.into_iter().filter(|m| m.is_full_reference()).collect();
        Self { metrics, networks }
    }

    /// Scores outputs against originals, a result for each pair: an image is a clip of one frame.
    /// Of a clip errors are means over all its pixels and the other scores means over its frames.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a pair of different sizes or numbers of frames.
    pub fn score(&self, pairs: &[Pair]) -> Vec<Result<PairScores>> {
        let by_pixel = |(original, output): &Pair| {
            check(original, output)?;
            let metrics = self.metrics.iter().filter(|m| m.weights().is_empty());
            metrics
                .map(|&metric| Ok((metric, score_pixels(metric, original, output)?)))
                .collect::<Result<PairScores>>()
        };
        let scores: Vec<Result<PairScores>> = pairs.par_iter().map(by_pixel).collect();
        // The networks use all cores for each pair.
        let with_networks = |(scores, (original, output)): (Result<PairScores>, &Pair)| {
            let mut scores = scores?;
            for (metric, network) in &self.networks {
                scores.insert(*metric, perceptual(network, original, output)?);
            }
            Ok(scores)
        };
        scores.into_iter().zip(pairs).map(with_networks).collect()
    }
}

fn check(original: &[Image], output: &[Image]) -> Result<()> {
    if original.is_empty() || original.len() != output.len() {
        return Err(Error::InvalidArgument(format!(
            "a clip of {} frames cannot be compared with one of {}",
            output.len(),
            original.len()
        )));
    }
    for (original, output) in original.iter().zip(output) {
        original.check_size_of(output)?;
    }
    Ok(())
}

/// Of planes `[3, H, W]` of bytes.
type PixelScore = fn(&[f32], &[f32], [usize; 3]) -> Result<f64>;

fn score_pixels(metric: Metric, original: &[Image], output: &[Image]) -> Result<Option<f64>> {
    let frames = || {
        let pairs = original.iter().zip(output);
        pairs.map(|(a, b)| (byte_planes(a), byte_planes(b), [3, a.height(), a.width()]))
    };
    let mean = |score: PixelScore| -> Result<f64> {
        let scores = frames().map(|(a, b, shape)| score(&a, &b, shape));
        let sum: f64 = scores.sum::<Result<f64>>()?;
        Ok(sum / original.len() as f64)
    };
    match metric {
        // Frames are of one size, so the mean of their errors is the error of all pixels.
        Metric::Psnr => Ok(Some(psnr_from_mse(mean(|a, b, _| mse(a, b))?, 255.0)?)),
        Metric::Mse => Ok(Some(mean(|a, b, _| mse(a, b))?)),
        Metric::Mae => Ok(Some(mean(|a, b, _| mae(a, b))?)),
        // Their only other errors are of images too small for the window.
        Metric::Ssim => Ok(mean(|a, b, shape| ssim(a, b, shape, 255.0, IMAGE_SSIM)).ok()),
        Metric::MsSsim => Ok(mean(|a, b, shape| ms_ssim(a, b, shape, 255.0)).ok()),
        _ => Ok(None),
    }
}

/// Frame by frame, so that memory does not grow with the clip.
fn perceptual(network: &Lpips, original: &[Image], output: &[Image]) -> Result<Option<f64>> {
    if original.iter().any(|f| f.size().shortest() < LPIPS_MIN_SIDE) {
        return Ok(None);
    }
    let mut sum = 0.0;
    for (a, b) in original.iter().zip(output) {
        let batch = |frame: &Image| -> Result<Tensor<5>> {
            Ok(clip_to_tensor(&Clip::from(frame.clone()), network.device()).unsqueeze())
        };
        let distance = network.distance(batch(a)?, batch(b)?)?;
        sum += f64::from(distance.into_scalar::<f32>());
    }
    Ok(Some(sum / original.len() as f64))
}
