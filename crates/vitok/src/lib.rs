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

pub use burn;
pub use burn::tensor::Device;

pub use device::open_device;
pub use error::{Error, Remedy, Result};
pub use media::Clip;
pub use observe::Observer;
pub use tokenizer::{Codec, Latents, LoadPart, Tokenizer, load};

/// Reads a still image as a clip of one frame, with the default options of [`media::ReadOptions`].
///
/// # Errors
/// As [`media::read_image`].
pub fn read_image(path: &std::path::Path) -> Result<Clip> {
    Ok(media::read_image(path, &media::ReadOptions::default())?.into())
}

/// For the tests of this repository: parts of the library that are not its interface and change without notice.
/// `*_composed` are the references in plain Burn operations.
#[doc(hidden)]
pub mod internals {
    pub use crate::nn::conv::{Activation, Convolution, max_pool, max_pool_composed, mean_pool, mean_pool_composed};
    pub use crate::nn::window::Window;
}
