//! Originals and a candidate's outputs, read or made.

use std::collections::BTreeMap;
use std::mem;

use super::clip_set::ClipSet;
use super::record::Content;
use crate::media::Clip;
use crate::tokenizer::batching::{batches, run_batch};
use crate::tokenizer::{Codec, Reconstruction};
use crate::{Error, Result};

/// Where outputs come from.
#[derive(Clone, Copy)]
pub(super) enum Outputs<'a> {
    /// There are none: the clips themselves are looked at.
    None,
    /// A codec makes them of the originals.
    Codec(&'a dyn Codec),
    /// They are files: for each original the number of its output, if it has one.
    Files(&'a ClipSet, &'a [Option<usize>]),
}

/// The originals and what they are compared with.
#[derive(Clone, Copy)]
pub(super) struct ClipPairs<'a> {
    pub(super) originals: &'a ClipSet,
    pub(super) outputs: Outputs<'a>,
}

/// An original, and its output once that is there.
pub(super) struct Pair {
    pub(super) original: Clip,
    pub(super) output: Option<Output>,
    /// What these were decoded from.
    pub(super) content: Content,
}

/// An output and the size of its compressed representation, where that is known.
pub(super) struct Output {
    pub(super) clip: Clip,
    pub(super) values: Option<usize>,
    pub(super) bytes: Option<usize>,
    pub(super) quality: Option<u8>,
}

impl Output {
    /// An output of which nothing else is known.
    pub(super) fn of_clip(clip: Clip) -> Self {
        Self {
            clip,
            values: None,
            bytes: None,
            quality: None,
        }
    }
}

/// What became of one clip; an error is the reason why it is skipped.
pub(super) type ClipResult<T> = std::result::Result<T, String>;

impl From<Reconstruction> for Output {
    fn from(reconstruction: Reconstruction) -> Self {
        Self {
            clip: reconstruction.clip,
            values: reconstruction.values,
            bytes: Some(reconstruction.bytes),
            quality: reconstruction.quality,
        }
    }
}

impl ClipPairs<'_> {
    /// The hashes of an original's files and, if it has any, its output's; none where they cannot be had.
    pub(super) fn content(&self, index: usize) -> Option<Content> {
        let output = match self.outputs {
            Outputs::Files(files, matched) => Some(files.digest(matched[index]?)?.to_owned()),
            _ => None,
        };
        let original = self.originals.digest(index)?.to_owned();
        Some(Content { original, output })
    }

    /// Reads an original, and its output if that is a file. May be called on any thread.
    pub(super) fn read(&self, index: usize) -> ClipResult<Pair> {
        let (original, digest) = read(self.originals, index)?;
        let mut pair = Pair {
            original,
            output: None,
            content: Content {
                original: digest,
                output: None,
            },
        };
        if let Outputs::Files(files, matched) = self.outputs {
            let (clip, digest) = read(files, matched[index].ok_or("it has no output")?)?;
            pair.content.output = Some(digest);
            pair.output = Some(Output::of_clip(clip));
        }
        Ok(pair)
    }

    /// Gives every pair the output that a codec makes of its original. Pairs whose output cannot be made are removed; the
    /// result says why.
    pub(super) fn reconstruct(&self, pairs: &mut BTreeMap<usize, Pair>) -> Vec<(usize, String)> {
        let Outputs::Codec(codec) = self.outputs else {
            return Vec::new();
        };
        let mut failed = Vec::new();
        let all = mem::take(pairs).into_iter();
        let all = all.map(|(index, pair)| ((index, pair.content), pair.original));
        let shape = |(_, original): &((usize, Content), Clip)| Some(original.shape());
        for batch in batches(all, shape, |shape| codec.tokens(shape)) {
            let (known, originals): (Vec<(usize, Content)>, Vec<Clip>) = batch.into_iter().unzip();
            let results = run_batch(&originals, |clips| checked(codec, clips));
            for (((index, content), original), result) in known.into_iter().zip(originals).zip(results) {
                match result {
                    Ok(reconstruction) => {
                        let output = Some(reconstruction.into());
                        let pair = Pair {
                            original,
                            output,
                            content,
                        };
                        pairs.insert(index, pair);
                    }
                    Err(error) => failed.push((index, error.message())),
                }
            }
        }
        failed
    }
}

/// A clip, and the hash of the very bytes it was decoded from.
fn read(set: &ClipSet, index: usize) -> ClipResult<(Clip, String)> {
    let read = || {
        let encoded = set.encoded(index)?;
        let digest = encoded.digest();
        Ok((set.decode(index, encoded)?, digest))
    };
    read().map_err(|error: Error| error.message())
}

/// Reconstructs, and checks that there is an output for each clip.
fn checked(codec: &dyn Codec, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
    let found = codec.reconstruct(clips)?;
    if found.len() != clips.len() {
        return Err(Error::InvalidArgument(format!(
            "{} made {} clips of {}",
            codec.name(),
            found.len(),
            clips.len()
        )));
    }
    Ok(found)
}
