//! What is scored: codecs, and files that were made elsewhere.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::Result;
use crate::tokenizer::{Codec, Tokenizer};

/// Something whose outputs are scored against the originals, under a name.
#[derive(Clone)]
pub struct Candidate {
    name: String,
    kind: CandidateKind,
    source: OutputSource,
}

/// What a candidate is, for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// A tokenizer or codec that is evaluated.
    Model,
    /// A codec without a network that a model must beat.
    Baseline,
    /// Outputs on disk.
    Files,
}

/// Where a candidate's outputs come from.
#[derive(Clone)]
pub(super) enum OutputSource {
    Codec {
        codec: Arc<dyn Codec>,
        /// Tells it from others of its name.
        fingerprint: String,
    },
    /// A dataset, as [`Dataset::open`](crate::data::Dataset::open) takes it.
    Files(String),
}

impl Candidate {
    /// A tokenizer, whose reconstructions are scored. It is known by its name and a hash of all its weights.
    ///
    /// # Errors
    /// As [`Tokenizer::digest`].
    pub fn tokenizer(name: impl Into<String>, tokenizer: Box<dyn Tokenizer>) -> Result<Self> {
        let fingerprint = tokenizer.digest()?;
        Ok(Self::codec(name, tokenizer, fingerprint))
    }

    /// Any codec. What was scored of a codec of that name before is used again only if the `fingerprint` is the same: a
    /// hash of its weights, or its settings in words.
    pub fn codec(name: impl Into<String>, codec: Box<dyn Codec>, fingerprint: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: CandidateKind::Model,
            source: OutputSource::Codec {
                codec: codec.into(),
                fingerprint: fingerprint.into(),
            },
        }
    }

    /// A baseline, under the codec's own name.
    pub(super) fn baseline(codec: impl Codec + 'static, fingerprint: String) -> Self {
        Self {
            kind: CandidateKind::Baseline,
            ..Self::codec(codec.name(), Box::new(codec), fingerprint)
        }
    }

    /// Outputs on disk, named as their originals: a folder, list or shards, as
    /// [`Dataset::open`](crate::data::Dataset::open) takes it, which is the candidate's name too.
    pub fn files(data: impl Into<String>) -> Self {
        let data = data.into();
        Self {
            name: data.clone(),
            kind: CandidateKind::Files,
            source: OutputSource::Files(data),
        }
    }

    /// Its name in tables and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is.
    pub fn kind(&self) -> CandidateKind {
        self.kind
    }

    pub(super) fn source(&self) -> &OutputSource {
        &self.source
    }

    /// Whether its outputs are made here, rather than read.
    pub(super) fn is_codec(&self) -> bool {
        matches!(self.source, OutputSource::Codec { .. })
    }

    /// What tells its codec from others, where it has one.
    pub(super) fn codec_identity(&self) -> Option<String> {
        match &self.source {
            OutputSource::Codec { codec, fingerprint } => Some(format!("{} {fingerprint}", codec.name())),
            OutputSource::Files(_) => None,
        }
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate({} {:?})", self.kind, self.name)
    }
}

impl fmt::Display for CandidateKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Model => "model",
            Self::Baseline => "baseline",
            Self::Files => "files",
        })
    }
}
