//! `vitok train`

use std::path::{Path, PathBuf};

use anyhow::Context;
use vitok::train::{Start, TrainConfig, train};

use super::Outcome;
use super::train_watcher::TrainWatcher;
use crate::args::TrainArgs;
use crate::terminal;

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
    let watcher = TrainWatcher::new(args.json);
    let output = train(&config, &folder, start, &device, &watcher);
    watcher.clear();
    let resume = format!("resume with: {}", resume_command(args, &folder)?);
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            terminal::error(&terminal::describe(&error.into()));
            if watcher.has_begun() {
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

/// What to type to go on, quoted for a shell.
fn resume_command(args: &TrainArgs, folder: &Path) -> anyhow::Result<String> {
    let config = args.config.display().to_string();
    let folder = folder.display().to_string();
    let mut words = vec!["vitok", "train", &config, "--out", &folder];
    for change in &args.set {
        words.extend(["--set", change.as_str()]);
    }
    words.extend(["--device", args.device.name(), "--resume"]);
    Ok(shlex::try_join(words)?)
}

/// `runs/NAME` for `NAME.toml`.
fn default_folder(config: &Path) -> anyhow::Result<PathBuf> {
    let name = config.file_stem().context("the config has no name")?;
    Ok(Path::new("runs").join(name))
}
