//! The training loop.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;

use super::checkpoint::{self, Checkpoint};
use super::data_record::DataRecord;
use super::resume::{Start, starting_point};
use super::run_folder::{RunFolder, data_file};
use super::run_log::{RunLog, read_events};
use super::{StepStats, TrainConfig, TrainEvent, TrainObserver, Trainer, Validation, curve};
use crate::data::{Batch, Loader, LoaderOptions, SkippedSample};
use crate::files::write_atomically;
use crate::media::write_image;
use crate::observe::Event;
use crate::tokenizer::vit::WeightsFormat;
use crate::weights::Dtype;
use crate::{Error, Result};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainOutput {
    /// Steps taken.
    pub step: u64,
    /// True if all steps of the configuration were taken; false if the observer asked to stop.
    pub finished: bool,
}

/// Trains a ViT tokenizer, writing into `folder`: `config.toml`, `data.json`, `events.jsonl`, `checkpoints/`, `samples/`,
/// `curve.svg` and, at the end, `model/`.
///
/// When the observer [asks to stop](crate::observe::Observer::cancelled), the step under way is finished and a checkpoint
/// written. On one CPU, with the same number of threads (however many), a run that was stopped or killed and resumed ends
/// with the same bits in its weights as one that was not.
///
/// # Errors
/// - [`Error::RunExists`] for a folder that holds a run, [`Error::Occupied`] for one that holds something else,
///   [`Error::InUse`] while another process trains in it;
/// - [`Error::NoRun`] for a folder without a run to resume;
/// - [`Error::Config`] and [`Error::Variant`] for an invalid configuration or variant name, [`Error::SettingsChanged`] if
///   it, or the training data, changed since the checkpoint to resume from;
/// - [`Error::Data`] if too much of a dataset cannot be read;
/// - [`Error::Diverged`] if loss or gradient is not finite, or the loss above `train.max_loss`;
/// - [`Error::Device`], [`Error::Weights`], [`Error::Io`] for failures of the device, of a checkpoint's files, of the disk.
///
/// A checkpoint that cannot be written is a warning, and the older ones stay. For the last one it is an error.
pub fn train(
    config: &TrainConfig,
    folder: &Path,
    start: Start,
    device: &Device,
    observer: &dyn TrainObserver,
) -> Result<TrainOutput> {
    config.check()?;
    for warning in config.unused_keys()? {
        observer.event(Event::Warning(&warning));
    }
    let config = &config.resolved()?;
    // Configuration, folder and datasets are checked before anything is written.
    starting_point(config, folder, start)?;
    let (datasets, sampling_weights) = config.data.open(observer)?;
    let data = DataRecord::of(&datasets);
    data.check(&data_file(folder), folder, start)?;
    let validation = Validation::read(config, &datasets, observer)?;

    let mut run = Run::open(config, folder, start, device, validation, observer)?;
    let options = LoaderOptions {
        augment: config.data.augment,
        config: config.data.loader.clone(),
        batch_size: config.train.batch_size,
        patch_size: run.trainer.model_config().tubelet.patch,
        seed: config.seed,
        // A resumed run goes on behind the samples of the steps taken; one that was skipped counts, as its place was taken.
        first_position: run.step() * config.train.batch_size as u64,
    };
    let train_images = datasets.iter().map(|dataset| dataset.samples().len()).sum();
    let mut loader = Loader::start(datasets, &sampling_weights, options)?;
    run.write_config(train_images)?;
    data.write(&data_file(folder))?;

    observer.event(Event::Begin {
        task: &config.model.variant,
        done: run.step(),
        total: config.train.steps,
    });
    let taken = take_steps(&mut run, &mut loader, observer);
    observer.event(Event::End);
    taken?;
    run.finish()
}

