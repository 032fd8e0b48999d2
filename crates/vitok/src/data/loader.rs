//! Decoding ahead of the network, on threads, within bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Augment, Dataset, SampleIndex, Sampler};
use crate::media::{Clip, Filter, ReadOptions, Size, resize_u8};
use crate::rng::generator;
use crate::{Error, Result};

/// Images tried in the place of one that cannot be read.
const SUBSTITUTES: u64 = 16;

/// How images are loaded. None of it but `downscale` changes what is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Threads that decode.
    pub workers: usize,
    /// Batches that may lie ready.
    pub prefetch: usize,
    /// Decoded images kept for the next epoch, in MiB.
    pub cache_mib: usize,
    /// Halve images while their shorter side stays at least this long, in pixels; 0 never. Large
    /// photographs then cost little to crop, and many fit in the cache.
    pub downscale: usize,
    /// Give up when more than this share of a dataset cannot be read.
    pub max_bad_fraction: f64,
    /// Refuse images of more pixels.
    pub max_pixels: u64,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            workers: 2,
            prefetch: 3,
            cache_mib: 512,
            downscale: 0,
            max_bad_fraction: 0.05,
            max_pixels: 1 << 28,
        }
    }
}

/// An image that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedSample {
    /// Which.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// Gives the batches of an order, one after the other.
#[derive(Debug)]
pub struct Loader {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    batch: usize,
    next: u64,
    /// Images found unreadable, by dataset.
    bad: Vec<BTreeMap<String, String>>,
}

