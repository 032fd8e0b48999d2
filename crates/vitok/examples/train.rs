//! Trains a tokenizer as `vitok train` does, goes on where a run was stopped, and loads what came out.
//!
//! `cargo run --release -p vitok --example train -- configs/tiny.toml runs/tiny`

use std::path::PathBuf;

use vitok::observe::{Event, Observer};
use vitok::train::{Start, TrainConfig, TrainEvent, TrainObserver, train};
use vitok::{Error, LoadPart, Result};

/// Prints warnings and validation scores. A program that is to be stopped early says so in `Observer::cancelled`.
struct Log;

impl Observer for Log {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(text) = event {
            eprintln!("{text}");
        }
    }
}

impl TrainObserver for Log {
    fn train_event(&self, event: &TrainEvent) {
        if let TrainEvent::Validation { step, psnr, images, .. } = event {
            println!("step {step}: PSNR {psnr:.2} dB on {images} held-out images");
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [config, folder] = arguments.as_slice() else {
        return Err(Error::InvalidArgument("usage: train CONFIG.toml FOLDER".into()));
    };
    let device = vitok::open_device("cpu")?;
    let config = TrainConfig::read(config, &[])?;
    let start = match folder.join("checkpoints").is_dir() {
        true => Start::Resume { accept_changes: false },
        false => Start::New,
    };
    let output = train(&config, folder, start, &device, &Log)?;
    if output.finished {
        let model = vitok::load(&folder.join("model"), LoadPart::Both, &device)?;
        println!(
            "{} after {} steps, in {}",
            model.name(),
            output.step,
            folder.join("model").display()
        );
    }
    Ok(())
}
