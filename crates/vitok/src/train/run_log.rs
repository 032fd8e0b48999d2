//! The log of a run, `events.jsonl`: a [`TrainEvent`] a line, as JSON.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{TrainEvent, TrainObserver};
use crate::files::write_atomically;
use crate::observe::Event;
use crate::{Error, Result};

/// Writes events into the log and tells the observer of them.
pub(super) struct RunLog<'a> {
    path: PathBuf,
    observer: &'a dyn TrainObserver,
    /// Whether a line could not be written; warned of once.
    failed: bool,
}

impl<'a> RunLog<'a> {
    /// The log of a run that has taken `step` steps. What an interrupted run did after its last checkpoint is done again,
    /// so that its events are removed.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(path: PathBuf, step: u64, observer: &'a dyn TrainObserver) -> Result<Self> {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io(&path, "read", e)),
        };
        let remains = |line: &&str| {
            let event: Value = serde_json::from_str(line).unwrap_or_default();
            // A line cut off by a kill is no JSON.
            event["step"].as_u64().is_some_and(|at| at <= step) && event["event"] != "end"
        };
        let lines: Vec<&str> = text.lines().filter(remains).collect();
        if !text.is_empty() {
            write_atomically(&path, |out| lines.iter().try_for_each(|line| writeln!(out, "{line}")))?;
        }
        Ok(Self {
            path,
            observer,
            failed: false,
        })
    }

    /// Adds an event. A failure to write is a warning: the run goes on.
    pub fn add(&mut self, event: &TrainEvent) {
        self.observer.train_event(event);
        if let Err(error) = self.write(event)
            && !self.failed
        {
            self.failed = true;
            self.warn(&format!("{}; training goes on without it", error.message()));
        }
    }

    /// Warns the observer.
    pub fn warn(&self, text: &str) {
        self.observer.event(Event::Warning(text));
    }

    fn write(&self, event: &TrainEvent) -> Result<()> {
        let mut line =
            serde_json::to_vec(event).map_err(|e| Error::Internal(format!("an event cannot be written: {e}")))?;
        line.push(b'\n');
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        file.and_then(|mut file| file.write_all(&line))
            .map_err(|e| Error::io(&self.path, "write", e))
    }
}

/// Reads the events of a run's `events.jsonl`.
///
/// # Errors
/// [`Error::Io`].
pub fn read_events(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::io(path, "read", e))?;
    let events = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    Ok(events.collect())
}
