//! Originals and outputs once more, after they were scored: to be shown, or scored in other ways.

use std::collections::BTreeMap;

use rayon::prelude::*;

use super::pairs::{ClipPairs, Pair};
use super::passed::Passed;
use crate::media::Clip;

/// The pairs of a pass, and what it found.
pub(super) struct ScoredPairs<'a> {
    pub(super) pairs: ClipPairs<'a>,
    pub(super) passed: &'a Passed,
}

impl ScoredPairs<'_> {
    /// Originals of these numbers with their outputs, made together. Left out is what was skipped, and what is no longer
    /// what was scored.
    pub(super) fn get(&self, indices: &[usize]) -> BTreeMap<usize, (Clip, Clip)> {
        let read = |&index: &usize| {
            let record = self.passed.clip(index).ok()?;
            let pair = self.pairs.read(index).ok()?;
            (pair.content == record.content).then_some((index, pair))
        };
        let read: Vec<_> = indices.par_iter().filter_map(read).collect();
        let mut pairs = read.into_iter().collect();
        // A codec that now fails has changed, too.
        self.pairs.reconstruct(&mut pairs);
        let whole = |(index, pair): (usize, Pair)| Some((index, (pair.original, pair.output?.clip)));
        pairs.into_iter().filter_map(whole).collect()
    }
}
