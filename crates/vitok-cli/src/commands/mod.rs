//! One module a command: `run` calls the library, prints, and returns how it ended.

pub mod completions;
pub mod convert;
pub mod decode;
pub mod download;
mod download_metrics;
pub mod encode;
pub mod evaluate;
mod files;
pub mod info;
pub mod init;
mod model;
pub mod reconstruct;
pub mod train;
mod train_watcher;

/// How a command ended, where it was no error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All went well.
    Done,
    /// Something failed, and was told.
    Failures,
    /// Ctrl-C stopped it.
    Stopped,
}
