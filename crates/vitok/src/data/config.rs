//! The section `data` of a training run's configuration.

use serde::{Deserialize, Serialize};

use super::{Augment, Dataset};
use crate::observe::{Event, Observer};
use crate::toml_file::invalid_value;
use crate::{Error, Result};

/// Which images, and how they are prepared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Datasets to train on: folders of images, lists of paths (one a line), `.tar`, `.tar.gz` or `.tgz` shards (with
    /// braces for several: `train-{000..099}.tar`; `masks.tar#depth.png` takes that image of each sample), or images. An entry may be `{ path = "…", weight = 2.0 }` instead: its
    /// weight in the mixture, relative to the others'. Without weights every image is as likely; either all entries have
    /// one or none.
    pub train: Vec<DataSource>,
    /// Paths of datasets to validate on, of the same kinds; none of their images may be in `train`.
    #[serde(default)]
    pub validation: Vec<String>,
    /// Crops and flips.
    #[serde(default)]
    pub augment: Augment,
    /// Threads and memory of the loader. Only `downscale` changes what is trained on.
    #[serde(default)]
    pub loader: LoaderConfig,
}

/// A dataset and its weight in the mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(
    untagged,
    expecting = "expected the path of a dataset, or { path = \"…\", weight = 1.0 }"
)]
pub enum DataSource {
    /// Weighted by the number of its images.
    Path(String),
    /// With a given weight.
    Weighted(WeightedSource),
}

/// A dataset with a given weight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WeightedSource {
    /// The dataset.
    pub path: String,
    /// Its weight in the mixture, relative to the others'.
    pub weight: f64,
}

/// How images are loaded. None of it but `downscale` changes what is loaded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LoaderConfig {
    /// Threads that read and decode.
    pub workers: usize,
    /// Batches decoded ahead.
    pub prefetch: usize,
    /// Decoded images kept for the next epoch, in MiB.
    pub cache_mib: usize,
    /// Halve images while their shorter side stays at least this long, in pixels; 0 never. Large photographs then cost
    /// little to crop, and many fit in the cache.
    pub downscale: usize,
    /// Give up when more than this fraction of a dataset cannot be read, 0 to 1.
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

impl LoaderConfig {
    /// Checks the ranges of the values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn check(&self) -> Result<()> {
        if self.workers == 0 || self.prefetch == 0 {
            return Err(invalid_value(
                "data.loader.workers and data.loader.prefetch must be at least 1",
            ));
        }
        if !(0.0..=1.0).contains(&self.max_bad_fraction) {
            return Err(invalid_value("data.loader.max_bad_fraction must be from 0 to 1"));
        }
        Ok(())
    }
}

impl DataSource {
    /// The path of the dataset, as [`Dataset::open`] takes it.
    pub fn path(&self) -> &str {
        match self {
            DataSource::Path(path) => path,
            DataSource::Weighted(source) => &source.path,
        }
    }

    fn weight(&self) -> Option<f64> {
        match self {
            DataSource::Path(_) => None,
            DataSource::Weighted(source) => Some(source.weight),
        }
    }
}

impl DataConfig {
    /// Checks the ranges of the values.
    ///
    /// # Errors
    /// [`Error::Config`] naming the key.
    pub fn check(&self) -> Result<()> {
        self.augment.check()?;
        self.loader.check()?;
        if self.train.is_empty() {
            return Err(invalid_value("data.train names no dataset"));
        }
        let weights: Vec<f64> = self.train.iter().filter_map(DataSource::weight).collect();
        if weights.is_empty() {
            return Ok(());
        }
        if weights.len() < self.train.len() {
            return Err(invalid_value("data.train: give every dataset a weight, or none"));
        }
        let valid = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
        if !valid || !weights.iter().any(|weight| *weight > 0.0) {
            return Err(invalid_value(
                "data.train: weights must not be negative, and one must be above 0",
            ));
        }
        Ok(())
    }

    /// Opens the datasets to train on, and gives their weights in the mixture: those of the configuration, or the
    /// numbers of images. What is wrong with a dataset but does not stop the rest is a warning.
    ///
    /// # Errors
    /// As [`check`](Self::check) and [`Dataset::open`]; [`Error::Data`] if more than `loader.max_bad_fraction` of a
    /// dataset's files cannot be read.
    pub fn open(&self, observer: &dyn Observer) -> Result<(Vec<Dataset>, Vec<f64>)> {
        self.check()?;
        let open = |source: &DataSource| {
            let dataset = Dataset::open(source.path())?;
            for warning in dataset.warnings() {
                observer.event(Event::Warning(warning));
            }
            self.check_missing(&dataset)?;
            let weight = source.weight().unwrap_or(dataset.samples().len() as f64);
            Ok((dataset, weight))
        };
        let opened: Vec<(Dataset, f64)> = self.train.iter().map(open).collect::<Result<_>>()?;
        Ok(opened.into_iter().unzip())
    }

    fn check_missing(&self, dataset: &Dataset) -> Result<()> {
        let (missing, all) = (dataset.missing(), dataset.samples().len());
        let max_bad_fraction = self.loader.max_bad_fraction;
        if missing as f64 <= max_bad_fraction * all as f64 {
            return Ok(());
        }
        Err(Error::Data {
            name: dataset.name().to_owned(),
            reason: format!(
                "{missing} of {all} files cannot be read, more than data.loader.max_bad_fraction = {max_bad_fraction} allows"
            ),
        })
    }
}
