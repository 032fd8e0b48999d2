//! A download on the disk, while it is not whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::Agent;
use ureq::http::Response;

use crate::files::{feed, hexadecimal};
use crate::weights::hub::failure::Failure;
use crate::weights::hub::progress::Meter;

/// Longest wait for a connection: long enough for a slow line, short enough to tell a user without a
/// network so.
const LONGEST_GREETING: Duration = Duration::from_secs(10);

/// What is to be downloaded, and where its part is kept.
#[derive(Clone)]
pub(super) struct Download {
    pub(super) url: String,
    /// The SHA-256, or the beginning of it.
    pub(super) sha256: &'static str,
    /// Whatever the server says: this many bytes and no more.
    pub(super) most_bytes: u64,
    pub(super) part: PathBuf,
    pub(super) patience: Duration,
}

/// A download that has come to its end.
pub(super) struct Fetched {
    /// The file, locked, so that no other process deletes or extends it.
    pub(super) lock: File,
    pub(super) sha256: String,
}

impl Download {
    /// Fetches what is still missing of it, counting the bytes.
    pub(super) fn run(&self, meter: &Meter) -> Result<Fetched, Failure> {
        let mut file = self.open()?;
        let mut hash = Sha256::new();
        let held = feed(&mut file, &mut hash).map_err(disk)?;
        let so_far = hexadecimal(&hash.clone().finalize());
        if held > 0 && so_far.starts_with(self.sha256) {
            meter.start(held, held);
            return Ok(Fetched {
                lock: file,
                sha256: so_far,
            });
        }
        let mut answer = self.ask(held)?;
        let held = match answer.status().as_u16() {
            // From its beginning, as a server may that knows no ranges.
            200 => {
                file.set_len(0).map_err(disk)?;
                file.seek(SeekFrom::Start(0)).map_err(disk)?;
                hash = Sha256::new();
                0
            }
            206 if begins_at(&answer) == Some(held) => held,
            206 => return Err(Failure::StalePart),
            status => return Err(Failure::of_status(status, &self.url)),
        };
        let missing = answer.body().content_length();
        let total = missing.map_or(0, |missing| held.saturating_add(missing));
        meter.start(held, total);
        let mut arrived = held;
        let mut body = answer.body_mut().as_reader();
        let mut chunk = vec![0; 1 << 16];
        loop {
            let length = match body.read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => length,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Interrupted(e.to_string())),
            };
            arrived += length as u64;
            if arrived > self.most_bytes {
                self.forget();
                return Err(Failure::Odd(format!("more than {} bytes", self.most_bytes)));
            }
            file.write_all(&chunk[..length]).map_err(disk)?;
            hash.update(&chunk[..length]);
            meter.add(length as u64);
        }
        if arrived < total {
            return Err(Failure::Interrupted("it ended early".into()));
        }
        file.sync_all().map_err(disk)?;
        Ok(Fetched {
            lock: file,
            sha256: hexadecimal(&hash.finalize()),
        })
    }

    /// Deletes what is here of it.
    pub(super) fn forget(&self) {
        // If it stays, the next attempt says what is wrong.
        let _ = fs::remove_file(&self.part);
    }

    /// Deletes what is here of it if that is nothing.
    pub(super) fn forget_if_empty(&self) {
        if fs::metadata(&self.part).is_ok_and(|about| about.len() == 0) {
            self.forget();
        }
    }

    fn open(&self) -> Result<File, Failure> {
        let folder = self.part.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(disk)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&self.part).map_err(disk)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::Locked(self.part.clone())),
            // Some file systems have no locks; then two processes had better not do the same.
            _ => Ok(file),
        }
    }

    fn ask(&self, held: u64) -> Result<Response<ureq::Body>, Failure> {
        let agent: Agent = Agent::config_builder()
            .user_agent(concat!("vitok/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .timeout_connect(Some(self.patience.min(LONGEST_GREETING)))
            .timeout_recv_response(Some(self.patience))
            .build()
            .into();
        let mut request = agent.get(&self.url).header("Accept-Encoding", "identity");
        if held > 0 {
            request = request.header("Range", format!("bytes={held}-"));
        }
        request.call().map_err(|error| match error {
            ureq::Error::Io(e) if is_transient(e.kind()) => Failure::Interrupted(e.to_string()),
            other => Failure::Unreachable(other.to_string()),
        })
    }
}

/// Whether a server that was there has broken off.
fn is_transient(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// Where the bytes of an answer have their place, by its `Content-Range: bytes FROM-TO/ALL`.
fn begins_at<T>(answer: &Response<T>) -> Option<u64> {
    let range = answer.headers().get("content-range")?.to_str().ok()?;
    let (from, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    from.parse().ok()
}

fn disk(error: std::io::Error) -> Failure {
    Failure::Disk(error.to_string())
}
