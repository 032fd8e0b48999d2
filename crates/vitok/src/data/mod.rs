//! Data sets: from files on disk to batches of images, the same ones whoever loads them.
//!
//! ```text
//! folder, list, tar shards -> Dataset (what there is) -> Sampler (what comes when)
//!                          -> Augment (crop, resize, flip) -> Loader (ahead, on threads) -> images
//! ```
//!
//! Which image a place of a batch holds, and how it is cropped, follows from the seed and the
//! place alone: not from threads, timing, or where a run was interrupted.

mod augment;
mod dataset;
mod loader;
pub mod prefetch;
mod sampler;
mod shards;

pub use augment::{Augment, Recipe};
pub use dataset::{Dataset, Sample};
pub use loader::{Loader, LoaderConfig, SkippedSample};
pub use sampler::{SampleIndex, Sampler};
