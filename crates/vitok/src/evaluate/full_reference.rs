//! Scores of images and clips against their originals.

use std::collections::BTreeMap;

use burn::tensor::Tensor;
use rayon::prelude::*;

use super::metric::Metric;
use crate::Result;
use crate::features::{LPIPS_MIN_SIDE, Lpips};
use crate::media::{Clip, Image, clip_to_tensor};
use crate::metrics::{BYTE_RANGE, mae, mean_over_frames, ms_ssim, mse, psnr_of_frames, ssim_of_frames};

/// The scores of one clip; none for one that is too small for the metric.
pub type PairScores = BTreeMap<Metric, Option<f64>>;

/// An original and the output that is compared with it.
pub type Pair<'a> = (&'a Clip, &'a Clip);

/// Scores clips against their originals; an image is a clip of one frame.
#[derive(Debug)]
pub struct PairScorer {
    metrics: Vec<Metric>,
    networks: Vec<(Metric, Lpips)>,
}

impl PairScorer {
    /// A scorer for these metrics, of which those of sets are left out. A metric on a network needs its network.
    pub fn new(metrics: impl IntoIterator<Item = Metric>, networks: Vec<(Metric, Lpips)>) -> Self {
        let metrics = metrics.into_iter().filter(|m| m.is_full_reference()).collect();
        Self { metrics, networks }
    }

    /// What it scores by.
    pub(super) fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Scores outputs against originals, a result for each pair. Of a clip, errors (MSE, MAE, PSNR) are over all its
    /// pixels and other scores means over its frames.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a pair of different shapes.
    pub fn score(&self, pairs: &[Pair]) -> Vec<Result<PairScores>> {
        let by_pixel = |(original, output): &Pair| {
            original.check_same_shape(output)?;
            let metrics = self.metrics.iter().filter(|m| m.weights().is_empty());
            let scores = metrics.map(|&metric| Ok((metric, score_pixels(metric, original, output)?)));
            scores.collect::<Result<PairScores>>()
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

/// A score that needs no network; none where the frames are too small for its window.
fn score_pixels(metric: Metric, original: &Clip, output: &Clip) -> Result<Option<f64>> {
    let (a, b) = (original.frames(), output.frames());
    match metric {
        Metric::Psnr => psnr_of_frames(a, b).map(Some),
        Metric::Ssim => Ok(ssim_of_frames(a, b)),
        Metric::Mse => mean_over_frames(a, b, |a, b, _| mse(a, b)).map(Some),
        Metric::Mae => mean_over_frames(a, b, |a, b, _| mae(a, b)).map(Some),
        // Its only other error is of frames that are too small.
        Metric::MsSsim => Ok(mean_over_frames(a, b, |a, b, shape| ms_ssim(a, b, shape, BYTE_RANGE)).ok()),
        _ => Ok(None),
    }
}

/// The mean over frames of a perceptual distance, one by one, so that memory does not grow with the clip.
fn perceptual(network: &Lpips, original: &Clip, output: &Clip) -> Result<Option<f64>> {
    if original.size().shortest() < LPIPS_MIN_SIDE {
        return Ok(None);
    }
    let batch = |frame: &Image| -> Tensor<5> { clip_to_tensor(&frame.clone().into(), network.device()).unsqueeze() };
    let mut sum = 0.0;
    for (a, b) in original.frames().iter().zip(output.frames()) {
        let distance = network.distance(batch(a), batch(b))?;
        sum += f64::from(distance.into_scalar::<f32>());
    }
    Ok(Some(sum / original.frames().len() as f64))
}
