//! One step's loss: images through the network and against themselves.

use burn::tensor::{Device, Tensor, TensorData};
use rand::RngExt;
use rand_distr::StandardNormal;
use serde::Serialize;

use super::LossConfig;
use crate::device::to_host;
use crate::losses::{charbonnier, mse, one_minus_ssim};
use crate::media::{Clip, clip_to_tensor};
use crate::patches::{TokenBatch, patchify, unpatchify_runs};
use crate::rng::generator;
use crate::tokenizer::vit::ModelConfig;
use crate::tokenizer::vit::{Activations, Network};
use crate::{Error, Result};

/// Pixels are in [-1, 1].
const RANGE: f64 = 2.0;

/// SSIM's window does not fit smaller images, which then do not count in it.
const SMALLEST_SSIM: usize = 6;

/// The losses of a step, each before its weight; none where its weight is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Losses {
    /// Their weighted sum.
    pub loss: f64,
    /// Mean squared error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// Charbonnier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charbonnier: Option<f64>,
    /// 1 - SSIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_minus_ssim: Option<f64>,
    /// KL divergence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
}

impl Losses {
    /// Adds `share` times the losses of a part of a batch.
    pub(super) fn add(&mut self, part: &Self, share: f64) {
        let sum = |sum: &mut Option<f64>, part: Option<f64>| {
            if let Some(part) = part {
                *sum = Some(sum.unwrap_or(0.0) + share * part);
            }
        };
        self.loss += share * part.loss;
        sum(&mut self.mse, part.mse);
        sum(&mut self.charbonnier, part.charbonnier);
        sum(&mut self.one_minus_ssim, part.one_minus_ssim);
        sum(&mut self.kl, part.kl);
    }
}

/// Clips as one batch of patches.
///
/// # Errors
/// [`Error::InvalidArgument`] for no clips.
pub fn batch_of(clips: &[Clip], config: &ModelConfig, device: &Device) -> Result<TokenBatch> {
    let tensors: Vec<Tensor<4>> = clips.iter().map(|clip| clip_to_tensor(clip, device)).collect();
    patchify(&tensors, config.tubelet, None)
}

/// The weighted loss of a batch, to go backward from, and its parts. With a KL bottleneck the code
/// is sampled, by a generator of the numbers `random`.
///
/// # Errors
/// [`Error::InvalidArgument`] if the network lacks a half, [`Error::Device`].
pub fn loss(
    network: &Network,
    plan: &ModelConfig,
    batch: &TokenBatch,
    config: &LossConfig,
    random: &[u64],
) -> Result<(Tensor<1>, Losses)> {
    let (Some(encoder), Some(decoder)) = (&network.encoder, &network.decoder) else {
        return Err(Error::InvalidArgument("only a whole model can be trained".into()));
    };
    let device = batch.tokens.device();
    let code = encoder.encode(plan, batch, &mut Activations::off());
    let latents = match &code.posterior {
        Some(posterior) => posterior.sample(noise(posterior.mean.dims(), random, &device)),
        None => code.latents.clone(),
    };
    let found = decoder.decode(plan, &latents, &mut Activations::off());
    let found = unpatchify_runs(&found, plan.tubelet)?;
    let wanted = unpatchify_runs(batch, plan.tubelet)?;

    // Every pixel counts alike in the errors, every image alike in SSIM.
    let [mut squares, mut smooth, mut structure] = [const { Mean::new() }; 3];
    for (found, wanted) in found.into_iter().zip(wanted) {
        let [n, colors, frames, height, width] = found.dims();
        let pixels = found.shape().num_elements();
        let pair = || (found.clone(), wanted.clone());
        if config.mse > 0.0 {
            let (found, wanted) = pair();
            squares.add(mse(found, wanted), pixels);
        }
        if config.charbonnier > 0.0 {
            let (found, wanted) = pair();
            smooth.add(charbonnier(found, wanted, config.charbonnier_eps), pixels);
        }
        if config.ssim > 0.0 && height.min(width) >= SMALLEST_SSIM {
            let frame_by_frame = |x: Tensor<5>| x.swap_dims(1, 2).reshape([n * frames, colors, height, width]);
            let each = one_minus_ssim(frame_by_frame(found), frame_by_frame(wanted), RANGE)?;
            structure.add(each, n * frames);
        }
    }
    let kl = code.posterior.filter(|_| config.kl > 0.0);
    let parts = [
        (config.mse, squares.finish()),
        (config.charbonnier, smooth.finish()),
        (config.ssim, structure.finish()),
        (config.kl, kl.map(|posterior| posterior.kl())),
    ];
    let mut total = None;
    let mut values = [None; 4];
    for ((weight, part), value) in parts.into_iter().zip(&mut values) {
        let Some(part) = part else { continue };
        *value = Some(f64::from(to_host(part.clone())?[0]));
        add(&mut total, part * weight);
    }
    let Some(total) = total else {
        return Err(Error::InvalidArgument(
            "no loss applies to these images: they are too small for SSIM alone".into(),
        ));
    };
    let [mse, charbonnier, one_minus_ssim, kl] = values;
    let losses = Losses {
        loss: f64::from(to_host(total.clone())?[0]),
        mse,
        charbonnier,
        one_minus_ssim,
        kl,
    };
    Ok((total, losses))
}

fn add(sum: &mut Option<Tensor<1>>, term: Tensor<1>) {
    *sum = Some(match sum.take() {
        Some(sum) => sum + term,
        None => term,
    });
}

/// The mean of means that stand for different counts.
struct Mean {
    sum: Option<Tensor<1>>,
    count: usize,
}

impl Mean {
    const fn new() -> Self {
        Self { sum: None, count: 0 }
    }

    fn add(&mut self, mean: Tensor<1>, count: usize) {
        add(&mut self.sum, mean * count as f64);
        self.count += count;
    }

    fn finish(self) -> Option<Tensor<1>> {
        self.sum.map(|sum| sum / self.count as f64)
    }
}

/// The standard normal values that the code of a part is sampled with, the same on every device.
/// The numbers are the run's seed, the step and the part.
pub fn noise(shape: [usize; 3], random: &[u64], device: &Device) -> Tensor<3> {
    let rng = generator("noise", random);
    let values: Vec<f32> = rng.sample_iter(StandardNormal).take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
