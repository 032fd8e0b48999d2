//! Originals and outputs once more, after they were scored: to be shown, or scored in other ways.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::kept_outputs::KeptOutputs;
use super::pairs::{ClipPairs, Output, Outputs, Pair};
use super::passed::Passed;
use crate::Result;
use crate::media::Clip;

/// The pairs of a pass, and what it found.
pub(super) struct ScoredPairs<'a> {
    pub(super) pairs: ClipPairs<'a>,
    pub(super) passed: &'a Passed,
}

/// Originals with their outputs, by their numbers.
type Whole = BTreeMap<usize, (Clip, Clip)>;

impl ScoredPairs<'_> {
    /// Originals of these numbers with their outputs, made together. Left out is what was skipped, and what is no longer
    /// what was scored.
    pub(super) fn get(&self, indices: &[usize]) -> Whole {
        let mut pairs = self.read(indices);
        // A codec that now fails has changed, too.
        self.pairs.reconstruct(&mut pairs);
        whole(pairs).collect()
    }

    /// As [`get`](Self::get), for a few that are shown: what a codec makes of them is kept in the store, and taken from
    /// there the next time.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if it cannot be kept.
    pub(super) fn get_shown(&self, indices: &[usize]) -> Result<Whole> {
        if !matches!(self.pairs.outputs, Outputs::Codec(_)) {
            return Ok(self.get(indices));
        }
        let kept = KeptOutputs::of_store(self.passed.store_folder());
        let (mut known, mut open) = (BTreeMap::new(), BTreeMap::new());
        for (index, mut pair) in self.read(indices) {
            pair.output = kept.load(&pair.content, &pair.original).map(Output::of_clip);
            match pair.output {
                Some(_) => known.insert(index, pair),
                None => open.insert(index, pair),
            };
        }
        self.pairs.reconstruct(&mut open);
        for pair in open.values() {
            if let Some(output) = &pair.output {
                kept.keep(&pair.content, &pair.original, &output.clip)?;
            }
        }
        known.append(&mut open);
        Ok(whole(known).collect())
    }

    /// Keeps only the outputs of these.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io).
    pub(super) fn keep_only(&self, shown: &[usize]) -> Result<()> {
        let records = shown.iter().filter_map(|&index| self.passed.clip(index).ok());
        let originals = records.map(|record| record.content.original.as_str());
        KeptOutputs::of_store(self.passed.store_folder()).retain(&originals.collect())
    }

    /// Reads what is still what was scored; outputs of a codec are not made yet.
    fn read(&self, indices: &[usize]) -> BTreeMap<usize, Pair> {
        let read = |&index: &usize| {
            let record = self.passed.clip(index).ok()?;
            let pair = self.pairs.read(index).ok()?;
            (pair.content == record.content).then_some((index, pair))
        };
        let read: Vec<_> = indices.par_iter().filter_map(read).collect();
        read.into_iter().collect()
    }
}

/// Those that have an output.
fn whole(pairs: BTreeMap<usize, Pair>) -> impl Iterator<Item = (usize, (Clip, Clip))> {
    let pairs = pairs.into_iter();
    pairs.filter_map(|(index, pair)| Some((index, (pair.original, pair.output?.clip))))
}
