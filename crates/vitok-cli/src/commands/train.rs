//! `vitok train`

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use vitok::train::{Event, Observer, Progress, Start, TrainConfig, train};

use crate::args::TrainArgs;
use crate::{interrupt, output};

pub fn run(args: &TrainArgs) -> anyhow::Result<bool> {
    let config = TrainConfig::read(&args.config, &args.set)?;
    let run = match &args.out {
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
    let mut watcher = Watcher {
        bar: ProgressBar::hidden(),
        json: args.json,
        begun: false,
        score: String::new(),
    };
    let stop = interrupt::flag();
    let ending = train(&config, &run, start, &device, stop, &mut watcher);
    watcher.bar.finish_and_clear();
    let folder = run.display();
    let set: String = (args.set.iter())
        .map(|change| format!(" --set '{change}'"))
        .collect();
    let go_on = format!(
        "go on with: vitok train {} --out {folder}{set} --resume",
        args.config.display()
    );
    let ending = match ending {
        Ok(ending) => ending,
        Err(error) => {
            output::error(&error.to_string());
            if watcher.begun {
                output::note(&format!("when that is mended, {go_on}"));
            }
            return Ok(false);
        }
    };
    if !ending.finished {
        output::note(&format!(
            "stopped after step {} of {}; {go_on}",
            ending.step, config.train.steps
        ));
        std::process::exit(interrupt::EXIT_CODE);
    }
    if !args.json {
        output::line(&format!(
            "model: {folder}/model; curve: {folder}/curve.svg; samples: {folder}/samples/"
        ))?;
    }
    Ok(true)
}

/// `runs/NAME` for `NAME.toml`.
fn default_folder(config: &Path) -> anyhow::Result<PathBuf> {
    let name = config.file_stem().context("the config has no name")?;
    Ok(Path::new("runs").join(name))
}

struct Watcher {
    bar: ProgressBar,
    json: bool,
    /// Whether the run has begun: what went wrong before left nothing behind.
    begun: bool,
    /// The newest held-out score.
    score: String,
}

impl Watcher {
    fn say(&self, text: &str) {
        self.bar.suspend(|| {
            let _ = output::line(text);
        });
    }
}

impl Observer for Watcher {
    fn progress(&mut self, progress: &Progress) {
        if self.bar.is_hidden() && self.bar.length().is_none() {
            self.bar = bar(progress);
        }
        self.bar.set_position(progress.step);
        self.bar
            .set_message(format!("loss {:.5}{}", progress.losses.loss, self.score));
    }

    fn event(&mut self, event: &Event) {
        self.begun = true;
        // From here on there is something to save.
        interrupt::request_stop();
        if self.json {
            if let Ok(text) = serde_json::to_string(event) {
                self.say(&text);
            }
            return;
        }
        match event {
            Event::Start {
                step,
                parameters,
                train_images,
                held_out_images,
                config,
            } => {
                let begun = match step {
                    0 => String::new(),
                    step => format!("going on at step {step}: "),
                };
                self.say(&format!(
                    "{begun}{}, {} parameters, {train_images} images to train on, \
                     {held_out_images} held out, {} steps of {}",
                    config.model.variant,
                    output::count(*parameters as u64),
                    config.train.steps,
                    config.train.batch,
                ));
            }
            Event::Evaluation {
                step, psnr, ssim, ..
            } => {
                let ssim = ssim.map_or(String::new(), |ssim| format!(", SSIM {ssim:.4}"));
                self.score = format!(", held-out {psnr:.2} dB");
                self.say(&format!("step {step}: held-out PSNR {psnr:.2} dB{ssim}"));
            }
            // Where no bar is drawn (a log file), say something now and then.
            Event::Step {
                step,
                losses,
                images_per_second,
                ..
            } if self.bar.is_hidden() => {
                self.say(&format!(
                    "step {step}: loss {:.5}, {images_per_second:.1} images/s",
                    losses.loss
                ));
            }
            _ => {}
        }
    }

    fn warning(&mut self, text: &str) {
        self.bar.suspend(|| output::warning(text));
    }
}

fn bar(progress: &Progress) -> ProgressBar {
    let bar = ProgressBar::new(progress.steps).with_position(progress.step);
    let batch = progress.batch as f64;
    let style = "step {pos}/{len} [{bar:24}] {images}, {eta} left  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        let style = style.progress_chars("=> ").with_key(
            "images",
            move |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.1} images/s", state.per_sec() * batch);
            },
        );
        bar.set_style(style);
    }
    bar.reset_eta();
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}