/// Takes steps until all are taken or the observer asks to stop.
fn take_steps(run: &mut Run<'_>, loader: &mut Loader, observer: &dyn TrainObserver) -> Result<()> {
    let config = run.config;
    while run.step() < config.train.steps && !observer.cancelled() {
        let started = Instant::now();
        let Batch { clips, skipped } = loader.next_batch().inspect_err(|_| run.save_if_unsaved())?;
        run.log_skipped(skipped);
        // A step or a validation that fails may mean ruined weights, so nothing is saved then.
        let stats = run.trainer.step(clips)?;
        run.count_time(started);

        let step = run.step();
        let due = |every: u64| step.is_multiple_of(every) || step == config.train.steps;
        if due(config.train.log_every) {
            run.log_step(&stats);
        }
        if due(config.train.checkpoint_every) {
            run.save_checkpoint();
        }
        if due(config.validation.every) {
            run.validate()?;
        }
        observer.step(step, &stats);
        observer.event(Event::Progress { done: step, item: "" });
    }
    Ok(())
}

/// A run under way.
struct Run<'a> {
    config: &'a TrainConfig,
    folder: RunFolder,
    trainer: Trainer,
    validation: Validation,
    log: RunLog<'a>,
    /// Seconds spent on batches and steps, in earlier parts of a resumed run too; without validation and checkpoints.
    seconds: f64,
    /// Steps since the last `step` event.
    unlogged_steps: u64,
    /// Seconds of these steps.
    unlogged_seconds: f64,
    /// Step of the newest checkpoint; 0 before the first, as there is nothing to save at step 0.
    saved_step: u64,
}

impl<'a> Run<'a> {
    /// Locks the folder and begins, or goes on from the newest checkpoint.
    fn open(
        config: &'a TrainConfig,
        path: &Path,
        start: Start,
        device: &Device,
        validation: Validation,
        observer: &'a dyn TrainObserver,
    ) -> Result<Self> {
        let folder = RunFolder::lock(path)?;
        // Looked for again, now that no other process changes the folder.
        let (trainer, seconds) = match starting_point(config, path, start)? {
            None => {
                if start != Start::New {
                    let text = format!("{}: no checkpoint yet, so the run begins again", path.display());
                    observer.event(Event::Note(&text));
                }
                (Trainer::new(config, device)?, 0.0)
            }
            Some(checkpoint) => resume(config, device, &checkpoint)?,
        };
        checkpoint::remove_unfinished(path)?;
        Ok(Self {
            log: RunLog::open(folder.events(), trainer.steps(), observer)?,
            config,
            folder,
            validation,
            seconds,
            unlogged_steps: 0,
            unlogged_seconds: 0.0,
            saved_step: trainer.steps(),
            trainer,
        })
    }

    /// Steps taken.
    fn step(&self) -> u64 {
        self.trainer.steps()
    }

    /// Writes the configuration with all defaults, to `config.toml` and as the log's `start` event.
    fn write_config(&mut self, train_images: usize) -> Result<()> {
        self.log.add(&TrainEvent::Start {
            step: self.step(),
            config: Box::new(self.config.clone()),
            parameters: self.trainer.parameters(),
            train_images,
            validation_images: self.validation.count(),
        });
        let text = toml::to_string_pretty(self.config)
            .map_err(|e| Error::Internal(format!("the configuration cannot be written: {e}")))?;
        write_atomically(&self.folder.config(), |out| out.write_all(text.as_bytes()))
    }

    /// Logs the samples that could not be read; their reasons name them.
    fn log_skipped(&mut self, skipped: Vec<SkippedSample>) {
        for SkippedSample { name, reason } in skipped {
            self.log.warn(&reason);
            let step = self.step();
            self.log.add(&TrainEvent::SkippedSample { step, name, reason });
        }
    }

    fn count_time(&mut self, started: Instant) {
        let seconds = started.elapsed().as_secs_f64();
        self.seconds += seconds;
        self.unlogged_steps += 1;
        self.unlogged_seconds += seconds;
    }

