//! From a position of the order to the clip that goes into a batch.

use std::sync::Arc;

use rand::RngExt;

use super::cache::ClipCache;
use super::{Augment, Dataset, SampleIndex};
use crate::media::{Clip, Filter, ReadOptions, Size, resize_u8};
use crate::rng::generator;
use crate::{Error, Result};

/// Most samples tried in place of one that cannot be read.
const SUBSTITUTES: u64 = 16;

/// Reads, downscales, caches and augments samples; many threads may use it.
#[derive(Debug)]
pub(super) struct SampleReader {
    pub datasets: Vec<Dataset>,
    pub augment: Augment,
    /// Side of a token in pixels.
    pub patch_size: usize,
    pub seed: u64,
    /// Halve clips while their shorter side stays at least this long, in pixels; 0 never.
    pub downscale: usize,
    pub options: ReadOptions,
    pub cache: ClipCache,
}

/// What came of a position.
#[derive(Debug)]
pub(super) struct LoadedSample {
    pub clip: Result<Clip>,
    /// Samples that could not be read on the way, with the number of their dataset.
    pub skipped: Vec<(usize, SkippedSample)>,
}

/// A sample that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedSample {
    /// Its name: a path, or `SHARD.tar/ENTRY`.
    pub name: String,
    /// Why it cannot be read, naming the sample.
    pub reason: String,
}

impl SampleReader {
    /// The clip of a position. What takes the place of an unreadable sample follows from the seed and the position, too.
    pub fn load(&self, sample: SampleIndex) -> LoadedSample {
        let dataset = &self.datasets[sample.dataset];
        let mut skipped = Vec::new();
        let mut index = sample.index;
        for attempt in 0..SUBSTITUTES {
            let numbers = [
                self.seed,
                sample.dataset as u64,
                sample.epoch,
                index as u64,
                sample.position,
            ];
            let clip = self.read(sample.dataset, index).and_then(|clip| {
                let mut rng = generator("augment", &numbers);
                self.augment.apply(&clip, self.patch_size, &mut rng)
            });
            match clip {
                Ok(clip) => {
                    return LoadedSample {
                        clip: Ok(clip),
                        skipped,
                    };
                }
                Err(error) => {
                    let name = dataset.samples()[index].name.clone();
                    let reason = error.message();
                    skipped.push((sample.dataset, SkippedSample { name, reason }));
                    let mut rng = generator("substitute", &[self.seed, sample.position, attempt]);
                    index = rng.random_range(0..dataset.samples().len());
                }
            }
        }
        LoadedSample {
            clip: Err(Error::Data {
                name: dataset.name().to_owned(),
                reason: format!("{SUBSTITUTES} images in a row cannot be read"),
            }),
            skipped,
        }
    }

    /// A sample's clip, downscaled, from the cache or from its file.
    fn read(&self, dataset: usize, index: usize) -> Result<Arc<Clip>> {
        let key = (dataset, index);
        if let Some(clip) = self.cache.get(key) {
            return Ok(clip);
        }
        let clip = self.datasets[dataset].clip(index, &self.options)?;
        let clip = Arc::new(downscaled(clip, self.downscale)?);
        self.cache.insert(key, &clip);
        Ok(clip)
    }
}

/// Halves a clip while its shorter side stays at least `shortest` pixels.
fn downscaled(mut clip: Clip, shortest: usize) -> Result<Clip> {
    while shortest > 0 && clip.size().shortest() / 2 >= shortest {
        let half = Size::new(clip.size().width / 2, clip.size().height / 2);
        clip = clip.map(|frame| resize_u8(&frame, half, Filter::Box))?;
    }
    Ok(clip)
}
