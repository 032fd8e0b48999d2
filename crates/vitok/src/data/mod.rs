//! Datasets: from files on disk to batches of clips, the same ones on any number of threads.
//!
//! ```text
//! folder, list, tar shards -> Dataset (which samples there are) -> Sampler (in which order)
//!                          -> Augment (crop, resize, flip) -> Loader (on threads, ahead) -> Batch
//! ```
//!
//! Which image a position of the order holds, and how it is cropped, follows from the seed and the position alone: not
//! from threads, timing, or where a run was interrupted.

mod augment;
mod cache;
mod config;
mod dataset;
mod listing;
mod loader;
mod open;
pub mod prefetch;
mod sample_reader;
mod sampler;
mod shard_pattern;
mod shards;
mod tar_index;
mod work_queue;

pub use augment::{Augment, Recipe};
pub use config::{DataConfig, DataSource, LoaderConfig, WeightedSource};
pub use dataset::{Dataset, Sample};
pub use loader::{Batch, Loader, LoaderOptions};
pub use sample_reader::SkippedSample;
pub use sampler::{SampleIndex, Sampler};
