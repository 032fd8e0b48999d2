//! Which tokenizer made something.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which tokenizer something is of; latent files carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerInfo {
    /// The kind of tokenizer: `vit`, `pca`.
    pub kind: String,
    /// Its name among those of its kind; a ViT's variant.
    pub name: String,
    /// Sixteen hexadecimal digits that identify the encoder's weights; empty where they are not known.
    pub fingerprint: String,
}

impl fmt::Display for TokenizerInfo {
    /// `S-B/16 0123456789abcdef`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.fingerprint)
    }
}
