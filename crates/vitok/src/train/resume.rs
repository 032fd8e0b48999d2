//! Where a run starts: anew, or from the newest checkpoint of its folder.

use std::path::{Path, PathBuf};

use super::TrainConfig;
use super::checkpoint::{self, Checkpoint};
use super::run_folder::{CONFIG, FolderState, folder_state};
use crate::{Error, Remedy, Result};

/// Whether to begin or to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Begin; refuse a folder that holds a run.
    New,
    /// Go on from the newest checkpoint; a run that was killed before its first one begins again.
    Resume {
        /// Go on even if the configuration changed.
        accept_changes: bool,
    },
}

/// The checkpoint to go on from, if any, in the folder `run`.
///
/// # Errors
/// [`Error::RunExists`] and [`Error::Occupied`] for a folder that is not free, [`Error::NoRun`] where there is nothing to
/// resume; [`Error::SettingsChanged`] for a changed configuration, and [`Error::Config`] for one with fewer steps than were
/// taken; [`Error::Io`].
pub(super) fn starting_point(config: &TrainConfig, run: &Path, start: Start) -> Result<Option<PathBuf>> {
    let newest = checkpoint::list(run)?.pop();
    let accept_changes = match start {
        Start::Resume { accept_changes } => accept_changes,
        Start::New => {
            let step = newest.as_ref().map_or(0, |(step, _)| *step);
            if newest.is_some() || folder_state(run)? == FolderState::Run {
                return Err(Error::RunExists {
                    path: run.to_owned(),
                    step,
                });
            }
            false
        }
    };
    let Some((step, checkpoint)) = newest else {
        return match (start, folder_state(run)?) {
            (_, FolderState::Other) => Err(Error::Occupied {
                path: run.to_owned(),
                reason: "not empty, and no training run".into(),
            }),
            (Start::Resume { .. }, FolderState::Empty) => Err(Error::NoRun { path: run.to_owned() }),
            (Start::Resume { .. }, FolderState::Run) | (Start::New, _) => Ok(None),
        };
    };
    check_changes(config, run, step, &checkpoint, accept_changes)?;
    Ok(Some(checkpoint))
}

/// The file with the configuration of the run in a folder.
///
/// # Errors
/// [`Error::NoRun`] if there is none; [`Error::Io`].
pub fn config_of_run(run: &Path) -> Result<PathBuf> {
    match folder_state(run)? {
        FolderState::Run => Ok(run.join(CONFIG)),
        FolderState::Empty | FolderState::Other => Err(Error::NoRun { path: run.to_owned() }),
    }
}

/// Whether a run may go on from its checkpoint at `step` with a configuration.
fn check_changes(config: &TrainConfig, run: &Path, step: u64, checkpoint: &Path, accept: bool) -> Result<()> {
    if config.train.steps < step {
        return Err(Error::Config {
            origin: run.display().to_string(),
            reason: format!(
                "the run is at step {step} already, beyond train.steps = {}",
                config.train.steps
            ),
        });
    }
    let before = Checkpoint::meta(checkpoint)?.config.resolved()?;
    let changes = before.changes(config);
    if before.model_config()? != config.model_config()? {
        return Err(Error::SettingsChanged {
            path: run.to_owned(),
            reason: "the run is of another network, so it cannot go on".into(),
            changes,
            remedies: vec![Remedy::ChooseOtherOutput],
        });
    }
    if !changes.is_empty() && !accept {
        return Err(Error::SettingsChanged {
            path: run.to_owned(),
            reason: format!("the configuration changed since step {step}"),
            changes,
            remedies: vec![Remedy::AcceptChanges, Remedy::ChooseOtherOutput],
        });
    }
    Ok(())
}
