//! What a pass found.

use std::path::Path;

use super::pairs::ClipResult;
use super::pass::Outcome;
use super::record::Record;
use super::store::{RowKind, Store};
use crate::Result;
use crate::metrics::FeatureSet;

/// All clips of a pass, scored or skipped.
pub(super) struct Passed {
    names: Vec<String>,
    outcomes: Vec<Outcome>,
    store: Store,
}

impl Passed {
    /// Clips by their names, with what became of each.
    pub(super) fn new(names: Vec<String>, outcomes: Vec<Outcome>, store: Store) -> Self {
        Self { names, outcomes, store }
    }

    /// The folder of its store.
    pub(super) fn store_folder(&self) -> &Path {
        self.store.folder()
    }

    /// Where each clip lies.
    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// What became of each clip; an error is the reason why it is skipped.
    pub(super) fn clips(&self) -> impl Iterator<Item = std::result::Result<&Record, &str>> {
        self.outcomes.iter().map(|outcome| self.look_up(outcome))
    }

    /// What became of the clip of that number.
    pub(super) fn clip(&self, index: usize) -> std::result::Result<&Record, &str> {
        self.look_up(&self.outcomes[index])
    }

    fn look_up<'a>(&'a self, outcome: &'a ClipResult<usize>) -> std::result::Result<&'a Record, &'a str> {
        match outcome {
            Ok(number) => Ok(self.store.record(*number)),
            Err(reason) => Err(reason),
        }
    }

    /// The clips that are not skipped.
    pub(super) fn scored(&self) -> impl Iterator<Item = &Record> {
        self.clips().flatten()
    }

    /// The rows of one kind `[n, width]` of the clips that are not skipped, in their order.
    pub(super) fn rows(&self, kind: RowKind, width: usize) -> Result<FeatureSet> {
        let numbers: Vec<usize> = self.outcomes.iter().flatten().copied().collect();
        self.store.rows_of(&numbers, kind, width)
    }
}
