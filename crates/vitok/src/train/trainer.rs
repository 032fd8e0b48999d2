//! What changes from step to step.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::checkpoint::{Checkpoint, CheckpointMeta, tokenizer_of};
use super::objective::{batch_of, loss};
use super::{Ema, Losses, Optimizer, TrainConfig};
use crate::media::Clip;
use crate::nn::params;
use crate::tokenizer::vit::ModelConfig;
use crate::tokenizer::vit::{Network, VitTokenizer};
use crate::{Error, Result};

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    model_config: ModelConfig,
    /// Where the network is; it differentiates.
    device: Device,
    network: Network,
    optimizer: Optimizer,
    ema: Option<Ema>,
}

/// What a step did.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// Losses of the batch, before the step.
    pub losses: Losses,
    /// Norm of the gradient before clipping.
    pub gradient_norm: f64,
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
            optimizer: optimizer_state,
        } = checkpoint;
        let model = tokenizer_of(&weights, &config.model_config()?, &device)?;
        let optimizer = Optimizer::resume(config.optimizer(), meta.step, optimizer_state)?;
        Ok(Self::of(config, model, optimizer, ema))
    }

    /// Of its parts; an ema that does not exist yet begins at the weights.
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

    /// Takes a step on a batch of images. The batch is cut into `train.parts`, each on a thread of
    /// its own, and their gradients are summed in order.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the loss or the gradient is no number, [`Error::Device`] if the device
    /// failed. The trainer is of no use then.
    pub fn step(&mut self, mut clips: Vec<Clip>) -> Result<Step> {
        let step = self.steps();
        // Images of one size come together: a part then meets few and large tensors, and little
        // padding. The order within a batch means nothing.
        clips.sort_by_key(|clip| (clip.size().width, clip.size().height));
        let all = clips.len();
        let parts = clips.chunks(all.div_ceil(self.config.train.micro_batches.max(1)).max(1));
        let tasks = parts.enumerate().map(|(number, clips)| {
            // A graph of its own for each part.
            let network = params::update(self.network.clone(), |_, _, value| value);
            let share = clips.len() as f64 / all as f64;
            let random = [self.config.seed, step, number as u64];
            let (plan, config, device) = (&self.model_config, &self.config.loss, &self.device);
            move || -> Result<Part> {
                let batch = batch_of(clips, plan, device)?;
                let (total, losses) = loss(&network, plan, &batch, config, &random)?;
                let gradients = (total * share).backward();
                Ok(Part {
                    share,
                    losses,
                    gradients: params::gradients(&network, &gradients),
                })
            }
        });
        let parts: Vec<Result<Part>> = std::thread::scope(|scope| {
            let (mut tasks, mut workers) = (tasks, Vec::new());
            // The first one stays here: this thread's memory is the best kept one.
            let first = tasks.next();
            workers.extend(tasks.map(|task| scope.spawn(task)));
            let first = first.map(|task| task());
            let others = workers.into_iter().map(|worker| {
                let panicked = |_| Err(Error::Internal("a part of a training step panicked".into()));
                worker.join().unwrap_or_else(panicked)
            });
            first.into_iter().chain(others).collect()
        });
        let (losses, gradients) = summed(parts)?;
        if !losses.loss.is_finite() {
            return Err(Error::Diverged {
                what: format!("the loss is {} at step {step}", losses.loss),
            });
        }
        let lr = self.config.schedule().lr(step);
        let nothing = Network {
            encoder: None,
            decoder: None,
        };
        let network = std::mem::replace(&mut self.network, nothing);
        let (network, gradient_norm) = self.optimizer.step(network, gradients, lr, self.ema.as_mut())?;
        self.network = network;
        if !gradient_norm.is_finite() {
            return Err(Error::Diverged {
                what: format!("the gradient is {gradient_norm} at step {step}"),
            });
        }
        Ok(Step {
            losses,
            gradient_norm,
            lr,
        })
    }

    /// The state, to be written down.
    pub fn checkpoint(&self, seconds: f64) -> Checkpoint {
        Checkpoint {
            meta: CheckpointMeta {
                step: self.steps(),
                seconds,
                config: self.config.clone(),
            },
            weights: params::values(&self.network),
            ema: self.ema.as_ref().map(|a| a.values().clone()),
            optimizer: self.optimizer.state().collect(),
        }
    }
}

/// What came of a part of a batch.
struct Part {
    /// Its share of the batch.
    share: f64,
    losses: Losses,
    /// Already times the share.
    gradients: BTreeMap<String, Tensor<1>>,
}

fn summed(parts: Vec<Result<Part>>) -> Result<(Losses, BTreeMap<String, Tensor<1>>)> {
    let mut losses = Losses::default();
    let mut gradients = BTreeMap::new();
    for part in parts {
        let part = part?;
        losses.add(&part.losses, part.share);
        for (name, gradient) in part.gradients {
            let sum = match gradients.remove(&name) {
                Some(sum) => sum + gradient,
                None => gradient,
            };
            gradients.insert(name, sum);
        }
    }
    Ok((losses, gradients))
}
