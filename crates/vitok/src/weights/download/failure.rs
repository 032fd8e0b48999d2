//! What can go wrong with a download.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// A failed request or download.
#[derive(Debug)]
pub(in crate::weights) enum Failure {
    /// The observer asked to stop.
    Cancelled,
    /// No answer at all; why.
    Unreachable(String),
    /// Status 401 or 403.
    Refused(u16),
    /// Status 404; what is missing.
    Missing(String),
    /// Status 429 or 5xx.
    Busy(u16),
    /// The connection broke off amid a file; why.
    Interrupted(String),
    /// Nothing arrived for this long.
    Stalled(Duration),
    /// Bytes arrive, but so slowly that it would never end; how many a second.
    Slow(f64),
    /// The part on disk is not the beginning of what the server has.
    StalePart,
    /// What arrived is not what was announced, and was deleted; why.
    Damaged(String),
    /// Another process is fetching the same; its lock file.
    Locked(PathBuf),
    /// The disk does not take it; why.
    Disk(String),
    /// An answer that does not fit the question.
    Unexpected(String),
}

impl Failure {
    /// The failure that an HTTP status stands for; `what` is what was asked for.
    pub(in crate::weights) fn of_status(status: u16, what: &str) -> Self {
        match status {
            401 | 403 => Failure::Refused(status),
            404 => Failure::Missing(what.to_owned()),
            416 => Failure::StalePart,
            429 | 500..=599 => Failure::Busy(status),
            _ => Failure::Unexpected(format!("status {status} for {what}")),
        }
    }

    /// Whether the same request may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Failure::Interrupted(_) | Failure::Busy(_))
    }

    /// Whether a new download goes on where this one stopped.
    pub(in crate::weights) fn is_resumable(&self) -> bool {
        matches!(self, Failure::Interrupted(_) | Failure::Stalled(_) | Failure::Slow(_))
    }

    /// What happened, and what to do about it where that is the same for every download. `server` is the address asked,
    /// `folder` where the file is kept.
    pub(in crate::weights) fn message(&self, server: &str, folder: &Path) -> String {
        let folder = folder.display();
        match self {
            Failure::Cancelled => "cancelled".into(),
            Failure::Unreachable(why) => {
                format!("{server} cannot be reached ({why}). Check the network; behind a proxy set HTTPS_PROXY")
            }
            Failure::Refused(status) => format!("{server} refuses access (status {status})"),
            Failure::Missing(what) => format!("{server} has no {what} (status 404)"),
            Failure::Busy(status) => {
                format!("{server} is overloaded or out of order (status {status}). Try again later")
            }
            Failure::Interrupted(why) => {
                format!("the connection to {server} broke off ({why}); another download goes on where this one stopped")
            }
            Failure::Stalled(timeout) => format!(
                "nothing came from {server} for {} seconds; another download goes on where this one stopped",
                timeout.as_secs_f32()
            ),
            Failure::Slow(rate) => {
                format!("{server} sends only {rate:.0} bytes a second; another download goes on where this one stopped")
            }
            Failure::Damaged(why) => format!(
                "it arrived damaged and was deleted: {why}. If another download does not help, the copy at {server} is bad"
            ),
            Failure::StalePart => {
                format!("the part of a file in {folder} does not fit what {server} has. Delete the .part files there")
            }
            Failure::Locked(lock) => format!(
                "another process is fetching it (lock {}). Wait for it to end",
                lock.display()
            ),
            Failure::Disk(why) => format!("{folder} cannot be written ({why}). Make room there"),
            Failure::Unexpected(what) => format!("{server} does not answer as it should ({what})"),
        }
    }
}
