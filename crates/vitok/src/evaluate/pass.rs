//! One pass over the clips: read ahead on threads, the codec and the networks on the calling one.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use super::full_reference::PairScorer;
use super::pairs::{ClipPairs, ClipResult, Outputs, Pair};
use super::record::Record;
use super::store::Store;
use crate::Result;
use crate::data::prefetch::{PrefetchLimits, prefetch};
use crate::features::Extractor;
use crate::files::hexadecimal;
use crate::media::Clip;
use crate::observe::{Event, Observer};
use crate::tokenizer::Estimator;

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

/// What became of a clip: the number of its record in the store, or why it is skipped.
pub(super) type Outcome = ClipResult<usize>;

impl Pass<'_> {
    /// Scores the clips of `outcomes` that have none yet. Returns whether it came to the end, rather than being cancelled.
    pub(super) fn run(
        &self,
        outcomes: &mut [Option<Outcome>],
        store: &mut Store,
        observer: &dyn Observer,
    ) -> Result<bool> {
        let open: Vec<usize> = (0..outcomes.len()).filter(|&index| outcomes[index].is_none()).collect();
        let done = outcomes.len() - open.len();
        let limits = PrefetchLimits {
            workers: rayon::current_num_threads(),
            items: 2 * GROUP,
            bytes: PREFETCH_BYTES,
        };
        observer.event(Event::Begin {
            task: self.title,
            done: done as u64,
            total: outcomes.len() as u64,
        });
        let finished = prefetch(
            open.len(),
            limits,
            |place| self.pairs.originals.size_hint(open[place]),
            |place| self.pairs.read(open[place]),
            |mut read| -> Result<bool> {
                let mut done = done as u64;
                let mut estimator = Estimator::default();
                for indices in open.chunks(self.group_size()) {
                    if observer.cancelled() {
                        return Ok(false);
                    }
                    let group = indices.iter().map(|_| match read.next().flatten() {
                        Some(pair) => pair,
                        None => Err("reading it failed; this is a bug".into()),
                    });
                    let group: Vec<ClipResult<Pair>> = group.collect();
                    self.tell_if_long(indices, &group, &mut estimator, observer);
                    let scored = self.score(indices, group, store)?;
                    for (index, outcome) in indices.iter().zip(scored) {
                        outcomes[*index] = Some(outcome);
                    }
                    done += indices.len() as u64;
                    observer.event(Event::Progress { done, item: "" });
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

    /// Tells of clips of a group that a codec will take long for.
    fn tell_if_long(
        &self,
        indices: &[usize],
        group: &[ClipResult<Pair>],
        estimator: &mut Estimator,
        observer: &dyn Observer,
    ) {
        let Outputs::Codec(codec) = self.pairs.outputs else {
            return;
        };
        let run = |shape| codec.reconstruct(&[Clip::blank(shape)?]);
        for (index, pair) in indices.iter().zip(group) {
            if let Ok(pair) = pair {
                let file = Path::new(self.pairs.originals.name(*index));
                estimator.tell_if_long(codec, file, pair.original.shape(), run, observer);
            }
        }
    }

    /// Scores a group, clips of these numbers, and stores what came of it.
    fn score(&self, indices: &[usize], group: Vec<ClipResult<Pair>>, store: &mut Store) -> Result<Vec<Outcome>> {
        let mut clips = Clips::default();
        let mut pairs = BTreeMap::new();
        for (place, (index, pair)) in indices.iter().zip(group).enumerate() {
            match pair {
                Ok(pair) => {
                    let mut record = Record::new(self.pairs.originals.name(*index), pair.content.clone());
                    record.pixels = hash(&pair.original);
                    record.samples = pair.original.frames().iter().map(|frame| frame.rgb().len()).sum();
                    clips.0.push(Ok(record));
                    pairs.insert(place, pair);
                }
                Err(reason) => clips.0.push(Err(reason)),
            }
        }
        for (place, reason) in self.pairs.reconstruct(&mut pairs) {
            clips.skip(place, reason);
        }
        self.score_pairs(&mut pairs, &mut clips);
        let mut rows = [Vec::new(), Vec::new()];
        if let Some(extractor) = self.extractor {
            let inputs = preprocess(extractor, &mut pairs, &mut clips);
            let extracted = extractor.extract(&inputs)?;
            rows = [extracted.features, extracted.logits];
            drop_not_finite(extractor, &mut rows, &pairs, &mut clips);
        }
        clips.store(self.extractor.is_some(), [&rows[0], &rows[1]], store)
    }

    /// Scores outputs against their originals. Pairs that cannot be compared are removed.
    fn score_pairs(&self, pairs: &mut BTreeMap<usize, Pair>, clips: &mut Clips) {
        let Some(scorer) = self.scorer else {
            return;
        };
        let whole = pairs.iter().filter_map(|(&place, pair)| {
            let output = pair.output.as_ref()?;
            Some((place, (&pair.original, &output.clip)))
        });
        let (places, whole): (Vec<usize>, Vec<_>) = whole.unzip();
        for (place, scores) in places.into_iter().zip(scorer.score(&whole)) {
            match (scores, &mut clips.0[place]) {
                (Ok(scores), Ok(record)) => {
                    if let Some(output) = pairs.get(&place).and_then(|pair| pair.output.as_ref()) {
                        record.values = output.values;
                        record.bytes = output.bytes;
                        record.quality = output.quality;
                    }
                    for (metric, score) in scores {
                        record.set_score(metric, score);
                    }
                }
                (Err(error), _) => {
                    clips.skip(place, error.message());
                    pairs.remove(&place);
                }
                (Ok(_), Err(_)) => {}
            }
        }
    }
}

/// The clips of a group, by their place in it: what is known of each, or why it is skipped.
#[derive(Default)]
struct Clips(Vec<ClipResult<Record>>);

impl Clips {
    fn skip(&mut self, place: usize, reason: String) {
        self.0[place] = Err(reason);
    }

    /// Stores what is not skipped.
    fn store(self, has_row: bool, rows: [&[f32]; 2], store: &mut Store) -> Result<Vec<Outcome>> {
        let mut records = Vec::new();
        let mut skipped = Vec::new();
        for clip in self.0 {
            match clip {
                Ok(mut record) => {
                    record.has_row = has_row;
                    records.push(record);
                    skipped.push(None);
                }
                Err(reason) => skipped.push(Some(reason)),
            }
        }
        let mut numbers = store.add(records, rows)?.into_iter();
        let outcome = |reason: Option<String>| match reason {
            Some(reason) => Err(reason),
            None => numbers.next().ok_or_else(|| "storing it failed; this is a bug".into()),
        };
        Ok(skipped.into_iter().map(outcome).collect())
    }
}

/// The network's input for each pair. Pairs that have none are removed.
fn preprocess(extractor: &Extractor, pairs: &mut BTreeMap<usize, Pair>, clips: &mut Clips) -> Vec<Vec<f32>> {
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
                clips.skip(place, reason);
                pairs.remove(&place);
            }
        }
    }
    prepared
}

/// Skips clips whose features are not finite, which would spoil a distance between sets, and drops their rows.
fn drop_not_finite(extractor: &Extractor, rows: &mut [Vec<f32>; 2], pairs: &BTreeMap<usize, Pair>, clips: &mut Clips) {
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
        clips.skip(place, "its features are not all finite numbers".into());
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
