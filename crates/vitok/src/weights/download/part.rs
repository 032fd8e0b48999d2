//! A file from a plain web server on the disk, while it is not whole.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Response;

use super::failure::Failure;
use super::progress::Progress;
use super::request::{Credentials, Request};
use crate::files::{feed, hexadecimal, without_links};

/// What is to be downloaded, and where its part is kept.
#[derive(Clone)]
pub(in crate::weights) struct Part {
    pub(in crate::weights) url: String,
    pub(in crate::weights) credentials: Option<Credentials>,
    /// The SHA-256 of the whole file, or the beginning of it, in hexadecimal digits; empty if it is not known.
    pub(in crate::weights) sha256: String,
    /// Most bytes taken, whatever the server says.
    pub(in crate::weights) max_bytes: u64,
    /// The file on disk.
    pub(in crate::weights) path: PathBuf,
    /// Longest silence before the first byte of an answer.
    pub(in crate::weights) timeout: Duration,
}

/// A download that has come to its end.
pub(in crate::weights) struct Downloaded {
    /// The file, locked, so that no other process deletes or extends it.
    _lock: File,
    /// SHA-256 of its content, in hexadecimal digits.
    pub(in crate::weights) sha256: String,
}

impl Part {
    /// Fetches what is still missing, counting the bytes.
    pub(in crate::weights) fn fetch(&self, progress: &Progress) -> Result<Downloaded, Failure> {
        let mut file = self.open()?;
        let mut hash = Sha256::new();
        let held = feed(&mut file, &mut hash).map_err(disk)?;
        let so_far = hexadecimal(&hash.clone().finalize());
        if held > 0 && !self.sha256.is_empty() && so_far.starts_with(&self.sha256) {
            progress.start(held, held);
            return Ok(Downloaded {
                _lock: file,
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
        self.receive(&mut answer, &mut file, &mut hash, held, progress)?;
        Ok(Downloaded {
            _lock: file,
            sha256: hexadecimal(&hash.finalize()),
        })
    }

    /// Writes and hashes the bytes of an answer, which come after `held`.
    fn receive(
        &self,
        answer: &mut Response<ureq::Body>,
        file: &mut File,
        hash: &mut Sha256,
        held: u64,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let missing = answer.body().content_length();
        let total = missing.map_or(0, |missing| held.saturating_add(missing));
        progress.start(held, total);
        let mut arrived = held;
        let mut body = answer.body_mut().as_reader();
        let mut chunk = vec![0; 1 << 16];
        while !progress.is_abandoned() {
            let length = match body.read(&mut chunk) {
                Ok(0) if arrived < total => return Err(Failure::Interrupted("it ended early".into())),
                Ok(0) => return file.sync_all().map_err(disk),
                Ok(length) => length,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(Failure::Interrupted(e.to_string())),
            };
            arrived += length as u64;
            if arrived > self.max_bytes {
                self.forget();
                return Err(Failure::Unexpected(format!("more than {} bytes", self.max_bytes)));
            }
            file.write_all(&chunk[..length]).map_err(disk)?;
            hash.update(&chunk[..length]);
            progress.add(length as u64);
        }
        Err(Failure::Cancelled)
    }

    /// Deletes the part.
    pub(in crate::weights) fn forget(&self) {
        // If it stays, the next attempt says what is wrong.
        let _ = fs::remove_file(&self.path);
    }

    /// Deletes the part if it is empty.
    pub(in crate::weights) fn forget_if_empty(&self) {
        if fs::metadata(&self.path).is_ok_and(|about| about.len() == 0) {
            self.forget();
        }
    }

    /// The part, locked.
    fn open(&self) -> Result<File, Failure> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(disk)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = without_links(&mut options).open(&self.path).map_err(disk)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Failure::Locked(self.path.clone())),
            // Some file systems have no locks; then two processes had better not do the same.
            _ => Ok(file),
        }
    }

    /// Asks for what comes after the first `held` bytes.
    fn ask(&self, held: u64) -> Result<Response<ureq::Body>, Failure> {
        let request = Request {
            url: &self.url,
            credentials: self.credentials.as_ref(),
            from: held,
            timeout: self.timeout,
        };
        request.get()
    }
}

/// The place in the file of an answer's first byte, by its `Content-Range: bytes FROM-TO/ALL`.
fn begins_at<T>(answer: &Response<T>) -> Option<u64> {
    let range = answer.headers().get("content-range")?.to_str().ok()?;
    let (from, _) = range.strip_prefix("bytes ")?.split_once('-')?;
    from.parse().ok()
}

fn disk(error: std::io::Error) -> Failure {
    Failure::Disk(error.to_string())
}
