//! One pass over the clips: read ahead on threads, the codec and the networks on the calling one.

use std::collections::BTreeMap;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::full_reference::PairScorer;
use super::pairs::{ClipPairs, ClipResult, Pair};
use super::store::{Store, StoredClip};
use crate::Result;
use crate::data::prefetch::{PrefetchLimits, prefetch};
use crate::features::Extractor;
use crate::files::hexadecimal;
use crate::media::Clip;
use crate::observe::{Event, Observer};

/// Images worked on together. It is a constant so that no score depends on the machine.
const GROUP: usize = 8;

/// Bytes of pixels read ahead.
const PREFETCH_BYTES: u64 = 256 << 20;

/// Everything a pass needs.
pub(super) struct Pass<'a> {
    /// For the observer.
    pub(super) title: &'a str,
    pub(super) pairs: ClipPairs<'a>,
    /// Scores outputs against originals; none where there are no pairs.
    pub(super) scorer: Option<&'a PairScorer>,
    /// Takes the features of outputs, or of the clips themselves where there are no outputs.
    pub(super) extractor: Option<&'a Extractor>,
}

impl Pass<'_> {
    /// Goes over what is not in the store yet. Returns whether it came to the end, rather than being cancelled.
    pub(super) fn run(&self, store: &mut Store, observer: &dyn Observer) -> Result<bool> {
        let start = store.clips.len();
        let count = self.pairs.originals.len();
        let limits = PrefetchLimits {
            workers: rayon::current_num_threads(),
            items: 2 * GROUP,
            bytes: PREFETCH_BYTES,
        };
        observer.event(Event::Begin {
            task: self.title,
            done: start as u64,
            total: count as u64,
        });
        let finished = prefetch(
            count - start,
            limits,
            |place| self.pairs.originals.size_hint(start + place),
            |place| self.pairs.read(start + place),
            |mut read| -> Result<bool> {
                let mut next = start;
                while next < count {
                    if observer.cancelled() {
                        return Ok(false);
                    }
                    let group: Vec<ClipResult<Pair>> = (next..count.min(next + self.group_size()))
                        .map(|_| match read.next().flatten() {
                            Some(pair) => pair,
                            None => Err("reading it failed; this is a bug".into()),
                        })
                        .collect();
                    let length = group.len();
                    self.score(next, group, store)?;
                    next += length;
                    observer.event(Event::Progress {
                        done: next as u64,
                        item: "",
                    });
                }
                Ok(true)
            },
        );
        observer.event(Event::End);
        finished
    }

    fn group_size(&self) -> usize {
        match self.pairs.originals.are_clips() {
            true => 1,
            false => GROUP,
        }
    }

    /// Scores a group, of which the first clip has the number `first`, and stores what came of it.
    fn score(&self, first: usize, group: Vec<ClipResult<Pair>>, store: &mut Store) -> Result<()> {
        let numbers = first..first + group.len();
        let mut clips: Vec<StoredClip> = numbers
            .map(|index| StoredClip::new(self.pairs.originals.name(index)))
            .collect();
        let mut pairs = BTreeMap::new();
        for (place, pair) in group.into_iter().enumerate() {
            match pair {
                Ok(pair) => {
                    clips[place].pixels = hash(&pair.original);
                    pairs.insert(place, pair);
                }
                Err(reason) => clips[place].skipped = Some(reason),
            }
        }
        for (place, reason) in self.pairs.reconstruct(&mut pairs) {
            clips[place].skipped = Some(reason);
        }
        self.score_pairs(&mut pairs, &mut clips);
        let mut rows = [Vec::new(), Vec::new()];
        if let Some(extractor) = self.extractor {
            let inputs = preprocess(extractor, &mut pairs, &mut clips);
            let extracted = extractor.extract(&inputs)?;
            rows = [extracted.features, extracted.logits];
            drop_not_finite(extractor, &mut rows, &pairs, &mut clips);
        }
        store.add(clips, [&rows[0], &rows[1]])
    }

    /// Scores outputs against their originals. Pairs that cannot be compared are removed.
    fn score_pairs(&self, pairs: &mut BTreeMap<usize, Pair>, clips: &mut [StoredClip]) {
        let Some(scorer) = self.scorer else {
            return;
        };
        let whole = pairs.iter().filter_map(|(&place, pair)| {
            let output = pair.output.as_ref()?;
            clips[place].values = output.values;
            clips[place].bytes = output.bytes;
            Some((place, (&pair.original, &output.clip)))
        });
        let (places, whole): (Vec<usize>, Vec<_>) = whole.unzip();
        for (place, scores) in places.into_iter().zip(scorer.score(&whole)) {
            match scores {
                Ok(scores) => {
                    for (metric, score) in scores {
                        clips[place].set_score(metric, score);
                    }
                }
                Err(error) => {
                    clips[place].skipped = Some(error.message());
                    pairs.remove(&place);
                }
            }
        }
    }
}

/// The network's input for each pair. Pairs that have none are removed.
fn preprocess(extractor: &Extractor, pairs: &mut BTreeMap<usize, Pair>, clips: &mut [StoredClip]) -> Vec<Vec<f32>> {
    let inputs: Vec<(usize, ClipResult<Vec<f32>>)> = pairs
        .par_iter()
        .map(|(&place, pair)| {
            let clip = pair.output.as_ref().map_or(&pair.original, |output| &output.clip);
            let input = extractor.prepare(clip.frames());
            (place, input.map_err(|error| error.message()))
        })
        .collect();
    let mut prepared = Vec::new();
    for (place, input) in inputs {
        match input {
            Ok(input) => prepared.push(input),
            Err(reason) => {
                clips[place].skipped = Some(reason);
                pairs.remove(&place);
            }
        }
    }
    prepared
}

/// Skips clips whose features are not finite, which would spoil a distance between sets, and drops their rows.
fn drop_not_finite(
    extractor: &Extractor,
    rows: &mut [Vec<f32>; 2],
    pairs: &BTreeMap<usize, Pair>,
    clips: &mut [StoredClip],
) {
    let kind = extractor.kind();
    let widths = [kind.features(), kind.logits().unwrap_or(0)];
    let mut row = 0;
    for &place in pairs.keys() {
        let range = |width: usize| row * width..(row + 1) * width;
        let mut kinds = rows.iter().zip(widths);
        if kinds.all(|(rows, width)| rows[range(width)].iter().all(|v| v.is_finite())) {
            row += 1;
            continue;
        }
        clips[place].skipped = Some("its features are not all finite numbers".into());
        for (rows, width) in rows.iter_mut().zip(widths) {
            rows.drain(range(width));
        }
    }
}

/// SHA-256 of sizes and pixels: which originals a score is of, however their files are named.
fn hash(clip: &Clip) -> String {
    let mut hash = Sha256::new();
    for frame in clip.frames() {
        hash.update((frame.width() as u64).to_le_bytes());
        hash.update((frame.height() as u64).to_le_bytes());
        hash.update(frame.rgb());
    }
    hexadecimal(&hash.finalize())
}
