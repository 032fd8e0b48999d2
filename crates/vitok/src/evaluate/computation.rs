//! What the scores of a pass are made by, as far as it may change from one run to the next under the same name.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::files::write_atomically;
use crate::{Error, Result};

/// To be raised with every change after which a score of the same files by the same networks is another number.
const SCORES_VERSION: u32 = 1;

/// Its file in the folder of a store.
pub(super) const FILE: &str = "computation.json";

/// What computes: the library, the codec and the networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Computation {
    library: String,
    /// Tells the codec from others; none where outputs are files.
    codec: Option<String>,
    /// SHA-256 of the networks' weight files, by their names.
    networks: BTreeMap<String, String>,
}

impl Computation {
    pub(super) fn new(codec: Option<String>, networks: impl IntoIterator<Item = (String, String)>) -> Self {
        Self {
            library: format!("vitok {}, scores {SCORES_VERSION}", env!("CARGO_PKG_VERSION")),
            codec,
            networks: networks.into_iter().collect(),
        }
    }

    /// What differs from the computation that was `before`, in words. A network that only one of them has changes no
    /// score.
    fn changes_since(&self, before: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.library != before.library {
            changes.push("vitok".to_owned());
        }
        if self.codec != before.codec {
            changes.push("the codec's weights or settings".to_owned());
        }
        let networks = self.networks.iter();
        let other = networks.filter(|(name, hash)| before.networks.get(*name).is_some_and(|held| held != *hash));
        changes.extend(other.map(|(name, _)| format!("the weights of {name}")));
        changes
    }

    /// Makes the folder of a store ready for what this computes: what something else computed there is removed, and what
    /// has changed is returned.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn prepare(mut self, folder: &Path) -> Result<Vec<String>> {
        let path = folder.join(FILE);
        let mut changes = Vec::new();
        match fs::read(&path) {
            Ok(bytes) => match serde_json::from_slice::<Self>(&bytes) {
                Ok(before) => {
                    changes = self.changes_since(&before);
                    if changes.is_empty() {
                        self.networks.extend(before.networks);
                    }
                }
                Err(_) => changes.push("vitok".to_owned()),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path, "read", error)),
        }
        if !changes.is_empty() {
            fs::remove_dir_all(folder).map_err(|e| Error::io(folder, "remove", e))?;
        }
        let text = serde_json::to_vec_pretty(&self).map_err(|e| Error::Internal(e.to_string()))?;
        write_atomically(&path, |file| file.write_all(&text))?;
        Ok(changes)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_something_else_computed_is_removed_and_what_changed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("pass");
        let computation = |codec: &str, networks: &[(&str, &str)]| {
            let networks = networks
                .iter()
                .map(|(name, hash)| ((*name).to_owned(), (*hash).to_owned()));
            Computation::new(Some(codec.to_owned()), networks)
        };
        let prepare = |one: Computation| one.prepare(&folder).unwrap();
        assert_eq!(prepare(computation("a", &[("vgg16", "1")])), [""; 0]);
        let kept = folder.join("clips.jsonl");
        fs::write(&kept, b"scores").unwrap();
        // Fewer networks, or more, leave the scores as they are.
        assert_eq!(prepare(computation("a", &[])), [""; 0]);
        assert_eq!(prepare(computation("a", &[("alexnet", "2")])), [""; 0]);
        assert!(kept.exists());
        assert_eq!(prepare(computation("a", &[("vgg16", "3")])), ["the weights of vgg16"]);
        assert!(!kept.exists());
        assert_eq!(
            prepare(computation("b", &[("vgg16", "3")])),
            ["the codec's weights or settings"]
        );
        fs::write(folder.join(FILE), b"no json").unwrap();
        assert_eq!(prepare(computation("b", &[])), ["vitok"]);
        assert_eq!(prepare(computation("b", &[])), [""; 0]);
    }
}
