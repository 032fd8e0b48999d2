//! What changes from step to step: the network, the optimizer's state and the moving average of the weights.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::checkpoint::{Checkpoint, CheckpointMeta, tokenizer_of};
use super::micro_batch::{GradientContext, Gradients, micro_batches};
use super::{Ema, Losses, Optimizer, TrainConfig};
use crate::device::is_cpu;
use crate::media::Clip;
use crate::nn::params;
use crate::tokenizer::vit::{ModelConfig, Network, VitTokenizer};
use crate::{Error, Result};

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    model_config: ModelConfig,
    /// Where the network is; with autodiff.
    device: Device,
    network: Network,
    optimizer: Optimizer,
    ema: Option<Ema>,
}

/// Figures of a step.
#[derive(Clone, Copy, Debug)]
pub struct StepStats {
    /// Losses of the batch, before the step.
    pub losses: Losses,
    /// Norm of the gradient before clipping.
    pub grad_norm: f64,
    /// Learning rate.
    pub lr: f64,
}

impl Trainer {
    /// A network with initial weights.
    ///
    /// # Errors
    /// [`Error::Variant`].
    pub fn new(config: &TrainConfig, device: &Device) -> Result<Self> {
        let device = device.clone().autodiff();
        let model = VitTokenizer::random(config.model_config()?, config.seed, &device)?;
        Ok(Self::of(config, model, Optimizer::new(config.optimizer()), None))
    }

    /// Goes on from a checkpoint that was read onto the same device.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the checkpoint is not of this network.
    pub fn resume(config: &TrainConfig, device: &Device, checkpoint: Checkpoint) -> Result<Self> {
        let device = device.clone().autodiff();
        let Checkpoint {
            meta,
            weights,
            ema,
            optimizer: state,
        } = checkpoint;
        let model = tokenizer_of(&weights, &config.model_config()?, &device)?;
        let optimizer = Optimizer::resume(config.optimizer(), meta.step, state)?;
        Ok(Self::of(config, model, optimizer, ema))
    }

    /// A moving average that does not exist yet begins at the weights.
    fn of(
        config: &TrainConfig,
        model: VitTokenizer,
        optimizer: Optimizer,
        ema: Option<BTreeMap<String, Tensor<1>>>,
    ) -> Self {
        let network = model.network().clone();
        let decay = config.train.ema_decay;
        let ema = (decay > 0.0).then(|| {
            let values = ema.unwrap_or_else(|| params::values(&network));
            Ema::new(decay, values)
        });
        Self {
            config: config.clone(),
            model_config: model.config().clone(),
            device: model.device().clone(),
            network,
            optimizer,
            ema,
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// What the network is built from.
    pub fn model_config(&self) -> &ModelConfig {
        &self.model_config
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        let mut count = 0;
        params::for_each(&self.network, |_, shape, _| {
            count += shape.iter().product::<usize>();
        });
        count
    }

    /// Takes a step on a batch: cuts it into `train.micro_batches` pieces, sums their gradients, and moves weights and
    /// moving average.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no clips. [`Error::Diverged`] if the loss or the gradient is not finite, or the loss
    /// above its limit, [`Error::Device`] if the device failed, [`Error::Internal`] for a panic: the trainer is of no use then.
    pub fn step(&mut self, clips: Vec<Clip>) -> Result<StepStats> {
        let step = self.steps();
        let micro_batches = micro_batches(clips, self.config.train.micro_batches);
        let context = GradientContext {
            network: &self.network,
            model: &self.model_config,
            loss: &self.config.loss,
            device: &self.device,
            seed: self.config.seed,
            step,
        };
        let Gradients { losses, gradients } = context.sum(&micro_batches, is_cpu(&self.device))?;
        check_finite("loss", losses.loss, step)?;
        check_limit(losses.loss, self.config.train.max_loss, step)?;

        let lr = self.config.schedule().lr(step);
        let empty = Network {
            encoder: None,
            decoder: None,
        };
        // Moved out, so that the optimizer owns the weights and need not copy them.
        let network = std::mem::replace(&mut self.network, empty);
        let (network, grad_norm) = self.optimizer.step(network, gradients, lr, self.ema.as_mut())?;
        self.network = network;
        check_finite("gradient", grad_norm, step)?;
        Ok(StepStats { losses, grad_norm, lr })
    }

    /// The state after the steps so far, to be written down. `seconds` is how long they took.
    pub fn checkpoint(&self, seconds: f64) -> Checkpoint {
        Checkpoint {
            meta: CheckpointMeta {
                step: self.steps(),
                seconds,
                config: self.config.clone(),
            },
            weights: params::values(&self.network),
            ema: self.ema.as_ref().map(|ema| ema.values().clone()),
            optimizer: self.optimizer.state().collect(),
        }
    }
}

fn check_finite(what: &str, value: f64, step: u64) -> Result<()> {
    match value.is_finite() {
        true => Ok(()),
        false => Err(Error::Diverged {
            what: format!("the {what} is {value} at step {step}"),
        }),
    }
}

/// Whether a loss is within `train.max_loss`.
fn check_limit(loss: f64, limit: f64, step: u64) -> Result<()> {
    match limit > 0.0 && loss > limit {
        true => Err(Error::Diverged {
            what: format!("the loss is {loss} at step {step}, above train.max_loss = {limit}"),
        }),
        false => Ok(()),
    }
}
