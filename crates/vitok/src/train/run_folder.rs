//! The folder of a run.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::files::FolderLock;
use crate::{Error, Result};

const EVENTS: &str = "events.jsonl";

/// The configuration, with all defaults.
pub(super) const CONFIG: &str = "config.toml";

/// Where a run's [`DataRecord`](super::data_record::DataRecord) lies.
pub(super) fn data_file(run: &Path) -> PathBuf {
    run.join("data.json")
}

/// What a folder is to training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FolderState {
    /// Not there, or nothing in it.
    Empty,
    /// Holds a run.
    Run,
    /// Holds something else.
    Other,
}

/// Looks into a folder.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn folder_state(path: &Path) -> Result<FolderState> {
    if path.join(EVENTS).exists() {
        return Ok(FolderState::Run);
    }
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(FolderState::Empty),
        Err(e) => return Err(Error::io(path, "read", e)),
    };
    match entries.flatten().all(|entry| entry.file_name() == FolderLock::FILE) {
        true => Ok(FolderState::Empty),
        false => Ok(FolderState::Other),
    }
}

/// The folder of a run, which no other process may train in while this exists: two runs in one folder would destroy each
/// other's checkpoints. The system lifts the lock if the process dies.
///
/// ```text
/// config.toml         the configuration, with all defaults
/// data.json           what it is trained on: images, and a hash of their names and sizes
/// events.jsonl        the log, an event a line
/// checkpoints/        step-00000500/, ...: the newest ones
/// samples/            step-00000500.png, ...: validation images above their reconstructions
/// curve.svg           training loss and validation PSNR over the steps
/// model/              the model, when the run is finished
/// ```
#[derive(Debug)]
pub(super) struct RunFolder {
    path: PathBuf,
    _lock: FolderLock,
}

impl RunFolder {
    /// Makes the folder if need be, and locks it.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process trains in it; [`Error::Io`].
    pub fn lock(path: &Path) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            _lock: FolderLock::take(path)?,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn config(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    pub fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    pub fn samples(&self, step: u64) -> PathBuf {
        self.path.join("samples").join(format!("step-{step:08}.png"))
    }

    pub fn curve(&self) -> PathBuf {
        self.path.join("curve.svg")
    }

    pub fn model(&self) -> PathBuf {
        self.path.join("model")
    }
}
