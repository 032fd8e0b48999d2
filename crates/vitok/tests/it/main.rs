//! The one integration binary; a module for each subject.

mod golden;
mod hub;
mod image_metrics;
mod invariance;
mod latent_files;
mod parity;
mod pixels;
mod plans;
mod variants;
mod weights;
