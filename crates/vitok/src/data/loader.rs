//! Batches of clips, decoded ahead of the network on threads, within bounded memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::cache::ClipCache;
use super::sample_reader::{LoadedSample, SampleReader, SkippedSample};
use super::work_queue::WorkQueue;
use super::{Augment, Dataset, LoaderConfig, Sampler};
use crate::media::{Clip, ReadOptions};
use crate::{Error, Result};

/// What a [`Loader`] makes of its datasets.
#[derive(Clone, Debug)]
pub struct LoaderOptions {
    /// Crops and flips.
    pub augment: Augment,
    /// Threads and memory.
    pub config: LoaderConfig,
    /// Clips of a batch.
    pub batch_size: usize,
    /// Side of a token in pixels, which a budget of tokens is counted in.
    pub patch_size: usize,
    /// Decides the order, the crops and the flips.
    pub seed: u64,
    /// Position of the first clip: steps taken before * batch size.
    pub first_position: u64,
}

/// The batches of an endless order, one after the other.
#[derive(Debug)]
pub struct Loader {
    queue: Arc<WorkQueue<Sampler, LoadedSample>>,
    reader: Arc<SampleReader>,
    workers: Vec<JoinHandle<()>>,
    batch_size: usize,
    max_bad_fraction: f64,
    /// Samples found unreadable and why, by dataset and name.
    unreadable: Vec<BTreeMap<String, String>>,
}

/// What a step is taken on.
#[derive(Debug)]
pub struct Batch {
    /// As many clips as the batch size, in the order of their positions.
    pub clips: Vec<Clip>,
    /// Samples newly found unreadable; each had another one of its dataset put in its place.
    pub skipped: Vec<SkippedSample>,
}

impl Loader {
    /// Starts threads that load batches of a mixture of `datasets`, whose `weights` are relative to each other.
    ///
    /// # Errors
    /// [`Error::Config`] for options out of their range; [`Error::InvalidArgument`] for a batch size of 0, and for weights
    /// that are negative, all 0, or not as many as datasets.
    pub fn start(datasets: Vec<Dataset>, weights: &[f64], options: LoaderOptions) -> Result<Self> {
        options.augment.check()?;
        options.config.check()?;
        if options.batch_size == 0 {
            return Err(Error::InvalidArgument("a batch needs at least one clip".into()));
        }
        let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !valid || weights.len() != datasets.len() || !weights.iter().any(|weight| *weight > 0.0) {
            return Err(Error::InvalidArgument(
                "every dataset needs a weight, none negative, one above 0".into(),
            ));
        }
        let sizes = datasets.iter().map(|dataset| dataset.samples().len());
        let mixture: Vec<(usize, f64)> = sizes.zip(weights.iter().copied()).collect();
        let mut sampler = Sampler::new(options.seed, &mixture);
        sampler.advance(options.first_position);

        let config = options.config;
        let queue = WorkQueue::new(sampler, (options.batch_size * config.prefetch) as u64, u64::MAX);
        let queue = Arc::new(queue);
        let unreadable = datasets.iter().map(|_| BTreeMap::new()).collect();
        let reader = Arc::new(SampleReader {
            datasets,
            augment: options.augment,
            patch_size: options.patch_size,
            seed: options.seed,
            downscale: config.downscale,
            options: ReadOptions {
                max_pixels: config.max_pixels,
                ..Default::default()
            },
            cache: ClipCache::new(config.cache_mib << 20),
        });
        let workers = (0..config.workers).map(|_| {
            let (queue, reader) = (queue.clone(), reader.clone());
            std::thread::spawn(move || queue.work(|_| 0, |sample| reader.load(sample)))
        });
        Ok(Self {
            workers: workers.collect(),
            queue,
            reader,
            batch_size: options.batch_size,
            max_bad_fraction: config.max_bad_fraction,
            unreadable,
        })
    }

    /// The next batch.
    ///
    /// # Errors
    /// [`Error::Data`] when too large a fraction of a dataset is unreadable; [`Error::Internal`] if reading panicked.
    pub fn next_batch(&mut self) -> Result<Batch> {
        let mut clips = Vec::with_capacity(self.batch_size);
        let mut skipped = Vec::new();
        for _ in 0..self.batch_size {
            let no_samples = || Error::InvalidArgument("there are no samples to load".into());
            let panicked = || Error::Internal("reading a sample panicked".into());
            let loaded = self.queue.take().ok_or_else(no_samples)?.ok_or_else(panicked)?;
            for (dataset, sample) in loaded.skipped {
                let known = &mut self.unreadable[dataset];
                if known.insert(sample.name.clone(), sample.reason.clone()).is_none() {
                    skipped.push(sample);
                }
                self.check_unreadable(dataset)?;
            }
            clips.push(loaded.clip?);
        }
        Ok(Batch { clips, skipped })
    }

    fn check_unreadable(&self, dataset: usize) -> Result<()> {
        let unreadable = &self.unreadable[dataset];
        let dataset = &self.reader.datasets[dataset];
        let all = dataset.samples().len();
        if unreadable.len() as f64 <= self.max_bad_fraction * all as f64 {
            return Ok(());
        }
        let reasons: Vec<&str> = unreadable.values().map(String::as_str).take(3).collect();
        Err(Error::Data {
            name: dataset.name().to_owned(),
            reason: format!(
                "{} of {all} images cannot be read, more than data.loader.max_bad_fraction = {} allows: {}",
                unreadable.len(),
                self.max_bad_fraction,
                reasons.join("; ")
            ),
        })
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.queue.close();
        for worker in self.workers.drain(..) {
            // A panic of a job is caught, so that a worker has none.
            let _ = worker.join();
        }
    }
}