/// What the workers and the consumer share.
#[derive(Debug)]
struct Shared {
    datasets: Vec<Dataset>,
    augment: Augment,
    config: LoaderConfig,
    patch: usize,
    seed: u64,
    state: Mutex<State>,
    changed: Condvar,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct State {
    order: Sampler,
    /// Places below this one may be worked on.
    end: u64,
    /// Place the order is at.
    claimed: u64,
    done: HashMap<u64, Made>,
    closed: bool,
}

/// What came of one place.
#[derive(Debug)]
struct Made {
    clip: Result<Clip>,
    /// Dataset and image that could not be read on the way.
    bad: Vec<(usize, SkippedSample)>,
}

/// Decoded images kept in memory.
#[derive(Debug, Default)]
struct Kept {
    clips: HashMap<(usize, usize), Arc<Clip>>,
    bytes: usize,
}

impl Loader {
    /// Starts loading batches of `batch` images from place `first` of the order. `shares` are
    /// those of the datasets; `patch` is the side of a token.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for numbers that make no sense; [`Error::Data`] for no datasets.
    pub fn start(
        datasets: Vec<Dataset>,
        shares: &[f64],
        augment: Augment,
        config: LoaderConfig,
        (batch, patch): (usize, usize),
        (seed, first): (u64, u64),
    ) -> Result<Self> {
        augment.check()?;
        if config.workers == 0 || config.prefetch == 0 || batch == 0 {
            return Err(Error::InvalidArgument(
                "data.loader.workers, data.loader.prefetch and train.batch_size must be at least 1".into(),
            ));
        }
        let sizes = datasets.iter().map(|c| c.samples().len());
        let sources: Vec<(usize, f64)> = sizes.zip(shares.iter().copied()).collect();
        if !sources.iter().all(|(_, share)| share.is_finite() && *share >= 0.0)
            || !sources.iter().any(|(_, share)| *share > 0.0)
        {
            return Err(Error::InvalidArgument(
                "data.train: shares must not be negative, and one must be above 0".into(),
            ));
        }
        let mut order = Sampler::new(seed, &sources);
        order.pass(first);
        let bad = datasets.iter().map(|_| BTreeMap::new()).collect();
        let threads = config.workers;
        let shared = Arc::new(Shared {
            datasets,
            augment,
            patch,
            seed,
            state: Mutex::new(State {
                order,
                end: first + (batch * config.prefetch) as u64,
                claimed: first,
                done: HashMap::new(),
                closed: false,
            }),
            config,
            changed: Condvar::new(),
            kept: Mutex::default(),
        });
        let workers = (0..threads).map(|_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.work())
        });
        Ok(Self {
            workers: workers.collect(),
            shared,
            batch,
            next: first,
            bad,
        })
    }

    /// The next batch, and the images newly found unreadable; each had another image of its
    /// dataset put in its place.
    ///
    /// # Errors
    /// [`Error::Data`] when too large a share of a dataset is unreadable.
    pub fn next_batch(&mut self) -> Result<(Vec<Clip>, Vec<SkippedSample>)> {
        let mut clips = Vec::with_capacity(self.batch);
        let mut news = Vec::new();
        for _ in 0..self.batch {
            let made = self.shared.take(self.next);
            self.next += 1;
            for (source, bad) in made.bad {
                let known = &mut self.bad[source];
                if known.insert(bad.name.clone(), bad.reason.clone()).is_none() {
                    news.push(bad);
                }
                self.check_share(source)?;
            }
            clips.push(made.clip?);
        }
        Ok((clips, news))
    }

    fn check_share(&self, source: usize) -> Result<()> {
        let bad = &self.bad[source];
        let dataset = &self.shared.datasets[source];
        let all = dataset.samples().len();
        if bad.len() as f64 <= self.shared.config.max_bad_fraction * all as f64 {
            return Ok(());
        }
        let named: Vec<&str> = bad.values().map(String::as_str).take(3).collect();
        Err(Error::Data {
            name: dataset.name().to_owned(),
            reason: format!(
                "{} of {all} images cannot be read, more than data.loader.max_bad_fraction = {} allows: {}",
                bad.len(),
                self.shared.config.max_bad_fraction,
                named.join("; ")
            ),
        })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        lock(&self.shared.state).closed = true;
        self.shared.changed.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has already said so.
            let _ = worker.join();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// Waits for a place, and lets the workers go one further.
    fn take(&self, place: u64) -> Made {
        let mut state = lock(&self.state);
        loop {
            if let Some(made) = state.done.remove(&place) {
                state.end += 1;
                self.changed.notify_all();
                return made;
            }
            state = wait(&self.changed, state);
        }
    }

    fn work(&self) {
        loop {
            let mut state = lock(&self.state);
            let draw = loop {
                if state.closed {
                    return;
                }
                if state.claimed < state.end {
                    break state.order.next();
                }
                state = wait(&self.changed, state);
            };
            let place = state.claimed;
            state.claimed += 1;
            drop(state);
            let made = match draw {
                Some(draw) => self.make(draw),
                None => Made {
                    clip: Err(Error::InvalidArgument("there are no images to load".into())),
                    bad: Vec::new(),
                },
            };
            lock(&self.state).done.insert(place, made);
            self.changed.notify_all();
        }
    }

    /// Makes the image of a place. What replaces an unreadable one follows from the place too.
    fn make(&self, draw: SampleIndex) -> Made {
        let source = draw.source as u64;
        let mut bad = Vec::new();
        let mut index = draw.index;
        for attempt in 0..SUBSTITUTES {
            let numbers = [self.seed, source, draw.epoch, index as u64, draw.number];
            let made = self.read(draw.source, index).and_then(|clip| {
                let mut rng = generator("augment", &numbers);
                self.augment.apply(&clip, self.patch, &mut rng)
            });
            match made {
                Ok(clip) => {
                    return Made { clip: Ok(clip), bad };
                }
                Err(error) => {
                    let dataset = &self.datasets[draw.source];
                    let name = dataset.samples()[index].name.clone();
                    let reason = error.to_string();
                    bad.push((draw.source, SkippedSample { name, reason }));
                    let mut rng = generator("substitute", &[self.seed, draw.number, attempt]);
                    index = rng.random_range(0..dataset.samples().len());
                }
            }
        }
        let dataset = &self.datasets[draw.source];
        Made {
            clip: Err(Error::Data {
                name: dataset.name().to_owned(),
                reason: format!("{SUBSTITUTES} images in a row cannot be read"),
            }),
            bad,
        }
    }

    /// A clip, downscaled, from memory or from its file.
    fn read(&self, source: usize, index: usize) -> Result<Arc<Clip>> {
        let key = (source, index);
        if let Some(clip) = lock(&self.kept).clips.get(&key) {
            return Ok(clip.clone());
        }
        let options = ReadOptions {
            max_pixels: self.config.max_pixels,
            ..Default::default()
        };
        let clip = self.datasets[source].clip(index, &options)?;
        let clip = Arc::new(downscaled(clip, self.config.downscale)?);
        let mut kept = lock(&self.kept);
        let bytes = clip.shape().values();
        if kept.bytes + bytes <= self.config.cache_mib << 20 && kept.clips.insert(key, clip.clone()).is_none() {
            kept.bytes += bytes;
        }
        Ok(clip)
    }
}

fn wait<'a>(changed: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

/// Halves a clip while its shorter side stays at least `shortest`.
fn downscaled(mut clip: Clip, shortest: usize) -> Result<Clip> {
    while shortest > 0 && clip.size().shortest() / 2 >= shortest {
        let half = Size::new(clip.size().width / 2, clip.size().height / 2);
        clip = clip.map(|frame| resize_u8(&frame, half, Filter::Box))?;
    }
    Ok(clip)
}
