//! A candidate whose files are opened.

use super::candidate::{Candidate, OutputSource};
use super::clip_set::ClipSet;
use super::matching::matched;
use crate::{Error, Result};

/// A candidate with its files opened.
pub(super) struct OpenCandidate {
    pub(super) candidate: Candidate,
    /// Its outputs on disk, and for each original the number of its output.
    pub(super) files: Option<(ClipSet, Vec<Option<usize>>)>,
}

impl OpenCandidate {
    /// Opens a candidate's files, and finds the output of each original where there are `originals`.
    pub(super) fn open(
        candidate: &Candidate,
        originals: Option<&ClipSet>,
        max_frames: usize,
        open: impl Fn(&[String]) -> Result<ClipSet>,
    ) -> Result<Self> {
        let files = match candidate.source() {
            OutputSource::Codec { codec, .. } => {
                let needed = codec.min_frames();
                if needed > 1 && max_frames == 1 {
                    return Err(Error::TooFewFrames {
                        what: candidate.name().to_owned(),
                        needed,
                        most: max_frames,
                    });
                }
                None
            }
            OutputSource::Files(data) => {
                let files = open(std::slice::from_ref(data))?;
                let matched = match originals {
                    Some(originals) => matched(originals, &files)?,
                    None => Vec::new(),
                };
                Some((files, matched))
            }
        };
        Ok(Self {
            candidate: candidate.clone(),
            files,
        })
    }

    pub(super) fn name(&self) -> &str {
        self.candidate.name()
    }

    pub(super) fn file_set(&self) -> Option<&ClipSet> {
        self.files.as_ref().map(|(files, _)| files)
    }
}
