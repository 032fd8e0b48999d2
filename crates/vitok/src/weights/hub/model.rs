//! What a user asked for: a model's name and revision, checked.

use super::releases::{RELEASES, find, near};
use super::snapshot::{Layout, PAIR, SINGLE};
use crate::{Error, Result};

const DEFAULT_REVISION: &str = "main";

/// A model that may be on the hub.
pub(super) struct Model {
    /// As the user typed it.
    name: String,
    pub(super) repository: String,
    pub(super) revision: String,
    released: bool,
}

impl Model {
    pub(super) fn new(name: &str, revision: Option<&str>) -> Result<Self> {
        let release = find(name);
        let model = Self {
            name: name.to_owned(),
            repository: release.map_or(name, |r| r.repository).to_owned(),
            revision: revision.unwrap_or(DEFAULT_REVISION).to_owned(),
            released: release.is_some(),
        };
        // Both become parts of paths and addresses, so nothing may climb out of a folder.
        let parts: Vec<&str> = model.repository.split('/').collect();
        if parts.len() != 2 || !parts.iter().copied().all(is_plain) {
            return Err(model.error(format!(
                "neither a file or folder here, nor a released model, nor OWNER/REPO on the hub{}",
                model.suggestion()
            )));
        }
        if !model.revision.split('/').all(is_plain) {
            return Err(model.error(format!(
                "\"{}\" is no revision: give a branch, a tag or a commit",
                model.revision
            )));
        }
        Ok(model)
    }

    /// The sets of files it may consist of, the likeliest first.
    pub(super) fn layouts(&self) -> &'static [Layout] {
        if self.released { &[PAIR] } else { &[PAIR, SINGLE] }
    }

    /// [`Model::layouts`] in words.
    pub(super) fn files(&self) -> String {
        let sets: Vec<String> = self.layouts().iter().map(|l| l.join(" and ")).collect();
        sets.join(", or ")
    }

    /// The command that fetches it.
    pub(super) fn command(&self) -> String {
        if self.revision == DEFAULT_REVISION {
            format!("vitok download {}", self.name)
        } else {
            format!("vitok download {} --revision {}", self.name, self.revision)
        }
    }

    /// The released models that may have been meant, as the end of a sentence.
    pub(super) fn suggestion(&self) -> String {
        if self.released {
            return String::new();
        }
        let near = near(&self.name);
        if near.is_empty() {
            let all: Vec<&str> = RELEASES.iter().map(|r| r.name).collect();
            format!(" (released models: {})", all.join(", "))
        } else {
            format!(" (did you mean {}?)", near.join(" or "))
        }
    }

    pub(super) fn error(&self, reason: String) -> Error {
        Error::Hub {
            name: self.name.clone(),
            reason,
            remedies: Vec::new(),
        }
    }
}

/// Whether a part of a name has only the characters that the hub allows.
fn is_plain(part: &str) -> bool {
    !part.is_empty()
        && part.chars().any(|c| c != '.')
        && part
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}
