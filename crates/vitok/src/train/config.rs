//! What a run is, as its TOML file says.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{OptimizerConfig, Schedule};
use crate::data::{Augment, Dataset, LoaderConfig};
use crate::tokenizer::vit::{ModelConfig, ModelSpec};
use crate::toml_file::read_toml;
use crate::{Error, Result};

/// A training run. `model.variant`, `data.train` and `train.steps` are required.
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
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Decides initial weights, data order, crops and noise.
    #[serde(default)]
    pub seed: u64,
    /// The network.
    pub model: ModelSpec,
    /// The images.
    pub data: DataConfig,
    /// What is minimized.
    #[serde(default)]
    pub loss: LossConfig,
    /// How.
    pub train: StepConfig,
    /// How it is watched.
    #[serde(default)]
    pub validation: ValidationConfig,
}

/// Which images, and how they are prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Data sets to train on, as [`Dataset::open`] takes them.
    pub train: Vec<DataSource>,
    /// Data sets to evaluate on; none of their images may be in `train`.
    #[serde(default)]
    pub validation: Vec<String>,
    /// Crops and flips.
    #[serde(default)]
    pub augment: Augment,
    /// Threads and memory.
    #[serde(default)]
    pub loader: LoaderConfig,
}

/// A data set, and how much of the mixture it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected the path of a data set, or { path = \"…\", weight = 1.0 }"
)]
pub enum DataSource {
    /// With a share as large as it has images.
    Path(String),
    /// With a share given.
    Weighted(WeightedSource),
}

/// A data set with its share of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightedSource {
    /// The data set.
    pub path: String,
    /// Its share, relative to the others'.
    pub weight: f64,
}

impl DataSource {
    /// The data set.
    pub fn path(&self) -> &str {
        match self {
            DataSource::Path(path) => path,
            DataSource::Weighted(source) => &source.path,
        }
    }
}

impl DataConfig {
    /// Opens the data sets to train on. The shares are those given, or the numbers of images.
    ///
    /// # Errors
    /// As [`Dataset::open`]; [`Error::InvalidArgument`] if only some have a share.
    pub fn open(&self) -> Result<(Vec<Dataset>, Vec<f64>)> {
        let shared = |source: &&DataSource| matches!(source, DataSource::Weighted(_));
        let count = self.train.iter().filter(shared).count();
        if count > 0 && count < self.train.len() {
            return Err(Error::InvalidArgument(
                "data.train: give every data set a share, or none".into(),
            ));
        }
        let mut datasets = Vec::new();
        let mut shares = Vec::new();
        for source in &self.train {
            let dataset = Dataset::open(source.path())?;
            shares.push(match source {
                DataSource::Path(_) => dataset.samples().len() as f64,
                DataSource::Weighted(source) => source.weight,
            });
            datasets.push(dataset);
        }
        Ok((datasets, shares))
    }
}

/// Weights of the losses' sum.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossConfig {
    /// Mean squared error, pixels in [-1, 1].
    pub mse: f64,
    /// Charbonnier, a smooth absolute error.
    pub charbonnier: f64,
    /// Its rounding about 0.
    pub charbonnier_eps: f64,
    /// 1 - SSIM.
    pub ssim: f64,
    /// KL divergence of the code from a standard normal; nothing without a KL bottleneck.
    pub kl: f64,
}

impl Default for LossConfig {
    /// The paper's first stage without its perceptual loss (section 2.3).
    fn default() -> Self {
        Self {
            mse: 1.0,
            charbonnier: 0.0,
            charbonnier_eps: 1e-3,
            ssim: 0.0,
            kl: 1e-3,
        }
    }
}

/// Steps, rates and what is written when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StepConfig {
    /// Steps of the whole run.
    pub steps: u64,
    /// Images of a step.
    pub batch_size: usize,
    /// Parts a step's batch is cut into, each computed on a thread of its own. More use more cores;
    /// the sums are rounded otherwise, so another number gives (slightly) other weights.
    pub micro_batches: usize,
    /// Learning rate after the warm-up.
    pub lr: f64,
    /// Learning rate of the last step.
    pub min_lr: f64,
    /// Steps of warm-up.
    pub warmup_steps: u64,
    /// AdamW's betas.
    pub betas: [f64; 2],
    /// AdamW's epsilon.
    pub eps: f64,
    /// Decay of weight matrices; norms, biases and scales are not decayed.
    pub weight_decay: f64,
    /// Largest norm of the gradient; 0 does not clip.
    pub grad_clip: f64,
    /// Decay of the moving average of the weights, which is what is evaluated and saved as the
    /// model; 0 has none.
    pub ema_decay: f64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Checkpoints kept.
    pub keep_last: usize,
    /// Steps between lines of the log.
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
            checkpoint_every: 500,
            keep_last: 2,
            log_every: 10,
        }
    }
}

