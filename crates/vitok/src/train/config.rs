//! The configuration of a training run, as its TOML file has it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{OptimizerConfig, Schedule};
use crate::data::DataConfig;
use crate::tokenizer::vit::{Bottleneck, ModelConfig, ModelSpec};
use crate::toml_file::read_toml;
use crate::{Error, Result};

/// Weight of the KL divergence with a KL bottleneck (paper, section 2.3).
const DEFAULT_KL: f64 = 1e-3;

/// A training run. `model.variant`, `data.train` and `train.steps` are required. The comments of the fields, of those of
/// the sections too, are the reference in docs/config.md.
///
/// ```toml
/// [model]
/// variant = "S-B/16"
/// [data]
/// train = ["photographs/train.txt"]
/// validation = ["photographs/validation.txt"]
/// [train]
/// steps = 1000
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Decides the initial weights, the order of the data, crops, flips and noise.
    #[serde(default)]
    pub seed: u64,
    /// The network.
    pub model: ModelSpec,
    /// Which images, and how they are prepared.
    pub data: DataConfig,
    /// What is minimized: the sum of these losses, each times its weight. A loss of weight 0 is not computed.
    #[serde(default)]
    pub loss: LossConfig,
    /// Steps, AdamW and its schedule, and what is written when.
    pub train: StepConfig,
    /// Scores and sample images while training.
    #[serde(default)]
    pub validation: ValidationConfig,
}

/// Weights of the losses' sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Weight of the mean squared error, of pixels in [-1, 1].
    pub mse: f64,
    /// Weight of the Charbonnier loss, a smooth absolute error.
    pub charbonnier: f64,
    /// The Charbonnier loss's epsilon: below about this difference it is quadratic.
    pub charbonnier_eps: f64,
    /// Weight of 1 - SSIM.
    pub ssim: f64,
    /// Weight of the KL divergence of the posterior from a standard normal, per latent value. Default: 1e-3 with a KL
    /// bottleneck; without one there is no such loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kl: Option<f64>,
}

impl Default for LossConfig {
    /// The paper's first stage without its perceptual loss (section 2.3).
    fn default() -> Self {
        Self {
            mse: 1.0,
            charbonnier: 0.0,
            charbonnier_eps: 1e-3,
            ssim: 0.0,
            kl: None,
        }
    }
}

impl LossConfig {
    /// The weight of the KL divergence for a model with this bottleneck.
    pub fn kl_weight(&self, bottleneck: Bottleneck) -> Option<f64> {
        (bottleneck == Bottleneck::Kl).then(|| self.kl.unwrap_or(DEFAULT_KL))
    }
}

/// Steps, AdamW and its schedule, and what is written when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct StepConfig {
    /// Optimizer steps of the whole run.
    #[cfg_attr(test, schemars(extend("x-required" = true)))]
    pub steps: u64,
    /// Images of a step.
    pub batch_size: usize,
    /// Micro-batches that a step's batch is cut into, 1 to 256; their gradients are summed. On a CPU each is computed on
    /// a thread of its own, so that more of them use more cores; on other devices one after the other, so that more of
    /// them take less memory. Another number gives slightly different weights: noise and rounding depend on it.
    pub micro_batches: usize,
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Learning rate of the last step: after the warm-up it falls along half a cosine.
    pub min_lr: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: u64,
    /// AdamW's beta1 and beta2.
    pub betas: [f64; 2],
    /// AdamW's epsilon.
    pub eps: f64,
    /// AdamW's decoupled weight decay, of weight matrices only: norms, biases and scales are not decayed.
    pub weight_decay: f64,
    /// Largest norm of the gradient; a larger one is scaled down. 0: no clipping.
    pub grad_clip: f64,
    /// Decay of the exponential moving average of the weights, which is what is validated and saved as the model; 0: no
    /// average.
    pub ema_decay: f64,
    /// A step whose loss is above this ends the run: it diverged. Losses of images are at most about 4 times their weights.
    /// 0: no limit.
    pub max_loss: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Newest checkpoints kept.
    pub keep_last: usize,
    /// Steps between `step` events in the log.
    pub log_every: u64,
}

impl Default for StepConfig {
    /// No steps: how many is for the user to say.
    fn default() -> Self {
        let OptimizerConfig {
            betas,
            eps,
            weight_decay,
            grad_clip,
        } = OptimizerConfig::default();
        Self {
            steps: 0,
            batch_size: 32,
            micro_batches: 1,
            lr: 3e-4,
            min_lr: 0.0,
            warmup_steps: 0,
            betas,
            eps,
            weight_decay,
            grad_clip: grad_clip.unwrap_or(0.0),
            ema_decay: 0.0,
            max_loss: 1000.0,
            checkpoint_every: 500,
            keep_last: 2,
            log_every: 10,
        }
    }
}

/// Scores and sample images while training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Steps between validations.
    pub every: u64,
    /// Validation images are resized and cropped to squares of this many pixels; 0: `data.augment.size`.
    pub size: usize,
    /// Validation images used, the first ones; 0: all.
    pub max_images: usize,
    /// Images in the sample grid, originals above reconstructions; 0: no grid.
    pub samples: usize,
    /// Images of a batch.
    pub batch_size: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            every: 500,
            size: 0,
            max_images: 0,
            samples: 8,
            batch_size: 16,
        }
    }
}

impl TrainConfig {
    /// Reads a TOML file, sets what `overrides` say (`train.lr=3e-4`), and checks the values.
    ///
    /// # Errors
    /// As [`read_toml`] and [`check`](Self::check), naming the file.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let config: Self = read_toml(path, overrides)?;
        config.check().map_err(|error| match error {
            Error::Config { reason, .. } => Error::Config {
                origin: path.display().to_string(),
                reason,
            },
            other => other,
        })?;
        Ok(config)
    }

    /// The network's configuration.
    ///
    /// # Errors
    /// [`Error::Variant`].
    pub fn model_config(&self) -> Result<ModelConfig> {
        ModelConfig::resolve(&self.model)
    }

    /// The same configuration with what it left to the model's family spelled out, and without what has no effect on this
    /// model: complete, whatever the defaults of a later version are.
    ///
    /// # Errors
    /// [`Error::Variant`].
    pub fn resolved(&self) -> Result<Self> {
        let model = self.model_config()?;
        Ok(Self {
            loss: LossConfig {
                kl: self.loss.kl_weight(model.bottleneck),
                ..self.loss
            },
            model: model.spec(),
            ..self.clone()
        })
    }

    /// Side in pixels of the squares that validation images become.
    pub fn validation_size(&self) -> usize {
        match self.validation.size {
            0 => self.data.augment.size,
            size => size,
        }
    }

    pub(super) fn optimizer(&self) -> OptimizerConfig {
        OptimizerConfig {
            betas: self.train.betas,
            eps: self.train.eps,
            weight_decay: self.train.weight_decay,
            grad_clip: (self.train.grad_clip > 0.0).then_some(self.train.grad_clip),
        }
    }

    pub(super) fn schedule(&self) -> Schedule {
        Schedule {
            peak: self.train.lr,
            min_lr: self.train.min_lr,
            warmup_steps: self.train.warmup_steps,
            steps: self.train.steps,
        }
    }
}
