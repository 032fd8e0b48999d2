//! `vitok train`

use std::path::{Path, PathBuf};

use anyhow::Context;
use vitok::train::{Start, TrainConfig, config_of_run, train};

use super::Outcome;
use super::train_watcher::TrainWatcher;
use crate::args::TrainArgs;
use crate::terminal;

pub fn run(args: &TrainArgs) -> anyhow::Result<Outcome> {
    let (folder, start) = folder_and_start(args)?;
    let config = match &args.config {
        Some(config) => config.clone(),
        None => config_of_run(&folder)?,
    };
    let config = TrainConfig::read(&config, &args.set)?;
    let device = vitok::open_device(args.device.name())?;
    let watcher = TrainWatcher::new(args.json);
    let output = train(&config, &folder, start, &device, &watcher);
    watcher.clear();
    let resume = format!("resume with: {}", resume_command(&folder, args.device.name())?);
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

/// Where the run is, and whether it is there already.
fn folder_and_start(args: &TrainArgs) -> anyhow::Result<(PathBuf, Start)> {
    if let Some(run) = &args.resume {
        let accept_changes = args.accept_changes;
        return Ok((run.clone(), Start::Resume { accept_changes }));
    }
    let folder = match (&args.out, &args.config) {
        (Some(out), _) => out.clone(),
        (None, Some(config)) => Path::new("runs").join(config.file_stem().context("the config has no name")?),
        (None, None) => anyhow::bail!("name a config, or a run with --resume"),
    };
    Ok((folder, Start::New))
}

/// What to type to go on, quoted for a shell. The run's own configuration holds what was overridden.
fn resume_command(run: &Path, device: &str) -> anyhow::Result<String> {
    let run = run.display().to_string();
    Ok(shlex::try_join([
        "vitok", "train", "--resume", &run, "--device", device,
    ])?)
}
