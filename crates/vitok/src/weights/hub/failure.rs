//! What can go wrong while fetching, in terms of what the user can do about it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::sync::ApiError;

/// A failed request or download.
#[derive(Debug)]
pub(crate) enum Failure {
    /// No answer at all.
    Unreachable(String),
    /// 401 or 403.
    Refused(u16),
    /// 404; what is missing.
    Missing(String),
    /// 429 or 5xx.
    Busy(u16),
    /// Broke off half-way.
    Interrupted(String),
    /// Nothing arrived for this long.
    Stalled(Duration),
    /// The part already here is not the beginning of what the server has.
    StalePart,
    /// Someone else is at it; the lock.
    Locked(PathBuf),
    /// The disk does not take it.
    Disk(String),
    /// An answer the hub would not give.
    Odd(String),
}

impl Failure {
    /// Whether the same request may succeed a moment later.
    pub(super) fn is_transient(&self) -> bool {
        matches!(self, Failure::Interrupted(_) | Failure::Busy(_))
    }

    pub(crate) fn of_status(status: u16, what: &str) -> Self {
        match status {
            401 | 403 => Failure::Refused(status),
            404 => Failure::Missing(what.to_owned()),
            416 => Failure::StalePart,
            429 | 500..=599 => Failure::Busy(status),
            _ => Failure::Odd(format!("status {status} for {what}")),
        }
    }

    pub(super) fn of_download(error: ApiError, file: &str) -> Self {
        match error {
            ApiError::TooManyRetries(inner) => Self::of_download(*inner, file),
            ApiError::RequestError(error) => {
                let text = error.to_string();
                // The HTTP client is hf-hub's own and its error type is not ours to name, so the
                // status has to be read off the message.
                let status = text.strip_prefix("http status: ").and_then(|s| s.parse().ok());
                match status {
                    Some(status) => Self::of_status(status, file),
                    None => Failure::Interrupted(text),
                }
            }
            ApiError::IoError(error) => match error.kind() {
                ErrorKind::StorageFull
                | ErrorKind::QuotaExceeded
                | ErrorKind::ReadOnlyFilesystem
                | ErrorKind::PermissionDenied
                | ErrorKind::NotADirectory
                | ErrorKind::AlreadyExists => Failure::Disk(error.to_string()),
                _ => Failure::Interrupted(error.to_string()),
            },
            ApiError::InvalidResume => Failure::StalePart,
            ApiError::LockAcquisition(path) => Failure::Locked(path),
            other => Failure::Odd(format!("{other} for {file}")),
        }
    }
}
