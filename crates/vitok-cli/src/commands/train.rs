//! `vitok train`

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use vitok::observe::{Event, Observer};
use vitok::train::{Start, StepStats, TrainConfig, TrainEvent, TrainObserver, train};

use super::Outcome;
use crate::args::TrainArgs;
use crate::interrupt;
use crate::terminal::{self, Terminal};

pub fn run(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let config = TrainConfig::read(&args.config, &args.set)?;
    let folder = match &args.out {
        Some(out) => out.clone(),
        None => default_folder(&args.config)?,
    };
    let start = match args.resume {
        false => Start::New,
        true => Start::Resume {
            accept_changes: args.accept_changes,
        },
    };
    let device = vitok::open_device(args.device.name())?;
    let watcher = Watcher {
        terminal: Terminal::new(),
        json: args.json,
        begun: AtomicBool::new(false),
    };
    let output = train(&config, &folder, start, &device, &watcher);
    watcher.terminal.bar().finish_and_clear();
    let set: String = (args.set.iter()).map(|change| format!(" --set '{change}'")).collect();
    let resume = format!(
        "resume with: vitok train {} --out {}{set} --resume",
        args.config.display(),
        folder.display()
    );
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            terminal::error(&terminal::describe(&error.into()));
            if watcher.begun.load(Ordering::Relaxed) {
                terminal::note(&format!("when that is mended, {resume}"));
            }
            return Ok(Outcome::Failures);
        }
    };
    if !output.finished {
        terminal::note(&format!(
            "stopped after step {} of {}; {resume}",
            output.step, config.train.steps
        ));
        return Ok(Outcome::Stopped);
    }
    if !args.json {
        let folder = folder.display();
        terminal::line(&format!(
            "model: {folder}/model; curve: {folder}/curve.svg; samples: {folder}/samples/"
        ))?;
    }
    Ok(Outcome::Done)
}

/// `runs/NAME` for `NAME.toml`.
fn default_folder(config: &Path) -> anyhow::Result<PathBuf> {
    let name = config.file_stem().context("the config has no name")?;
    Ok(Path::new("runs").join(name))
}

/// Prints what happens in a run, beside the progress bar.
struct Watcher {
    terminal: Terminal,
    json: bool,
    /// Whether the run has begun: what went wrong before left nothing behind.
    begun: AtomicBool,
}

impl Watcher {
    fn say(&self, text: &str) {
        self.terminal.bar().suspend(|| {
            let _ = terminal::line(text);
        });
    }
}

impl Observer for Watcher {
    fn event(&self, event: Event<'_>) {
        self.terminal.event(event);
    }

    fn cancelled(&self) -> bool {
        self.terminal.cancelled()
    }
}

impl TrainObserver for Watcher {
    fn train_event(&self, event: &TrainEvent) {
        self.begun.store(true, Ordering::Relaxed);
        // From here on there is something to save.
        interrupt::stop_gracefully();
        if self.json {
            if let Ok(text) = serde_json::to_string(event) {
                self.say(&text);
            }
            return;
        }
        match event {
            TrainEvent::Start {
                step,
                parameters,
                train_images,
                validation_images,
                config,
            } => {
                let begun = match step {
                    0 => String::new(),
                    step => format!("resuming at step {step}: "),
                };
                self.say(&format!(
                    "{begun}{}, {} parameters, {train_images} images to train on, {validation_images} held out, \
                     {} steps of {}",
                    config.model.variant,
                    terminal::count(*parameters as u64),
                    config.train.steps,
                    config.train.batch_size,
                ));
            }
            TrainEvent::Validation { step, psnr, ssim, .. } => {
                let ssim = ssim.map_or(String::new(), |ssim| format!(", SSIM {ssim:.4}"));
                self.say(&format!("step {step}: held-out PSNR {psnr:.2} dB{ssim}"));
            }
            // Where no bar is drawn (a log file), say something now and then.
            TrainEvent::Step {
                step,
                losses,
                images_per_second,
                ..
            } if self.terminal.bar().is_hidden() => {
                self.say(&format!(
                    "step {step}: loss {:.5}, {images_per_second:.1} images/s",
                    losses.loss
                ));
            }
            _ => {}
        }
    }

    fn step(&self, _: u64, stats: &StepStats) {
        self.terminal
            .bar()
            .set_message(format!("loss {:.5}", stats.losses.loss));
    }
}
