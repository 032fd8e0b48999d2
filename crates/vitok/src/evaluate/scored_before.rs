//! What of a pass its store has already, and what has changed since.

use super::pairs::Outputs;
use super::pass::{Outcome, Pass};
use super::record::Content;
use super::store::Store;
use crate::data::prefetch::{PrefetchLimits, prefetch};
use crate::observe::{Event, Observer};
use crate::{Error, Result};

/// Clips whose files are hashed ahead, and bytes of these.
const AHEAD: usize = 64;
const AHEAD_BYTES: u64 = 256 << 20;

/// What was scored by an earlier run, or by this one before it was stopped.
#[derive(Default)]
pub(super) struct ScoredBefore {
    /// For each clip its record, if one of the same content has all that is needed.
    pub(super) outcomes: Vec<Option<Outcome>>,
    /// Clips whose original, or whose output alone, has another content than under the same name before.
    changed_originals: usize,
    changed_outputs: usize,
    /// What the originals are: where there are no outputs, the clips themselves.
    originals: &'static str,
    /// Clips that lack some of the scores.
    incomplete: usize,
    /// Clips of which nothing is known.
    new: usize,
}

impl ScoredBefore {
    /// Hashes the files of every clip and looks them up. Only what a file holds counts: sizes and times can stay as they
    /// were while it changes. Where nothing is stored, nothing is read.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asks for it.
    pub(super) fn look_up(pass: &Pass, store: &Store, observer: &dyn Observer) -> Result<Self> {
        let pairs = &pass.pairs;
        let count = pairs.originals.len();
        let mut found = Self {
            outcomes: vec![None; count],
            originals: match pairs.outputs {
                Outputs::None => "files",
                Outputs::Codec(_) | Outputs::Files(..) => "originals",
            },
            ..Self::default()
        };
        if store.is_empty() {
            return Ok(found);
        }
        let limits = PrefetchLimits {
            workers: rayon::current_num_threads(),
            items: AHEAD,
            bytes: AHEAD_BYTES,
        };
        observer.event(Event::Begin {
            task: "looking for changes",
            done: 0,
            total: count as u64,
        });
        let finished = prefetch(
            count,
            limits,
            |index| pairs.originals.size_hint(index),
            |index| pairs.content(index),
            |contents| {
                for (index, content) in contents.map(Option::flatten).enumerate() {
                    if observer.cancelled() {
                        return false;
                    }
                    // What cannot be read is tried again with the others that are open.
                    if let Some(content) = content {
                        found.enter(index, &content, pass, store);
                    }
                    observer.event(Event::Progress {
                        done: index as u64 + 1,
                        item: "",
                    });
                }
                true
            },
        );
        observer.event(Event::End);
        match finished {
            true => Ok(found),
            false => Err(Error::Cancelled),
        }
    }

    /// Looks up one clip.
    fn enter(&mut self, index: usize, content: &Content, pass: &Pass, store: &Store) {
        let metrics = pass.scorer.map_or(&[][..], |scorer| scorer.metrics());
        if let Some(number) = store.find(content, metrics, pass.extractor.is_some()) {
            self.outcomes[index] = Some(Ok(number));
            return;
        }
        let before = store.of_name(pass.pairs.originals.name(index));
        let count = match before.map(|record| &record.content) {
            None => &mut self.new,
            Some(before) if before == content => &mut self.incomplete,
            Some(before) if before.original != content.original => &mut self.changed_originals,
            Some(_) => &mut self.changed_outputs,
        };
        *count += 1;
    }

    /// What a user should know of it, a sentence each.
    pub(super) fn in_words(&self) -> Vec<String> {
        let count = self.outcomes.len();
        let done = self.outcomes.iter().flatten().count();
        let mut words = Vec::new();
        for (changed, what) in [
            (self.changed_originals, self.originals),
            (self.changed_outputs, "outputs"),
        ] {
            if changed > 0 {
                words.push(format!(
                    "{changed} of {count} {what} changed since the last run and are scored again"
                ));
            }
        }
        if self.incomplete > 0 {
            words.push(format!(
                "{} of {count} lack some of the scores and are scored again",
                self.incomplete
            ));
        }
        if done > 0 && self.new > 0 {
            words.push(format!("going on after {done} of {count}"));
        }
        words
    }
}
