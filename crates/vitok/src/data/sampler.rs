//! Which image comes when.

use rand::seq::SliceRandom;

use crate::rng::generator;

/// One place in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleIndex {
    /// Place since the start of the run.
    pub number: u64,
    /// Which collection.
    pub source: usize,
    /// How often that collection was gone through before.
    pub epoch: u64,
    /// Which of its images.
    pub index: usize,
}

/// The endless order of a mixture. Each collection is shuffled anew every epoch, by (seed, source,
/// epoch); collections take turns so that at every moment their counts are within one image of
/// their shares.
#[derive(Clone, Debug)]
pub struct Sampler {
    seed: u64,
    number: u64,
    sources: Vec<Source>,
}

#[derive(Clone, Debug)]
struct Source {
    share: f64,
    size: usize,
    drawn: u64,
    /// The epoch `places` is shuffled for.
    shuffled: Option<u64>,
    places: Vec<u32>,
}

impl Sampler {
    /// An order over collections of (size, share). Shares are relative; collections without
    /// images or share are never drawn.
    pub fn new(seed: u64, sources: &[(usize, f64)]) -> Self {
        let total: f64 = sources.iter().map(|(_, share)| share).sum();
        let sources = sources.iter().map(|&(size, share)| Source {
            share: share / total,
            size,
            drawn: 0,
            shuffled: None,
            places: Vec::new(),
        });
        Self {
            seed,
            number: 0,
            sources: sources.collect(),
        }
    }

    /// Passes over `count` draws, without shuffling for them.
    pub fn pass(&mut self, count: u64) {
        for _ in 0..count {
            if let Some(source) = self.turn() {
                self.sources[source].drawn += 1;
            }
            self.number += 1;
        }
    }

    /// Whose turn it is: the collection that lags most behind its share.
    fn turn(&self) -> Option<usize> {
        let due = |source: &Source| source.share * (self.number + 1) as f64 - source.drawn as f64;
        let able = |source: &&(usize, &Source)| source.1.size > 0 && source.1.share > 0.0;
        let mut sources = self.sources.iter().enumerate().filter(|s| able(&s));
        let first = sources.next()?;
        let most = sources.fold(first, |a, b| if due(b.1) > due(a.1) { b } else { a });
        Some(most.0)
    }
}

impl Iterator for Sampler {
    type Item = SampleIndex;

    /// The next draw; none only if there is nothing to draw from.
    fn next(&mut self) -> Option<SampleIndex> {
        let turn = self.turn()?;
        let source = &mut self.sources[turn];
        let size = source.size as u64;
        let epoch = source.drawn / size;
        if source.shuffled != Some(epoch) {
            source.places = (0..source.size as u32).collect();
            let mut rng = generator("order", &[self.seed, turn as u64, epoch]);
            source.places.shuffle(&mut rng);
            source.shuffled = Some(epoch);
        }
        let index = source.places[(source.drawn % size) as usize] as usize;
        source.drawn += 1;
        let number = self.number;
        self.number += 1;
        Some(SampleIndex {
            number,
            source: turn,
            epoch,
            index,
        })
    }
}
