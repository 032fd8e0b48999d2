#![doc = include_str!("../README.md")]

pub mod baselines;
pub mod config;
pub mod data;
mod device;
mod error;
pub mod evaluate;
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

pub use device::open_device;
pub use error::{Error, Result};
