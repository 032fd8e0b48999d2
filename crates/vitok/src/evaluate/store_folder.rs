//! The folder of the stores, which one evaluation works in at a time.

use std::fs;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::config::EvaluateConfig;
use super::protocol::Protocol;
use crate::env::composed;
use crate::files::{FolderLock, Scratch, hexadecimal};
use crate::{Device, Error, Result};

/// Its name in the folder of the evaluation.
const FOLDER: &str = "store";

/// Where the stores of all passes are; a temporary folder is removed with it.
pub(super) struct StoreFolder {
    path: PathBuf,
    /// What scores are asked for. Those of another protocol, size, number of frames or device lie beside these.
    question: String,
    _temporary: Option<Scratch>,
    _lock: Option<FolderLock>,
}

impl StoreFolder {
    /// That of an evaluation's folder, which it locks, or a temporary one.
    ///
    /// # Errors
    /// [`Error::InUse`] while another evaluation works in it; [`Error::Io`].
    pub(super) fn open(config: &EvaluateConfig, protocol: &Protocol, device: &Device) -> Result<Self> {
        let question = question(config, protocol, device);
        let Some(out) = &config.out else {
            let parent = std::env::temp_dir();
            let temporary = Scratch::new_in(&parent).map_err(|e| Error::io(&parent, "write in", e))?;
            return Ok(Self {
                path: temporary.path().to_owned(),
                question,
                _temporary: Some(temporary),
                _lock: None,
            });
        };
        let path = out.join(FOLDER);
        let lock = FolderLock::take(&path)?;
        if config.restart {
            let failed = |e| Error::io(&path, "empty", e);
            for entry in fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?.path();
                if entry.is_dir() {
                    fs::remove_dir_all(entry).map_err(failed)?;
                }
            }
        }
        Ok(Self {
            path,
            question,
            _temporary: None,
            _lock: Some(lock),
        })
    }

    /// The folder of a pass over the outputs of the candidate of that kind and name, or over originals: readable, and no
    /// other pass's.
    pub(super) fn of_pass(&self, kind: &str, name: &str) -> PathBuf {
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || c == '-' => c,
            _ => '_',
        };
        let readable: String = name.chars().map(plain).take(60).collect();
        let hash = Sha256::digest([kind, name, &self.question].join("\n"));
        let dash = if kind.is_empty() { "" } else { "-" };
        self.path
            .join(format!("{kind}{dash}{readable}-{}", hexadecimal(&hash[..4])))
    }
}

/// All that may make the scores of the same files other ones, beside what a
/// [`Computation`](super::computation::Computation) names.
fn question(config: &EvaluateConfig, protocol: &Protocol, device: &Device) -> String {
    let mut lines = protocol.text();
    lines.push(protocol.text_of_sets());
    lines.push(format!("{} frames", config.max_frames));
    lines.push(format!("at most {} pixels", config.max_pixels));
    lines.push(format!("{device:?}"));
    if composed() {
        lines.push("without kernels".into());
    }
    lines.join("\n")
}
