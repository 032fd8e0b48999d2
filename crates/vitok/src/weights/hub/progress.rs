//! Counting the bytes of a download, for the watchdog and for whoever waits.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Counts what arrives; clones share the count.
#[derive(Clone, Default)]
pub(crate) struct Meter {
    seen: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
}

impl Meter {
    /// Bytes of the file on this machine, those of earlier attempts included.
    pub(crate) fn seen(&self) -> u64 {
        self.seen.load(Relaxed)
    }

    /// Bytes of the whole file; 0 until the server has said.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// Begins a count: `seen` bytes of `total` are here.
    pub(crate) fn start(&self, seen: u64, total: u64) {
        self.total.store(total, Relaxed);
        self.seen.store(seen, Relaxed);
    }

    /// Counts bytes that have arrived.
    pub(crate) fn add(&self, bytes: u64) {
        self.seen.fetch_add(bytes, Relaxed);
    }
}

impl hf_hub::api::Progress for Meter {
    fn init(&mut self, size: usize, _file: &str) {
        self.start(0, size as u64);
    }

    fn update(&mut self, size: usize) {
        self.add(size as u64);
    }

    fn finish(&mut self) {}
}

/// One line on standard error about one file.
pub(super) struct Line<'a> {
    file: &'a str,
    /// Rewritten in place only where someone is looking; a log gets the last state.
    live: bool,
    wanted: bool,
    start: Option<(Instant, u64)>,
}

impl<'a> Line<'a> {
    pub(super) fn new(file: &'a str, wanted: bool) -> Self {
        Self {
            file,
            live: wanted && std::io::stderr().is_terminal(),
            wanted,
            start: None,
        }
    }

    pub(super) fn show(&mut self, meter: &Meter) {
        if self.live && meter.total() > 0 {
            let text = self.text(meter);
            // Nothing depends on this line, so neither do we on its being written.
            let _ = write!(std::io::stderr(), "\r{text}\x1b[K");
        }
    }

    pub(super) fn end(&mut self, meter: &Meter) {
        if self.wanted && meter.total() > 0 {
            let text = self.text(meter);
            let start = if self.live { "\r" } else { "" };
            let end = if self.live { "\x1b[K\n" } else { "\n" };
            let _ = write!(std::io::stderr(), "{start}{text}{end}");
        }
    }

    fn text(&mut self, meter: &Meter) -> String {
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        let (seen, total) = (meter.seen(), meter.total());
        // From the first context on, so that bytes of an earlier run do not count as speed.
        let (since, at) = *self.start.get_or_insert((Instant::now(), seen));
        let mut text = format!("{}: {:.1} of {:.1} MB", self.file, megabytes(seen), megabytes(total));
        let passed = since.elapsed();
        if passed > Duration::from_secs(1) {
            let speed = megabytes(seen.saturating_sub(at)) / passed.as_secs_f64();
            text += &format!(", {speed:.1} MB/s");
        }
        text
    }
}
