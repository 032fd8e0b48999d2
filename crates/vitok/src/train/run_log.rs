//! What happened in a run, one JSON object a line.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Losses, TrainConfig};
use crate::files::write_atomically;
use crate::{Error, Result};

/// Something that happened. `step` counts steps taken.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run begins, or goes on after a stop.
    Start {
        /// Steps taken before.
        step: u64,
        /// What the run is.
        config: Box<TrainConfig>,
        /// Parameters trained.
        parameters: usize,
        /// Images to train on.
        train_images: usize,
        /// Images to evaluate on.
        held_out_images: usize,
    },
    /// A step was taken, every `train.log-every`.
    Step {
        /// Steps taken.
        step: u64,
        /// Losses of the step's batch, before the step.
        #[serde(flatten)]
        losses: Losses,
        /// Norm of the gradient before clipping.
        gradient_norm: f64,
        /// Learning rate.
        lr: f64,
        /// Images a second since the last such event.
        images_per_second: f64,
        /// Seconds of training, all parts of the run together.
        seconds: f64,
    },
    /// An image could not be read; another took its place.
    SkippedSample {
        /// Steps taken.
        step: u64,
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// The held-out images were reconstructed.
    Evaluation {
        /// Steps taken.
        step: u64,
        /// Mean of each image's PSNR on bytes, in dB.
        psnr: f64,
        /// Mean of each image's SSIM on bytes (torchmetrics' convention).
        ssim: Option<f64>,
        /// How many images.
        images: usize,
        /// Side of their squares in pixels.
        size: usize,
    },
    /// A checkpoint was written.
    Checkpoint {
        /// Steps taken.
        step: u64,
        /// Where.
        folder: PathBuf,
    },
    /// The run ended.
    End {
        /// Steps taken.
        step: u64,
        /// Whether all steps were taken; otherwise the run was stopped.
        finished: bool,
        /// Seconds of training.
        seconds: f64,
    },
}

/// The file the events go to.
#[derive(Debug)]
pub struct RunLog {
    path: PathBuf,
}

impl RunLog {
    /// The log of a run that has taken `step` steps: what an interrupted run did after its last
    /// checkpoint is done again, so its events are dropped.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        let path = path.to_owned();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io(&path, "read", e)),
        };
        let counts = |line: &&str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            // A line cut off by a kill is no JSON.
            event["step"].as_u64().is_some_and(|at| at <= step) && event["event"] != "end"
        };
        let kept: Vec<&str> = text.lines().filter(counts).collect();
        if !text.is_empty() {
            write_atomically(&path, |out| kept.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        }
        Ok(Self { path })
    }

    /// Adds an event.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&self, event: &Event) -> Result<()> {
        let mut line = serde_json::to_vec(event)
            .map_err(|e| Error::InvalidArgument(format!("an event cannot be written: {e}")))?;
        line.push(b'\n');
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(&line))
            .map_err(|e| Error::io(&self.path, "write", e))
    }

    /// The events so far.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn read(&self) -> Result<Vec<serde_json::Value>> {
        let text = std::fs::read_to_string(&self.path).map_err(|e| Error::io(&self.path, "read", e))?;
        Ok(text
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect())
    }
}
