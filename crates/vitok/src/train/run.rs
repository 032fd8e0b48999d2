//! The training loop.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use burn::tensor::Device;

use super::checkpoint::{self, Checkpoint};
use super::{Event, Losses, RunLog, TrainConfig, Trainer, Validation, curve};
use crate::data::{Dataset, Loader};
use crate::files::write_atomically;
use crate::media::{Clip, write_image};
use crate::tokenizer::vit::{VitTokenizer, WeightsFormat};
use crate::weights::Dtype;
use crate::{Error, Result};

/// Locked while a process trains in a folder.
const LOCK: &str = ".lock";

const EVENTS: &str = "events.jsonl";

/// Whether to begin or to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Begin; refuse a folder that holds a run.
    New,
    /// Go on from the newest checkpoint, or begin where there is none.
    Resume {
        /// Go on even though the configuration changed.
        accept_changes: bool,
    },
}

/// Where a run is, after a step.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Steps taken.
    pub step: u64,
    /// Steps of the whole run.
    pub steps: u64,
    /// Losses of the last step.
    pub losses: Losses,
    /// Images of a step.
    pub batch: usize,
}

/// Who watches a run.
pub trait Observer {
    /// Called after every step.
    fn progress(&mut self, progress: &Progress);
    /// Called for every event that goes into the log.
    fn event(&mut self, event: &Event);
    /// Called with what a user should know.
    fn warning(&mut self, text: &str);
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Steps taken.
    pub step: u64,
    /// Whether those are all; otherwise `stop` was set.
    pub finished: bool,
}

/// Trains, writing into the folder `run`: `config.toml`, `events.jsonl`, `checkpoints/`,
/// `samples/`, `curve.svg` and, at the end, `model/`.
///
/// `stop` may be set at any time: the step under way is finished, a checkpoint written, and the run
/// can be resumed. On one machine with one number of compute threads, a run that was stopped or
/// killed and resumed ends with the same bits as one that was not.
///
/// # Errors
/// [`Error::InvalidArgument`] for a folder that holds a run already, for a changed configuration and for a
/// loss that is no longer a number; [`Error::Data`], [`Error::Io`], [`Error::Device`] as they come.
/// A full disk ends a run only where it would lose the result: a checkpoint that cannot be written
/// is a warning, and the older ones stay.
pub fn train(
    config: &TrainConfig,
    run: &Path,
    start: Start,
    device: &Device,
    stop: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Ending> {
    config.check()?;
    // Whatever can be refused is refused before anything is written.
    starting_point(config, run, start)?;
    let (datasets, shares) = config.data.open()?;
    check_sources(config, &datasets, observer)?;
    let (validation, warnings) = Validation::read(config, &datasets)?;
    warnings.iter().for_each(|text| observer.warning(text));
    let _lock = lock(run)?;
    let checkpoint = starting_point(config, run, start)?;
    let mut seconds = 0.0;
    let mut trainer = match &checkpoint {
        None => Trainer::new(config, device)?,
        Some(folder) => {
            let checkpoint = Checkpoint::read(folder, device)?;
            seconds = checkpoint.meta.seconds;
            Trainer::resume(config, device, checkpoint)?
        }
    };
    let train_images = datasets.iter().map(|c| c.samples().len()).sum();
    let mut loader = Loader::start(
        datasets,
        &shares,
        config.data.augment,
        config.data.loader.clone(),
        (config.train.batch_size, trainer.model_config().tubelet.patch),
        (config.seed, trainer.steps() * config.train.batch_size as u64),
    )?;

    checkpoint::remove_unfinished(run)?;
    let log = RunLog::open(&run.join(EVENTS), trainer.steps())?;
    let mut log = LogWriter {
        log,
        failed: false,
        observer,
    };
    log.event(Event::Start {
        step: trainer.steps(),
        config: Box::new(config.clone()),
        parameters: trainer.parameters(),
        train_images,
        held_out_images: validation.count(),
    });
    let text = toml::to_string_pretty(config)
        .map_err(|e| Error::InvalidArgument(format!("the configuration cannot be written: {e}")))?;
    write_atomically(&run.join("config.toml"), |out| out.write_all(text.as_bytes()))?;

    let every = |n: u64, step: u64| step.is_multiple_of(n) || step == config.train.steps;
    let mut saved = trainer.steps();
    let mut since_logged = (0, 0.0);
    while trainer.steps() < config.train.steps && !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let images = match next_batch(&mut loader, trainer.steps(), &mut log) {
            Ok(images) => images,
            Err(error) => {
                // The work so far shall not be lost.
                if saved < trainer.steps() {
                    save(&trainer, seconds, config, run, &mut log);
                }
                return Err(error);
            }
        };
        // What a failed step leaves may be ruined, so that is not saved.
        let done = trainer.step(images)?;
        let step = trainer.steps();
        let took = begun.elapsed().as_secs_f64();
        seconds += took;
        since_logged = (since_logged.0 + 1, since_logged.1 + took);
        if every(config.train.log_every, step) {
            let (steps, took) = since_logged;
            since_logged = (0, 0.0);
            log.event(Event::Step {
                step,
                losses: done.losses,
                gradient_norm: done.gradient_norm,
                lr: done.lr,
                images_per_second: (steps * config.train.batch_size) as f64 / took,
                seconds,
            });
        }
        if every(config.train.checkpoint_every, step) && save(&trainer, seconds, config, run, &mut log) {
            saved = step;
        }
        if every(config.validation.every, step) && validation.count() > 0 {
            let model = trainer.checkpoint(seconds).model(trainer.model_config())?;
            evaluate(&model, &validation, step, run, &mut log)?;
        }
        log.observer.progress(&Progress {
            step,
            steps: config.train.steps,
            losses: done.losses,
            batch: config.train.batch_size,
        });
    }

    let step = trainer.steps();
    let finished = step >= config.train.steps;
    let last = trainer.checkpoint(seconds);
    if saved < step {
        // This one must succeed, or the steps since the one before are lost.
        let folder = last.write(run, trainer.model_config(), config.train.keep_last)?;
        log.event(Event::Checkpoint { step, folder });
    }
    if finished {
        let model = last.model(trainer.model_config())?;
        model.save(&run.join("model"), WeightsFormat::Vitok, Dtype::F32)?;
    }
    log.event(Event::End {
        step,
        finished,
        seconds,
    });
    log.draw(run);
    Ok(Ending { step, finished })
}

