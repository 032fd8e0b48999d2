//! Writing files so that a reader never sees half of one.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use crate::{Error, Result};

/// Writes `path` through a temporary file in the same folder and a rename.
///
/// `write` fills the temporary file. If it fails, or the disk is full, the old `path` (if any) is
/// untouched and the temporary file is removed. Missing parent folders are created.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_atomically(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder).map_err(|e| Error::io(folder, "create the folder", e))?;
    let failed = |e| Error::io(path, "write", e);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vitok-").suffix(".tmp");
    // tempfile makes private files; what we write should have the permissions of any new file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let file = builder.tempfile_in(folder).map_err(failed)?;
    let mut buffered = std::io::BufWriter::new(file);
    write(&mut buffered).map_err(failed)?;
    let file = buffered.into_inner().map_err(|e| failed(e.into_error()))?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    // The rename itself is only durable once the folder is; where folders cannot be synced, the
    // file is still whole.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}
