//! What a run is trained on, written down, so that a resumed run notices other data under the same names.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::resume::Start;
use crate::data::Dataset;
use crate::files::write_atomically;
use crate::{Error, Remedy, Result};

/// The datasets of a run: the content of its `data.json`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct DataRecord {
    train: Vec<DatasetRecord>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DatasetRecord {
    path: String,
    images: usize,
    /// [`Dataset::fingerprint`].
    fingerprint: String,
}

impl DataRecord {
    pub(super) fn of(datasets: &[Dataset]) -> Self {
        let record = |dataset: &Dataset| DatasetRecord {
            path: dataset.name().to_owned(),
            images: dataset.samples().len(),
            fingerprint: dataset.fingerprint(),
        };
        Self {
            train: datasets.iter().map(record).collect(),
        }
    }

    /// Whether a run that wrote its record to `path` may go on with these data. A run without a record has not begun.
    ///
    /// # Errors
    /// [`Error::SettingsChanged`] naming the datasets that changed, unless `start` accepts changes; [`Error::Io`];
    /// [`Error::Config`] for a damaged record.
    pub(super) fn check(&self, path: &Path, run: &Path, start: Start) -> Result<()> {
        if start != (Start::Resume { accept_changes: false }) || !path.exists() {
            return Ok(());
        }
        let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
        let before: Self = serde_json::from_str(&text).map_err(|e| Error::Config {
            origin: path.display().to_string(),
            reason: format!("damaged: {e}"),
        })?;
        let changes = self.changes_since(&before);
        if changes.is_empty() {
            return Ok(());
        }
        Err(Error::SettingsChanged {
            path: run.to_owned(),
            reason: "the training data changed since the run began".into(),
            changes,
            remedies: vec![Remedy::AcceptChanges, Remedy::ChooseOtherOutput],
        })
    }

    /// What differs, of datasets that have the same path: other paths are a change of the configuration.
    fn changes_since(&self, before: &Self) -> Vec<String> {
        let pairs = before.train.iter().zip(&self.train);
        let changed = pairs.filter(|(old, new)| old.path == new.path && old != new);
        changed
            .map(|(old, new)| match old.images == new.images {
                true => format!("{}: other names or sizes of its {} images", new.path, new.images),
                false => format!("{}: {} images -> {}", new.path, old.images, new.images),
            })
            .collect()
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).map_err(|e| Error::Internal(format!("cannot be written: {e}")))?;
        write_atomically(path, |out| out.write_all(text.as_bytes()))
    }
}