/// Makes the folder of a run this process's, for as long as the result is held: two runs in one
/// folder would destroy each other's checkpoints. The system lifts the lock if the process dies.
fn lock(run: &Path) -> Result<File> {
    let failed = |e| Error::io(run, "use as the folder of a run", e);
    std::fs::create_dir_all(run).map_err(failed)?;
    let file = File::create(run.join(LOCK)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InvalidArgument(format!(
            "{}: another process is training in this folder",
            run.display()
        ))),
        // Some network file systems have no locks.
        Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(e)) => Err(failed(e)),
    }
}

/// The checkpoint to go on from, if any.
fn starting_point(config: &TrainConfig, run: &Path, start: Start) -> Result<Option<PathBuf>> {
    let newest = checkpoint::list(run)?.pop();
    let Some((step, folder)) = newest else {
        let is_run = run.join(EVENTS).exists();
        if start == Start::New && is_run {
            return Err(Error::InvalidArgument(format!(
                "{}: holds a run that was ended before its first checkpoint; begin it again with \
                 --resume, or choose another --out",
                run.display()
            )));
        }
        if !run.exists() {
            return Ok(None);
        }
        let entries = std::fs::read_dir(run).map_err(|e| Error::io(run, "read", e))?;
        let others = entries.flatten().any(|entry| entry.file_name() != LOCK);
        if others && !is_run {
            return Err(Error::InvalidArgument(format!(
                "{}: not empty, and no run; choose another --out",
                run.display()
            )));
        }
        return Ok(None);
    };
    let Start::Resume { accept_changes } = start else {
        return Err(Error::InvalidArgument(format!(
            "{}: holds a run at step {step}; go on with --resume, or choose another --out",
            run.display()
        )));
    };
    let before = Checkpoint::meta(&folder)?.config;
    let changes = before.changes(config);
    if config.train.steps < step {
        return Err(Error::InvalidArgument(format!(
            "{}: is at step {step} already, beyond train.steps = {}",
            run.display(),
            config.train.steps
        )));
    }
    if before.model_config()? != config.model_config()? {
        return Err(Error::InvalidArgument(format!(
            "{}: the run is of another network, so it cannot go on: {}",
            run.display(),
            changes.join(", ")
        )));
    }
    if !changes.is_empty() && !accept_changes {
        return Err(Error::InvalidArgument(format!(
            "{}: the configuration changed since step {step}: {}. Undo that to continue the same \
             run, or add --accept-changes to go on with the new values",
            run.display(),
            changes.join(", ")
        )));
    }
    Ok(Some(folder))
}

