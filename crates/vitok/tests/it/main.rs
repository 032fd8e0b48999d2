//! The one integration binary; a module for each subject.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

mod data;
mod fused;
mod golden;
mod hub;
mod image_metrics;
mod invariance;
mod latent_files;
mod losses;
mod parity;
mod pixels;
mod plans;
mod runs;
mod training;
mod variants;
mod weights;
