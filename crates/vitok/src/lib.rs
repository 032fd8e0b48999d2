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
mod rng;
pub mod tokenizer;
pub mod toml_file;
pub mod train;
pub mod weights;

/// Burn's device, where tensors are and what computes with them.
pub use burn::tensor::Device;
pub use device::open_device;
pub use error::{Error, Remedy, Result};

/// For the tests of this repository: parts of the library that are not its interface and change without notice.
#[doc(hidden)]
pub mod internals {
    pub use crate::nn::conv::{Activation, Convolution, max_pool, max_pool_composed, mean_pool, mean_pool_composed};
    pub use crate::nn::window::Window;
}
