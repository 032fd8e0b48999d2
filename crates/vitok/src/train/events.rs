//! What happens in a run, for its log and for who watches it.

use std::path::PathBuf;

use serde::Serialize;

use super::{Losses, StepStats, TrainConfig};
use crate::observe::{Observer, Silent};

/// Watches a training run. Warnings come as [`Event::Warning`](crate::observe::Event::Warning), progress as `Begin`,
/// `Progress` and `End` in steps; what else there is to know comes here. All methods have a default that does nothing.
pub trait TrainObserver: Observer {
    /// Called with every line of the run's log.
    fn train_event(&self, event: &TrainEvent) {
        let _ = event;
    }

    /// Called after every step; `step` counts the steps taken.
    fn step(&self, step: u64, stats: &StepStats) {
        let _ = (step, stats);
    }
}

impl TrainObserver for Silent {}

/// An event of a run, a line of its `events.jsonl`: `{"event": "step", "step": 10, "loss": …}`. `step` counts the steps
/// taken before it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TrainEvent {
    /// The run begins, or goes on after a stop.
    Start {
        /// Steps taken.
        step: u64,
        /// Its configuration, with all defaults.
        config: Box<TrainConfig>,
        /// Number of trained values.
        parameters: usize,
        /// Images to train on.
        train_images: usize,
        /// Images to validate on.
        validation_images: usize,
    },
    /// A step was taken; once every `train.log_every` steps.
    Step {
        /// Steps taken.
        step: u64,
        /// Losses of the step's batch, before the step.
        #[serde(flatten)]
        losses: Losses,
        /// Norm of the gradient before clipping.
        grad_norm: f64,
        /// Learning rate.
        lr: f64,
        /// Images a second since the last such event.
        images_per_second: f64,
        /// Seconds of training, all parts of an interrupted run together.
        seconds: f64,
    },
    /// A sample could not be read; another one took its place.
    SkippedSample {
        /// Steps taken.
        step: u64,
        /// The sample's name: a path, or `SHARD.tar/ENTRY`.
        name: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// The validation images were reconstructed and scored.
    Validation {
        /// Steps taken.
        step: u64,
        /// Mean over the images of PSNR on bytes, in dB.
        psnr: f64,
        /// Mean over the images of SSIM on bytes (torchmetrics' convention); none if they are too small for it.
        ssim: Option<f64>,
        /// Number of images.
        images: usize,
        /// Side of their squares in pixels.
        size: usize,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps taken.
        step: u64,
        /// Its folder.
        folder: PathBuf,
    },
    /// The run ended.
    End {
        /// Steps taken.
        step: u64,
        /// Whether these are all; otherwise the run was stopped.
        finished: bool,
        /// Seconds of training.
        seconds: f64,
    },
}
