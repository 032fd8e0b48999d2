#![doc = include_str!("../README.md")]

pub mod baselines;
pub mod config;
pub mod data;
mod device;
mod error;
pub mod evaluate;
pub mod features;
pub mod files;
pub mod hub;
pub mod latents;
pub mod losses;
pub mod nn;
pub mod patches;
pub mod pixels;
mod random;
pub mod tensor_file;
pub mod tokenizer;
pub mod train;
pub mod weight_file;

/// Burn's device, where tensors are and what computes with them.
pub use burn::tensor::Device;
pub use device::open_device;
pub use error::{Error, Result};
