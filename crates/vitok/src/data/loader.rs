//! Decoding ahead of the network, on threads, within bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::{Augment, Collection, Draw, Order};
use crate::pixels::{Filter, Picture, ReadOptions, Size, resize_u8};
use crate::random::generator;
use crate::{Error, Result};

/// Pictures tried in the place of one that cannot be read.
const SUBSTITUTES: u64 = 16;

/// How pictures are loaded. None of it but `shrink` changes what is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct LoaderConfig {
    /// Threads that decode.
    pub threads: usize,
    /// Batches that may lie ready.
    pub ahead: usize,
    /// Decoded pictures kept for the next epoch, in MiB.
    pub memory: usize,
    /// Halve pictures while their shorter side stays at least this long, in pixels; 0 never. Large
    /// photographs then cost little to crop, and many fit in `memory`.
    pub shrink: usize,
    /// Give up when more than this share of a collection cannot be read.
    pub max_bad: f64,
    /// Refuse pictures of more pixels.
    pub max_pixels: u64,
}

impl Default for LoaderConfig {
    fn default() -> Self {
        Self {
            threads: 2,
            ahead: 3,
            memory: 512,
            shrink: 0,
            max_bad: 0.05,
            max_pixels: 1 << 28,
        }
    }
}

/// A picture that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
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
    /// Pictures found unreadable, by collection.
    bad: Vec<BTreeMap<String, String>>,
}

/// What the workers and the consumer share.
#[derive(Debug)]
struct Shared {
    collections: Vec<Collection>,
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
    order: Order,
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
    picture: Result<Picture>,
    /// Collection and picture that could not be read on the way.
    bad: Vec<(usize, Bad)>,
}

/// Decoded pictures kept in memory.
#[derive(Debug, Default)]
struct Kept {
    pictures: HashMap<(usize, usize), Arc<Picture>>,
    bytes: usize,
}

impl Loader {
    /// Starts loading batches of `batch` pictures from place `first` of the order. `shares` are
    /// those of the collections; `patch` is the side of a token.
    ///
    /// # Errors
    /// [`Error::Input`] for numbers that make no sense; [`Error::Data`] for no collections.
    pub fn start(
        collections: Vec<Collection>,
        shares: &[f64],
        augment: Augment,
        config: LoaderConfig,
        (batch, patch): (usize, usize),
        (seed, first): (u64, u64),
    ) -> Result<Self> {
        augment.check()?;
        if config.threads == 0 || config.ahead == 0 || batch == 0 {
            return Err(Error::Input(
                "data.loader.threads, data.loader.ahead and train.batch must be at least 1".into(),
            ));
        }
        let sizes = collections.iter().map(|c| c.records().len());
        let sources: Vec<(usize, f64)> = sizes.zip(shares.iter().copied()).collect();
        if !sources
            .iter()
            .all(|(_, share)| share.is_finite() && *share >= 0.0)
            || !sources.iter().any(|(_, share)| *share > 0.0)
        {
            return Err(Error::Input(
                "data.train: shares must not be negative, and one must be above 0".into(),
            ));
        }
        let mut order = Order::new(seed, &sources);
        order.pass(first);
        let bad = collections.iter().map(|_| BTreeMap::new()).collect();
        let threads = config.threads;
        let shared = Arc::new(Shared {
            collections,
            augment,
            patch,
            seed,
            state: Mutex::new(State {
                order,
                end: first + (batch * config.ahead) as u64,
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

    /// The next batch, and the pictures newly found unreadable; each had another picture of its
    /// collection put in its place.
    ///
    /// # Errors
    /// [`Error::Data`] when too large a share of a collection is unreadable.
    pub fn next_batch(&mut self) -> Result<(Vec<Picture>, Vec<Bad>)> {
        let mut pictures = Vec::with_capacity(self.batch);
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
            pictures.push(made.picture?);
        }
        Ok((pictures, news))
    }

    fn check_share(&self, source: usize) -> Result<()> {
        let bad = &self.bad[source];
        let collection = &self.shared.collections[source];
        let all = collection.records().len();
        if bad.len() as f64 <= self.shared.config.max_bad * all as f64 {
            return Ok(());
        }
        let named: Vec<&str> = bad.values().map(String::as_str).take(3).collect();
        Err(Error::Data {
            name: collection.name().to_owned(),
            reason: format!(
                "{} of {all} pictures cannot be read, more than data.loader.max-bad = {} allows: {}",
                bad.len(),
                self.shared.config.max_bad,
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
                    picture: Err(Error::Input("there are no pictures to load".into())),
                    bad: Vec::new(),
                },
            };
            lock(&self.state).done.insert(place, made);
            self.changed.notify_all();
        }
    }

    /// Makes the picture of a place. What replaces an unreadable one follows from the place too.
    fn make(&self, draw: Draw) -> Made {
        let source = draw.source as u64;
        let mut bad = Vec::new();
        let mut index = draw.index;
        for attempt in 0..SUBSTITUTES {
            let numbers = [self.seed, source, draw.epoch, index as u64, draw.number];
            let made = self.read(draw.source, index).and_then(|picture| {
                let mut rng = generator("augment", &numbers);
                self.augment.apply(&picture, self.patch, &mut rng)
            });
            match made {
                Ok(picture) => {
                    return Made {
                        picture: Ok(picture),
                        bad,
                    };
                }
                Err(error) => {
                    let collection = &self.collections[draw.source];
                    let name = collection.records()[index].name.clone();
                    let reason = error.to_string();
                    bad.push((draw.source, Bad { name, reason }));
                    let mut rng = generator("substitute", &[self.seed, draw.number, attempt]);
                    index = rng.random_range(0..collection.records().len());
                }
            }
        }
        let collection = &self.collections[draw.source];
        Made {
            picture: Err(Error::Data {
                name: collection.name().to_owned(),
                reason: format!("{SUBSTITUTES} pictures in a row cannot be read"),
            }),
            bad,
        }
    }

    /// A picture, shrunk, from memory or from its file.
    fn read(&self, source: usize, index: usize) -> Result<Arc<Picture>> {
        let key = (source, index);
        if let Some(picture) = lock(&self.kept).pictures.get(&key) {
            return Ok(picture.clone());
        }
        let options = ReadOptions {
            max_pixels: self.config.max_pixels,
            ..Default::default()
        };
        let picture = self.collections[source].picture(index, &options)?;
        let picture = Arc::new(shrunk(picture, self.config.shrink)?);
        let mut kept = lock(&self.kept);
        let bytes = picture.rgb().len();
        if kept.bytes + bytes <= self.config.memory << 20
            && kept.pictures.insert(key, picture.clone()).is_none()
        {
            kept.bytes += bytes;
        }
        Ok(picture)
    }
}

fn wait<'a>(changed: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

fn shrunk(mut picture: Picture, shortest: usize) -> Result<Picture> {
    while shortest > 0 && picture.size().shortest() / 2 >= shortest {
        let half = Size::new(picture.width() / 2, picture.height() / 2);
        picture = resize_u8(&picture, half, Filter::Box)?;
    }
    Ok(picture)
}
