//! A file that grows, and whose end may be half-written.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use crate::{Error, Result};

/// A file that is appended to.
pub(super) struct AppendFile {
    path: PathBuf,
    file: File,
}

impl AppendFile {
    /// Opens a file, or makes it.
    pub(super) fn open(path: PathBuf) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| Error::io(&path, "open", e))?;
        Ok(Self { path, file })
    }

    /// Its length in bytes.
    pub(super) fn len(&self) -> Result<u64> {
        let about = self.file.metadata().map_err(|e| Error::io(&self.path, "read", e))?;
        Ok(about.len())
    }

    /// All of it.
    pub(super) fn read(&mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.file.read_to_end(&mut bytes);
        read.map_err(|e| Error::io(&self.path, "read", e))?;
        Ok(bytes)
    }

    /// Drops what is beyond `length`, and goes on from there.
    pub(super) fn truncate(&mut self, length: u64) -> Result<()> {
        let cut = self
            .file
            .set_len(length)
            .and_then(|()| self.file.seek(SeekFrom::End(0)));
        cut.map(drop).map_err(|e| Error::io(&self.path, "shorten", e))
    }

    /// Writes at its end.
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io(&self.path, "write", e))
    }
}
