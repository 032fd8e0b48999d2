//! One pass over the images: read ahead on threads, the model and the networks on the main one.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use anyhow::Result;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use vitok::evaluate::PairScorer;
use vitok::features::Extractor;
use vitok::files::hexadecimal;
use vitok::patches::TokenGrid;
use vitok::media::{Image, clip_from_images, images_from_clip};
use vitok::tokenizer::vit::Tokenizer;

use super::items::{Clip, Items};
use super::state::{Record, Side};
use crate::ahead::{Limits, ahead};
use crate::preprocess::extent;
use crate::{batch, interrupt};

/// Images worked on together. It is a constant so that no score depends on the machine.
const GROUP: usize = 8;

/// Tokens of the images a model gets together; beyond that more of them are no quicker.
const TOKENS: usize = 1024;

/// Bytes of pixels read ahead.
const AHEAD: u64 = 256 << 20;

/// Where outputs come from.
pub enum Outputs<'a> {
    /// There are none: the originals themselves are looked at.
    Originals,
    /// A model makes them of the originals.
    Model(&'a Tokenizer),
    /// They are files, one for each original or none.
    Files(&'a Items, Vec<Option<usize>>),
}

/// What a pass needs.
pub struct Pass<'a> {
    pub title: String,
    pub originals: &'a Items,
    pub outputs: Outputs<'a>,
    pub scorer: Option<&'a PairScorer>,
    pub extractor: Option<&'a Extractor>,
}

/// An item on its way: an original and its output, or why there is none.
struct Pair {
    original: Vec<Image>,
    output: Option<Vec<Image>>,
}

type Outcome<T> = std::result::Result<T, String>;

impl Pass<'_> {
    /// Goes over what is not in `side` yet. Returns false if it was stopped.
    pub fn run(&self, side: &mut Side) -> Result<bool> {
        let start = side.records.len();
        let count = self.originals.len();
        let bar = batch::progress(count);
        bar.set_position(start as u64);
        bar.reset_eta();
        bar.set_message(self.title.clone());
        let limits = Limits {
            threads: rayon::current_num_threads(),
            places: 2 * GROUP,
            bytes: AHEAD,
        };
        let finished = ahead(
            count - start,
            limits,
            |place| self.originals.weight(start + place),
            |place| self.read(start + place),
            |mut items| -> Result<bool> {
                let mut next = start;
                while next < count {
                    if interrupt::flag().load(Ordering::SeqCst) {
                        return Ok(false);
                    }
                    let group: Vec<Outcome<Pair>> = (next..count.min(next + self.group()))
                        .map(|_| match items.next().flatten() {
                            Some(read) => read,
                            None => Err("reading it failed; this is a bug".into()),
                        })
                        .collect();
                    let length = group.len();
                    self.score(next, group, side)?;
                    next += length;
                    bar.set_position(next as u64);
                }
                Ok(true)
            },
        )?;
        bar.finish_and_clear();
        Ok(finished)
    }

    fn group(&self) -> usize {
        match self.originals.are_clips() {
            true => 1,
            false => GROUP,
        }
    }

    /// Any thread: reads an original and its output, if that is a file.
    fn read(&self, index: usize) -> Outcome<Pair> {
        let text = |error: vitok::Error| error.to_string();
        let frames = |clip: Clip| clip.frames;
        let original = self.originals.read(index).map(frames).map_err(text)?;
        let output = match &self.outputs {
            Outputs::Files(files, places) => {
                let place = places[index].ok_or("it has no output")?;
                Some(files.read(place).map(frames).map_err(text)?)
            }
            _ => None,
        };
        Ok(Pair { original, output })
    }

    /// Scores a group and writes down what came of it.
    fn score(&self, first: usize, group: Vec<Outcome<Pair>>, side: &mut Side) -> Result<()> {
        let mut records: Vec<Record> = (first..first + group.len())
            .map(|index| Record::of(self.originals.name(index)))
            .collect();
        let mut pairs = BTreeMap::new();
        for (place, pair) in group.into_iter().enumerate() {
            match pair {
                Ok(pair) => {
                    records[place].pixels = hash(&pair.original);
                    pairs.insert(place, pair);
                }
                Err(reason) => records[place].skipped = Some(reason),
            }
        }
        if let Outputs::Model(model) = self.outputs {
            for (place, reason) in reconstruct(model, &mut pairs) {
                records[place].skipped = Some(reason);
                pairs.remove(&place);
            }
        }
        self.score_pairs(&mut pairs, &mut records);
        let mut rows = [Vec::new(), Vec::new()];
        if let Some(extractor) = self.extractor {
            let prepared = self.prepare(extractor, &mut pairs, &mut records);
            let extracted = extractor.extract(&prepared)?;
            rows = [extracted.features, extracted.logits];
            drop_not_finite(extractor, &mut rows, &pairs, &mut records);
        }
        side.add(records, [&rows[0], &rows[1]])
    }

    fn score_pairs(&self, pairs: &mut BTreeMap<usize, Pair>, records: &mut [Record]) {
        let Some(scorer) = self.scorer else {
            return;
        };
        let made = pairs.iter().filter_map(|(&place, pair)| {
            let output = pair.output.as_deref()?;
            Some((place, (pair.original.as_slice(), output)))
        });
        let (places, made): (Vec<usize>, Vec<_>) = made.unzip();
        for (place, scores) in places.into_iter().zip(scorer.score(&made)) {
            match scores {
                Ok(scores) => {
                    for (metric, score) in scores {
                        records[place].set_score(metric, score);
                    }
                }
                Err(error) => {
                    records[place].skipped = Some(error.to_string());
                    pairs.remove(&place);
                }
            }
        }
    }

    /// The network's input for each pair that is left.
    fn prepare(
        &self,
        extractor: &Extractor,
        pairs: &mut BTreeMap<usize, Pair>,
        records: &mut [Record],
    ) -> Vec<Vec<f32>> {
        let inputs: Vec<(usize, Outcome<Vec<f32>>)> = pairs
            .par_iter()
            .map(|(&place, pair)| {
                let frames = pair.output.as_ref().unwrap_or(&pair.original);
                let input = extractor.prepare(frames);
                (place, input.map_err(|error| error.to_string()))
            })
            .collect();
        let mut prepared = Vec::new();
        for (place, input) in inputs {
            match input {
                Ok(input) => prepared.push(input),
                Err(reason) => {
                    records[place].skipped = Some(reason);
                    pairs.remove(&place);
                }
            }
        }
        prepared
    }
}

