//! The one integration binary; a module for each subject.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

mod bad_entries;
mod boundaries;
mod conv;
mod data;
mod dtypes;
mod evaluate;
mod evaluation_scores;
mod evaluation_state;
mod features;
mod golden;
mod hub;
mod hub_environment;
mod hub_hostile;
mod image_metrics;
mod invariance;
mod kernels;
mod latent_files;
mod losses;
mod media;
mod model_configs;
mod ms_ssim;
mod parity;
mod pretrained_weights;
mod run_settings;
mod runs;
mod server;
mod set_metrics;
mod state_dict;
mod statistics_files;
mod training;
mod variants;
mod weights;
