#![doc = include_str!("../README.md")]

pub mod data;
mod device;
pub mod env;
mod error;
pub mod evaluate;
pub mod features;
pub mod files;
pub mod losses;
pub mod media;
pub mod metrics;
pub mod nn;
pub mod observe;
pub mod patches;
pub mod pipeline;
mod rng;
pub mod tokenizer;
pub mod toml_file;
pub mod train;
pub mod weights;

/// Burn's device, where tensors are and what computes with them.
pub use burn::tensor::Device;
pub use device::open_device;
pub use error::{Error, Remedy, Result};