    fn log_step(&mut self, stats: &StepStats) {
        let images = std::mem::take(&mut self.unlogged_steps) * self.config.train.batch_size as u64;
        let seconds = std::mem::take(&mut self.unlogged_seconds);
        self.log.add(&TrainEvent::Step {
            step: self.step(),
            losses: stats.losses,
            grad_norm: stats.grad_norm,
            lr: stats.lr,
            images_per_second: images as f64 / seconds,
            seconds: self.seconds,
        });
    }

    /// Scores the model (of the moving average, where there is one) on the validation images, and writes a grid of originals
    /// and reconstructions and the curve of loss and PSNR.
    fn validate(&mut self) -> Result<()> {
        if self.validation.count() == 0 {
            return Ok(());
        }
        let step = self.step();
        let model = self
            .trainer
            .checkpoint(self.seconds)
            .model(self.trainer.model_config())?;
        let (scores, samples) = self.validation.score(&model)?;
        self.log.add(&TrainEvent::Validation {
            step,
            psnr: scores.psnr,
            ssim: scores.ssim,
            images: self.validation.count(),
            size: self.validation.size(),
        });
        if let Some(samples) = samples {
            self.warn_if_failed(write_image(&self.folder.samples(step), &samples));
        }
        self.draw_curve();
        Ok(())
    }

    /// Writes a checkpoint. Failing is a warning: the run goes on, and the older ones are still there.
    fn save_checkpoint(&mut self) {
        let checkpoint = self.trainer.checkpoint(self.seconds);
        if let Err(error) = self.write_checkpoint(&checkpoint) {
            let text = format!("no checkpoint at step {}: {}", self.step(), error.message());
            self.log.warn(&text);
        }
    }

    /// Writes a checkpoint unless there is one of this step.
    fn save_if_unsaved(&mut self) {
        if self.saved_step < self.step() {
            self.save_checkpoint();
        }
    }

    fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<()> {
        let keep_last = self.config.train.keep_last;
        let folder = checkpoint.write(self.folder.path(), self.trainer.model_config(), keep_last)?;
        self.saved_step = self.step();
        self.log.add(&TrainEvent::Checkpoint {
            step: self.step(),
            folder,
        });
        Ok(())
    }

    /// Writes the last checkpoint and, if all steps were taken, the model.
    fn finish(mut self) -> Result<TrainOutput> {
        let step = self.step();
        let finished = step >= self.config.train.steps;
        let last = self.trainer.checkpoint(self.seconds);
        if self.saved_step < step {
            // Failing is an error: the steps since the checkpoint before would be lost.
            self.write_checkpoint(&last)?;
        }
        if finished {
            let model = last.model(self.trainer.model_config())?;
            model.save(&self.folder.model(), WeightsFormat::Vitok, Dtype::F32)?;
        }
        self.log.add(&TrainEvent::End {
            step,
            finished,
            seconds: self.seconds,
        });
        self.draw_curve();
        Ok(TrainOutput { step, finished })
    }

    fn draw_curve(&self) {
        let events = read_events(&self.folder.events());
        self.warn_if_failed(events.and_then(|events| curve::draw(&self.folder.curve(), &events)));
    }

    /// Sample grids and curves are only to look at: failing to write them is a warning.
    fn warn_if_failed(&self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.log.warn(&error.message());
        }
    }
}

/// A trainer with the state of a checkpoint, and the seconds of training before it. A checkpoint that does not fit the
/// configuration's network is an error that names it.
fn resume(config: &TrainConfig, device: &Device, checkpoint: &Path) -> Result<(Trainer, f64)> {
    let state = Checkpoint::read(checkpoint, device)?;
    let seconds = state.meta.seconds;
    let trainer = Trainer::resume(config, device, state).map_err(|error| match error {
        Error::InvalidArgument(reason) => Error::Weights {
            path: checkpoint.to_owned(),
            reason,
        },
        other => other,
    })?;
    Ok((trainer, seconds))
}