/// Says what is wrong with the data sets, and refuses those of which too much is missing.
fn check_sources(config: &TrainConfig, datasets: &[Dataset], observer: &mut dyn Observer) -> Result<()> {
    let max_bad = config.data.loader.max_bad_fraction;
    for dataset in datasets {
        for warning in dataset.warnings() {
            observer.warning(warning);
        }
        let (missing, all) = (dataset.missing(), dataset.samples().len());
        if missing as f64 > max_bad * all as f64 {
            return Err(Error::Data {
                name: dataset.name().to_owned(),
                reason: format!(
                    "{missing} of {all} files are missing, more than data.loader.max_bad_fraction = {max_bad} allows"
                ),
            });
        }
    }
    Ok(())
}

fn next_batch(loader: &mut Loader, step: u64, log: &mut LogWriter) -> Result<Vec<Clip>> {
    let (images, bad) = loader.next_batch()?;
    for image in bad {
        log.observer.warning(&image.reason);
        log.event(Event::SkippedSample {
            step,
            name: image.name,
            reason: image.reason,
        });
    }
    Ok(images)
}

fn evaluate(model: &VitTokenizer, validation: &Validation, step: u64, run: &Path, log: &mut LogWriter) -> Result<()> {
    let grid = run.join("samples").join(format!("step-{step:08}.png"));
    let (scores, samples) = validation.score(model)?;
    log.event(Event::Evaluation {
        step,
        psnr: scores.psnr,
        ssim: scores.ssim,
        images: validation.count(),
        size: validation.size(),
    });
    if let Some(samples) = samples {
        log.warn_of(write_image(&grid, &samples));
    }
    log.draw(run);
    Ok(())
}

/// Writes a checkpoint. Failing is a warning: the run goes on, and the older ones are still there.
fn save(trainer: &Trainer, seconds: f64, config: &TrainConfig, run: &Path, log: &mut LogWriter) -> bool {
    let checkpoint = trainer.checkpoint(seconds);
    match checkpoint.write(run, trainer.model_config(), config.train.keep_last) {
        Ok(folder) => {
            let step = trainer.steps();
            log.event(Event::Checkpoint { step, folder });
            true
        }
        Err(error) => {
            let text = format!("no checkpoint at step {}: {error}", trainer.steps());
            log.observer.warning(&text);
            false
        }
    }
}

/// Tells the observer and the log.
struct LogWriter<'a> {
    log: RunLog,
    /// Whether the log could not be written before; said once.
    failed: bool,
    observer: &'a mut dyn Observer,
}

impl LogWriter<'_> {
    fn event(&mut self, event: Event) {
        self.observer.event(&event);
        if let Err(error) = self.log.add(&event)
            && !self.failed
        {
            self.failed = true;
            self.observer.warning(&format!("{error}; training goes on without it"));
        }
    }

    fn draw(&mut self, run: &Path) {
        let drawn = self
            .log
            .read()
            .and_then(|events| curve::draw(&run.join("curve.svg"), &events));
        self.warn_of(drawn);
    }

    /// What only shows how the run goes must not end it.
    fn warn_of(&mut self, outcome: Result<()>) {
        if let Err(error) = outcome {
            self.observer.warning(&error.to_string());
        }
    }
}
