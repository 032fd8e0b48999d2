//! The loss of a batch: clips through encoder, bottleneck and decoder, and the result against the clips.

use std::ops::Add;

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
use crate::tokenizer::vit::{Activations, ModelConfig, Network};
use crate::{Error, Result};

/// The span of pixel values, which are in [-1, 1].
const RANGE: f64 = 2.0;

/// Images with a shorter side than this, in pixels, are left out of the SSIM loss: its window does not fit them.
const SMALLEST_SSIM: usize = 6;

/// The value of every loss, before its weight; none where its weight is 0 or it does not apply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Losses {
    /// Their weighted sum.
    pub loss: f64,
    /// Mean squared error, of pixels in [-1, 1].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mse: Option<f64>,
    /// Charbonnier loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charbonnier: Option<f64>,
    /// 1 - SSIM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub one_minus_ssim: Option<f64>,
    /// KL divergence of the posterior from a standard normal, per latent value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
}

impl Losses {
    /// All of them times `factor`.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let scaled = |loss: Option<f64>| loss.map(|loss| loss * factor);
        Self {
            loss: self.loss * factor,
            mse: scaled(self.mse),
            charbonnier: scaled(self.charbonnier),
            one_minus_ssim: scaled(self.one_minus_ssim),
            kl: scaled(self.kl),
        }
    }
}

impl Add for Losses {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let sum = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => Some(a + b),
            (a, b) => a.or(b),
        };
        Self {
            loss: self.loss + other.loss,
            mse: sum(self.mse, other.mse),
            charbonnier: sum(self.charbonnier, other.charbonnier),
            one_minus_ssim: sum(self.one_minus_ssim, other.one_minus_ssim),
            kl: sum(self.kl, other.kl),
        }
    }
}

/// Clips as one batch of patches `[B, N, 3 q p p]`.
///
/// # Errors
/// [`Error::InvalidArgument`] for no clips.
pub fn batch_of(clips: &[Clip], config: &ModelConfig, device: &Device) -> Result<TokenBatch> {
    let tensors: Vec<Tensor<4>> = clips.iter().map(|clip| clip_to_tensor(clip, device)).collect();
    patchify(&tensors, config.tubelet, None)
}

/// The weighted loss of a batch, `[1]`, to differentiate, and its terms. Errors are means over pixels, SSIM is a mean over
/// images, KL over latent values. With a KL bottleneck the decoder gets a sample of the posterior, drawn with
/// [`noise`] of `noise_seed`.
///
/// # Errors
/// [`Error::InvalidArgument`] if the network lacks encoder or decoder; [`Error::Config`] if only SSIM has a weight and no
/// image is large enough for it; [`Error::Device`].
pub fn loss(
    network: &Network,
    model: &ModelConfig,
    batch: &TokenBatch,
    config: &LossConfig,
    noise_seed: &[u64],
) -> Result<(Tensor<1>, Losses)> {
    let (Some(encoder), Some(decoder)) = (&network.encoder, &network.decoder) else {
        return Err(Error::InvalidArgument("training needs both encoder and decoder".into()));
    };
    let device = batch.tokens.device();
    let encoded = encoder.encode(model, batch, &mut Activations::off());
    let latents = match &encoded.posterior {
        Some(posterior) => posterior.sample(noise(posterior.mean.dims(), noise_seed, &device)),
        None => encoded.latents.clone(),
    };
    let decoded = decoder.decode(model, &latents, &mut Activations::off());

    // Clips of one size are one tensor [n, 3, T, H, W].
    let predictions = unpatchify_runs(&decoded, model.tubelet)?;
    let targets = unpatchify_runs(batch, model.tubelet)?;
    let [mut squared, mut absolute, mut structure] = [const { WeightedMean::new() }; 3];
    for (prediction, target) in predictions.into_iter().zip(targets) {
        let [n, colors, frames, height, width] = prediction.dims();
        let pixels = prediction.shape().num_elements();
        let pair = || (prediction.clone(), target.clone());
        if config.mse > 0.0 {
            let (prediction, target) = pair();
            squared.add(mse(prediction, target), pixels);
        }
        if config.charbonnier > 0.0 {
            let (prediction, target) = pair();
            absolute.add(charbonnier(prediction, target, config.charbonnier_eps), pixels);
        }
        if config.ssim > 0.0 && height.min(width) >= SMALLEST_SSIM {
            let images = |x: Tensor<5>| x.swap_dims(1, 2).reshape([n * frames, colors, height, width]);
            let mean = one_minus_ssim(images(prediction), images(target), RANGE)?;
            structure.add(mean, n * frames);
        }
    }
    let kl_weight = config.kl_weight(model.bottleneck).unwrap_or(0.0);
    let posterior = encoded.posterior.filter(|_| kl_weight > 0.0);
    weighted_sum([
        (config.mse, squared.finish()),
        (config.charbonnier, absolute.finish()),
        (config.ssim, structure.finish()),
        (kl_weight, posterior.map(|posterior| posterior.kl())),
    ])
}

/// The sum of (weight, loss) in the order mse, charbonnier, 1 - SSIM, KL, and the values of all.
fn weighted_sum(terms: [(f64, Option<Tensor<1>>); 4]) -> Result<(Tensor<1>, Losses)> {
    let mut total = None;
    let mut values = [None; 4];
    for ((weight, term), value) in terms.into_iter().zip(&mut values) {
        let Some(term) = term else { continue };
        *value = Some(f64::from(to_host(term.clone())?[0]));
        add(&mut total, term * weight);
    }
    let Some(total) = total else {
        return Err(Error::Config {
            origin: "loss".into(),
            reason: "only loss.ssim has a weight, and these images are too small for it".into(),
        });
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

/// The mean over all values, from means over different numbers of them.
struct WeightedMean {
    sum: Option<Tensor<1>>,
    count: usize,
}

impl WeightedMean {
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

/// Standard normal values `[B, N, c]`, the same on every device, which a posterior is sampled with. `seed` is what they
/// depend on; in training the run's seed, the step and the number of the micro-batch.
pub fn noise(shape: [usize; 3], seed: &[u64], device: &Device) -> Tensor<3> {
    let rng = generator("noise", seed);
    let values: Vec<f32> = rng.sample_iter(StandardNormal).take(shape.iter().product()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