/// Skips images with features that are not numbers: one would spoil a whole distance.
fn drop_not_finite(
    extractor: &Extractor,
    rows: &mut [Vec<f32>; 2],
    pairs: &BTreeMap<usize, Pair>,
    records: &mut [Record],
) {
    let widths = [
        extractor.kind().features(),
        extractor.kind().logits().unwrap_or(0),
    ];
    let mut row = 0;
    for &place in pairs.keys() {
        let of = |width: usize| row * width..(row + 1) * width;
        let mut kinds = rows.iter().zip(widths);
        if kinds.all(|(rows, width)| rows[of(width)].iter().all(|v| v.is_finite())) {
            row += 1;
            continue;
        }
        records[place].skipped = Some("its features are not all finite numbers".into());
        for (rows, width) in rows.iter_mut().zip(widths) {
            rows.drain(of(width));
        }
    }
}

/// Gives every pair its output; returns those that failed.
fn reconstruct(model: &Tokenizer, pairs: &mut BTreeMap<usize, Pair>) -> Vec<(usize, String)> {
    let mut failed = Vec::new();
    let places: Vec<usize> = pairs.keys().copied().collect();
    let extent = |place: usize| extent(&pairs[&place].original);
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for place in places {
        let tokens = TokenGrid::covering(extent(place), model.plan().tubelet).tokens();
        match groups.last_mut() {
            Some(group)
                if extent(group[0]) == extent(place) && (group.len() + 1) * tokens <= TOKENS =>
            {
                group.push(place);
            }
            _ => groups.push(vec![place]),
        }
    }
    // A group that fails is done again one by one.
    while let Some(group) = groups.pop() {
        let clips: Vec<&[Image]> = group.iter().map(|p| &*pairs[p].original).collect();
        match make(model, &clips) {
            Ok(outputs) => {
                for (place, output) in group.into_iter().zip(outputs) {
                    if let Some(pair) = pairs.get_mut(&place) {
                        pair.output = Some(output);
                    }
                }
            }
            Err(error) if group.len() == 1 => failed.push((group[0], error.to_string())),
            Err(_) => groups.extend(group.into_iter().map(|place| vec![place])),
        }
    }
    failed
}

/// What a model makes of clips, together.
pub fn make(model: &Tokenizer, clips: &[&[Image]]) -> vitok::Result<Vec<Vec<Image>>> {
    let clips = clips
        .iter()
        .map(|frames| clip_from_images(frames, model.device()));
    let latents = model.encode_clips(&clips.collect::<vitok::Result<Vec<_>>>()?)?;
    let clips = model.decode_latents(&latents)?.into_iter();
    clips.map(images_from_clip).collect()
}

/// Of sizes and pixels: which originals a score stands for, however their files are named.
fn hash(frames: &[Image]) -> String {
    let mut hash = Sha256::new();
    for frame in frames {
        hash.update((frame.width() as u64).to_le_bytes());
        hash.update((frame.height() as u64).to_le_bytes());
        hash.update(frame.rgb());
    }
    hexadecimal(&hash.finalize())
}
