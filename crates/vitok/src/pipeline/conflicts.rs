//! What may not be overwritten.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use super::jobs::Job;
use crate::files::real_path;
use crate::{Error, Result};

/// What may not be overwritten: inputs, and the outputs of other jobs.
pub(super) struct Conflicts {
    inputs: HashSet<PathBuf>,
    written: HashMap<PathBuf, PathBuf>,
}

impl Conflicts {
    pub(super) fn of(jobs: &[Job]) -> Self {
        Self {
            inputs: jobs.iter().map(|job| real_path(&job.input)).collect(),
            written: HashMap::new(),
        }
    }

    /// Enters what a job will write.
    ///
    /// # Errors
    /// [`Error::Occupied`] if it may not.
    pub(super) fn enter(&mut self, job: &Job, outputs: Vec<PathBuf>) -> Result<()> {
        for output in outputs {
            let path = real_path(&output);
            let shown = path.display().to_string();
            let reason = if self.inputs.contains(&path) {
                format!("its result would overwrite the input {shown}")
            } else if let Some(other) = self.written.insert(path, job.input.clone()) {
                format!("its result {shown} would overwrite that of {}", other.display())
            } else {
                continue;
            };
            return Err(Error::Occupied {
                path: job.input.clone(),
                reason,
            });
        }
        Ok(())
    }
}