/// Scores and samples while training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Steps between evaluations.
    pub every: u64,
    /// Held-out images are resized and cropped to squares of this many pixels; 0 is the
    /// augmentation's size.
    pub size: usize,
    /// Held-out images scored, the first ones; 0 all.
    pub max_images: usize,
    /// Images in the sample grid.
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
    /// Reads a TOML file and sets what `overrides` say (`train.lr=3e-4`).
    ///
    /// # Errors
    /// As [`read_toml`] and [`check`](Self::check).
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self> {
        let config: Self = read_toml(path, overrides)?;
        config.check().map_err(|error| match error {
            Error::InvalidArgument(reason) => Error::Config {
                origin: path.display().to_string(),
                reason,
            },
            other => other,
        })?;
        Ok(config)
    }

    /// Whether the numbers make sense.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] naming the key, [`Error::Variant`].
    pub fn check(&self) -> Result<()> {
        let model = self.model_config()?;
        self.data.augment.check()?;
        let (train, loss) = (&self.train, &self.loss);
        let not_negative = |x: f64| x.is_finite() && x >= 0.0;
        let weights = [loss.mse, loss.charbonnier, loss.ssim, loss.kl];
        let rules = [
            (!self.data.train.is_empty(), "data.train names no data set"),
            (
                model.tubelet.frames == 1,
                "model.variant: images have one frame, so tubelets of one frame are needed",
            ),
            (train.steps > 0, "train.steps must be at least 1"),
            (
                (1..=1 << 20).contains(&train.batch_size),
                "train.batch_size must be 1 to 1048576",
            ),
            (
                (1..=256).contains(&train.micro_batches),
                "train.micro_batches must be 1 to 256",
            ),
            (train.lr > 0.0 && train.lr.is_finite(), "train.lr must be above 0"),
            (not_negative(train.min_lr), "train.min_lr must not be negative"),
            (
                train.betas.iter().all(|b| (0.0..1.0).contains(b)),
                "train.betas must be from 0 up to, but not, 1",
            ),
            (train.eps > 0.0 && train.eps.is_finite(), "train.eps must be above 0"),
            (
                not_negative(train.weight_decay),
                "train.weight_decay must not be negative",
            ),
            (not_negative(train.grad_clip), "train.grad_clip must not be negative"),
            (
                (0.0..1.0).contains(&train.ema_decay),
                "train.ema_decay must be from 0 up to, but not, 1",
            ),
            (
                train.checkpoint_every > 0 && train.log_every > 0 && self.validation.every > 0,
                "train.checkpoint_every, train.log_every and validation.every must be at least 1",
            ),
            (train.keep_last > 0, "train.keep_last must be at least 1"),
            (
                self.validation.batch_size > 0,
                "validation.batch_size must be at least 1",
            ),
            (
                weights.iter().all(|w| not_negative(*w)),
                "the weights of loss must not be negative",
            ),
            (
                loss.mse + loss.charbonnier + loss.ssim > 0.0,
                "one of loss.mse, loss.charbonnier and loss.ssim must be above 0",
            ),
            (
                loss.charbonnier_eps > 0.0 && loss.charbonnier_eps.is_finite(),
                "loss.charbonnier_eps must be above 0",
            ),
            (
                (0.0..=1.0).contains(&self.data.loader.max_bad_fraction),
                "data.loader.max_bad_fraction is a share, from 0 to 1",
            ),
        ];
        match rules.iter().find(|(holds, _)| !holds) {
            Some((_, rule)) => Err(Error::InvalidArgument((*rule).to_owned())),
            None => Ok(()),
        }
    }

    /// The network's plan.
    ///
    /// # Errors
    /// [`Error::Variant`].
    pub fn model_config(&self) -> Result<ModelConfig> {
        ModelConfig::resolve(&self.model)
    }

    /// Side of the squares that validation images become.
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

    /// Where `other` differs in what decides the weights, as `key: old -> new`.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        /// These only say how the run is watched and how fast it goes.
        const FREE: [&str; 10] = [
            "data.validation",
            "data.loader.workers",
            "data.loader.prefetch",
            "data.loader.cache_mib",
            "data.loader.max_bad_fraction",
            "data.loader.max_pixels",
            "train.checkpoint_every",
            "train.keep_last",
            "train.log_every",
            "validation",
        ];
        let [old, new] = [self, other].map(|c| serde_json::to_value(c).unwrap_or_default());
        let mut found = Vec::new();
        differences("", &old, &new, &mut found);
        found.retain(|(key, _)| {
            let free = |free: &str| key == free || key.starts_with(&format!("{free}."));
            !FREE.iter().any(|f| free(f))
        });
        found
            .into_iter()
            .map(|(key, change)| format!("{key}: {change}"))
            .collect()
    }
}

fn differences(key: &str, old: &serde_json::Value, new: &serde_json::Value, found: &mut Vec<(String, String)>) {
    let nothing = serde_json::Value::Null;
    if let (Some(a), Some(b)) = (old.as_object(), new.as_object()) {
        let names: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
        for name in names {
            let key = match key {
                "" => name.clone(),
                key => format!("{key}.{name}"),
            };
            let [a, b] = [a, b].map(|side| side.get(name).unwrap_or(&nothing));
            differences(&key, a, b, found);
        }
    } else if old != new {
        found.push((key.to_owned(), format!("{old} -> {new}")));
    }
}
