//! What `vitok train` prints while it trains.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use vitok::observe::{Event, Observer};
use vitok::train::{StepStats, TrainEvent, TrainObserver};

use crate::interrupt;
use crate::terminal::{self, Terminal};

/// Prints what happens in a run, beside the progress bar.
pub struct TrainWatcher {
    terminal: Terminal,
    json: bool,
    /// Whether the run has begun: what went wrong before left nothing behind.
    begun: AtomicBool,
}

impl TrainWatcher {
    /// `json`: print events as JSON lines instead of sentences.
    pub fn new(json: bool) -> Self {
        Self {
            terminal: Terminal::new(),
            json,
            begun: AtomicBool::new(false),
        }
    }

    /// Whether the run has begun.
    pub fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Takes the progress bar away.
    pub fn clear(&self) {
        self.terminal.bar().finish_and_clear();
    }

    fn say(&self, text: &str) {
        self.terminal.bar().suspend(|| {
            let _ = terminal::line(text);
        });
    }
}

impl Observer for TrainWatcher {
    fn event(&self, event: Event<'_>) {
        self.terminal.event(event);
    }

    fn cancelled(&self) -> bool {
        self.terminal.cancelled()
    }
}

impl TrainObserver for TrainWatcher {
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
                self.say(&format!("model: {}", values(&config.model, &["variant"])));
                self.say(&format!("loss: {}", values(&config.loss, &["charbonnier_eps"])));
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

/// A section's values in a line, but for some keys and for what is 0.
fn values(section: &impl Serialize, except: &[&str]) -> String {
    let section = serde_json::to_value(section).unwrap_or_default();
    let values = section.as_object().into_iter().flatten();
    let values = values.filter(|(key, value)| !except.contains(&key.as_str()) && value.as_f64() != Some(0.0));
    let values = values.map(|(key, value)| match value.as_str() {
        Some(text) => format!("{key} {text}"),
        None => format!("{key} {value}"),
    });
    values.collect::<Vec<_>>().join(", ")
}
