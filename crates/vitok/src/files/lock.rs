//! Folders that one process works in at a time.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;

use crate::{Error, Result};

/// A folder that no other process may lock while this exists. The system lifts the lock if the process dies.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl FolderLock {
    /// The name of the file in the folder that is locked; it stays.
    pub(crate) const FILE: &str = ".lock";

    /// Makes the folder if need be, and locks it.
    ///
    /// # Errors
    /// [`Error::InUse`] while another process has locked it; [`Error::Io`].
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        let failed = |e| Error::io(folder, "lock the folder", e);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file = File::create(folder.join(Self::FILE)).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: folder.to_owned(),
                });
            }
            // Some network file systems have no locks.
            Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(e)) => return Err(failed(e)),
        }
        Ok(Self { _file: file })
    }
}
