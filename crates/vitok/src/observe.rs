//! How the library tells what it does: to a progress bar, a log, a notebook, a test. It prints nothing itself.

use std::path::Path;

use crate::Error;

/// Watches long work, and may stop it. All methods have a default that does nothing.
///
/// Methods take `&self` and may be called from several threads.
pub trait Observer: Sync {
    /// Called when something happens.
    fn event(&self, event: Event<'_>) {
        let _ = event;
    }

    /// Asked between pieces of work: whether to stop. What was done so far is kept, and the call returns
    /// [`Error::Cancelled`] or says that it is not finished.
    fn cancelled(&self) -> bool {
        false
    }
}

/// What happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A task begins, or goes on from where it was stopped.
    Begin {
        /// What is done, for people: a file set's or a model's name.
        task: &'a str,
        /// Units done before.
        done: u64,
        /// Units in all.
        total: u64,
    },
    /// The task under way has advanced.
    Progress {
        /// Units done.
        done: u64,
        /// What the latest unit is, such as a file's name; may be empty.
        item: &'a str,
    },
    /// The task is done or stopped.
    End,
    /// Bytes of a download: several times a second while a file arrives, and once more at the end of an attempt at it.
    Download {
        /// The file.
        file: &'a str,
        /// Bytes on this machine, those of earlier attempts included.
        done: u64,
        /// Bytes of the whole file.
        total: u64,
    },
    /// A clip so large that it will take long; told before it is begun.
    LongClip {
        /// The file.
        file: &'a Path,
        /// Its tokens.
        tokens: usize,
        /// About how long it will take, by the time of a small clip on this machine.
        seconds: f64,
    },
    /// One file of many failed; the rest goes on.
    Failure {
        /// The file.
        file: &'a Path,
        /// What went wrong.
        error: &'a Error,
    },
    /// Something is wrong but does not stop the work.
    Warning(&'a str),
    /// Something that a user should know.
    Note(&'a str),
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
