//! What a user asked for: a model's name and revision, checked.

use super::releases::{RELEASES, find, near};
use super::snapshot::{FileSet, RELEASE_FILES, VITOK_FILES};
use crate::{Error, Remedy, Result};

const DEFAULT_REVISION: &str = "main";

/// A model that may be on the hub.
pub(super) struct ModelRef {
    /// As the user typed it.
    name: String,
    /// `owner/repo`.
    pub(super) repository: String,
    /// Branch, tag or commit.
    pub(super) revision: String,
    /// Whether it is one of [`RELEASES`].
    released: bool,
}

impl ModelRef {
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
            let reason = format!(
                "neither a file or folder here, nor a released model, nor OWNER/REPO on the hub{}",
                model.suggestion()
            );
            return Err(model.error(reason, Vec::new()));
        }
        if !model.revision.split('/').all(is_plain) {
            let reason = format!(
                "\"{}\" is no revision: give a branch, a tag or a commit",
                model.revision
            );
            return Err(model.error(reason, Vec::new()));
        }
        Ok(model)
    }

    /// The sets of files it may consist of, the likeliest first.
    pub(super) fn file_sets(&self) -> &'static [FileSet] {
        if self.released {
            &[RELEASE_FILES]
        } else {
            &[RELEASE_FILES, VITOK_FILES]
        }
    }

    /// [`ModelRef::file_sets`] in words.
    pub(super) fn files(&self) -> String {
        let sets: Vec<String> = self.file_sets().iter().map(|files| files.join(" and ")).collect();
        sets.join(", or ")
    }

    /// To download it.
    pub(super) fn download(&self) -> Remedy {
        let revision = Some(self.revision.clone()).filter(|revision| revision != DEFAULT_REVISION);
        Remedy::Download {
            name: self.name.clone(),
            revision,
        }
    }

    /// To get its files by hand from the hub at `endpoint`.
    pub(super) fn bring_files(&self, endpoint: &str) -> Remedy {
        Remedy::BringFile {
            what: self.files(),
            from: format!("{endpoint}/{}", self.repository),
            pretrained: None,
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

    pub(super) fn error(&self, reason: String, remedies: Vec<Remedy>) -> Error {
        Error::Hub {
            name: self.name.clone(),
            reason,
            remedies,
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
