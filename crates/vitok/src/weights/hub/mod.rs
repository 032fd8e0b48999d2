//! Fetching models from the Hugging Face hub into its usual cache, and finding them there.
//!
//! The cache is the one that other programs use, so a model fetched by one is there for all. [`Hub::from_env`] says which
//! environment variables count.

mod download;
mod explain;
mod model_ref;
mod releases;
mod remote;
mod settings;
mod snapshot;

pub use download::{cached, download};
pub use releases::{RELEASES, Release, find};
pub use settings::Hub;
