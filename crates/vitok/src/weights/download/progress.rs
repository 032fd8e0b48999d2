//! Counting the bytes of a download.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::observe::{Event, Observer};

/// Counts the bytes of a file as they arrive; clones share the counts.
#[derive(Clone, Default)]
pub(in crate::weights) struct Progress(Arc<Counts>);

#[derive(Default)]
struct Counts {
    done: AtomicU64,
    total: AtomicU64,
    abandoned: AtomicBool,
}

impl Progress {
    /// Bytes of the file on this machine, those of earlier attempts included.
    pub(super) fn done(&self) -> u64 {
        self.0.done.load(Relaxed)
    }

    /// Bytes of the whole file; 0 until the server has said.
    pub(super) fn total(&self) -> u64 {
        self.0.total.load(Relaxed)
    }

    /// Begins a count: `done` bytes of `total` are here.
    pub(in crate::weights) fn start(&self, done: u64, total: u64) {
        self.0.total.store(total, Relaxed);
        self.0.done.store(done, Relaxed);
    }

    /// Counts bytes that have arrived.
    pub(in crate::weights) fn add(&self, bytes: u64) {
        self.0.done.fetch_add(bytes, Relaxed);
    }

    /// Says that nobody waits for the download any more.
    pub(super) fn abandon(&self) {
        self.0.abandoned.store(true, Relaxed);
    }

    /// Whether whoever counts here should stop at the next bytes that arrive.
    pub(in crate::weights) fn is_abandoned(&self) -> bool {
        self.0.abandoned.load(Relaxed)
    }

    /// Tells the observer how much of `file` is here, once the server has said how large it is.
    pub(super) fn tell(&self, file: &str, observer: &dyn Observer) {
        let (done, total) = (self.done(), self.total());
        if total > 0 {
            observer.event(Event::Download { file, done, total });
        }
    }
}
