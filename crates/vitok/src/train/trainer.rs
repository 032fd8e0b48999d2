//! What changes from step to step.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor};

use super::checkpoint::{About, Checkpoint, tokenizer_of};
use super::step::{batch_of, loss};
use super::{Ema, Losses, Optimizer, TrainConfig};
use crate::config::Plan;
use crate::nn::params;
use crate::pixels::Picture;
use crate::tokenizer::{Network, Tokenizer};
use crate::{Error, Result};

/// A network in training.
#[derive(Debug)]
pub struct Trainer {
    config: TrainConfig,
    plan: Plan,
    /// Where the network is; it differentiates.
    device: Device,
    network: Network,
    optimizer: Optimizer,
    average: Option<Ema>,
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
        let model = Tokenizer::random(config.plan()?, config.seed, &device)?;
        Ok(Self::of(
            config,
            model,
            Optimizer::new(config.optimizer()),
            None,
        ))
    }

    /// Goes on from a checkpoint that was read onto the same device.
    ///
    /// # Errors
    /// [`Error::Input`] if the checkpoint is not of this network.
    pub fn resume(config: &TrainConfig, device: &Device, checkpoint: Checkpoint) -> Result<Self> {
        let device = device.clone().autodiff();
        let Checkpoint {
            about,
            weights,
            average,
            moments,
        } = checkpoint;
        let model = tokenizer_of(&weights, &config.plan()?, &device)?;
        let optimizer = Optimizer::resume(config.optimizer(), about.step, moments)?;
        Ok(Self::of(config, model, optimizer, average))
    }

    /// Of its parts; an average that does not exist yet begins at the weights.
    fn of(
        config: &TrainConfig,
        model: Tokenizer,
        optimizer: Optimizer,
        average: Option<BTreeMap<String, Tensor<1>>>,
    ) -> Self {
        let network = model.network().clone();
        let decay = config.train.ema;
        let average = (decay > 0.0).then(|| {
            let values = average.unwrap_or_else(|| params::values(&network));
            Ema::new(decay, values)
        });
        Self {
            config: config.clone(),
            plan: model.plan().clone(),
            device: model.device().clone(),
            network,
            optimizer,
            average,
        }
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.optimizer.steps()
    }

    /// The network's plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Number of trained values.
    pub fn parameters(&self) -> usize {
        let mut count = 0;
        params::for_each(&self.network, |_, shape, _| {
            count += shape.iter().product::<usize>();
        });
        count
    }

    /// Takes a step on a batch of pictures. The batch is cut into `train.parts`, each on a thread of
    /// its own, and their gradients are summed in order.
    ///
    /// # Errors
    /// [`Error::Input`] if the loss or the gradient is no number, [`Error::Device`] if the device
    /// failed. The trainer is of no use then.
    pub fn step(&mut self, mut pictures: Vec<Picture>) -> Result<Step> {
        let step = self.steps();
        // Pictures of one size come together: a part then meets few and large tensors, and little
        // padding. The order within a batch means nothing.
        pictures.sort_by_key(|p| (p.width(), p.height()));
        let all = pictures.len();
        let parts = pictures.chunks(all.div_ceil(self.config.train.parts.max(1)).max(1));
        let tasks = parts.enumerate().map(|(number, pictures)| {
            // A graph of its own for each part.
            let network = params::update(self.network.clone(), |_, _, value| value);
            let share = pictures.len() as f64 / all as f64;
            let random = [self.config.seed, step, number as u64];
            let (plan, config, device) = (&self.plan, &self.config.loss, &self.device);
            move || -> Result<Part> {
                let batch = batch_of(pictures, plan, device)?;
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
                let panicked = |_| Err(Error::Input("a part of the step panicked".into()));
                worker.join().unwrap_or_else(panicked)
            });
            first.into_iter().chain(others).collect()
        });
        let (losses, gradients) = summed(parts)?;
        if !losses.loss.is_finite() {
            return Err(diverged(&format!(
                "the loss is {} at step {step}",
                losses.loss
            )));
        }
        let lr = self.config.schedule().rate(step);
        let nothing = Network {
            encoder: None,
            decoder: None,
        };
        let network = std::mem::replace(&mut self.network, nothing);
        let (network, gradient_norm) =
            self.optimizer
                .step(network, gradients, lr, self.average.as_mut())?;
        self.network = network;
        if !gradient_norm.is_finite() {
            return Err(diverged(&format!(
                "the gradient is {gradient_norm} at step {step}"
            )));
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
            about: About {
                step: self.steps(),
                seconds,
                config: self.config.clone(),
            },
            weights: params::values(&self.network),
            average: self.average.as_ref().map(|a| a.values().clone()),
            moments: self.optimizer.state().collect(),
        }
    }
}

/// What to do about training that diverged.
pub(super) fn diverged(what: &str) -> Error {
    Error::Input(format!(
        "{what}: training diverged. Go on from a checkpoint with --resume --accept-changes and a \
         smaller train.lr, or clip the gradient (train.clip); where the newest checkpoint is ruined \
         already, remove its folder to go on from the one before"
    ))
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
