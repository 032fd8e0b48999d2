//! The one integration binary; a module for each subject.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

mod convolution;
mod data;
mod features;
mod fused;
mod golden;
mod hub;
mod image_metrics;
mod invariance;
mod known_weights;
mod latent_files;
mod losses;
mod ms_ssim;
mod parity;
mod pixels;
mod plans;
mod runs;
mod set_metrics;
mod statistics_files;
mod training;
mod variants;
mod weight_file;
mod weights;
