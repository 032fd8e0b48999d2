//! Finding files, hashing them, and writing them so that a reader never gets half of one.

mod find;
mod lock;
mod names;
mod natural_order;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{Error, Result};

pub use find::{FileFault, FoundFile, FoundFiles, find_files};
pub(crate) use find::{file_fault, hidden_part, hidden_text};
pub(crate) use lock::FolderLock;
pub use names::printable;
pub(crate) use names::{named_few, path_of_bytes, printable_bytes};
pub use natural_order::natural_order;

/// Writes `path` through a temporary file in the same folder and a rename.
///
/// `write` fills the temporary file. If it fails, or the disk is full, the old `path` (if any) is
/// untouched and the temporary file is removed. Missing parent folders are created.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<()> {
    let folder = create_parent(path)?;
    let failed = |e| Error::io(path, "write", e);
    let mut builder = tempfile::Builder::new();
    builder.prefix(".vitok-").suffix(".tmp");
    // tempfile makes private files; what we write should have the permissions of any new file.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    // Only the kind: the text would name the temporary file instead of `path`.
    let (file, _live) =
        Live::create(|| builder.tempfile_in(folder), |file| file.path()).map_err(|e| failed(e.kind().into()))?;
    let mut buffered = BufWriter::new(file.as_file());
    write(&mut buffered).map_err(failed)?;
    let inner = buffered.into_inner().map_err(|e| failed(e.into_error()))?;
    inner.sync_all().map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    // The rename itself is only durable once the folder is; where folders cannot be synced, the
    // file is still whole.
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
    Ok(())
}

/// Makes the folder `path` with all its content at once: `fill` fills a temporary folder beside it,
/// which then takes the place of `path`. A folder that is there is only replaced if `ours` accepts
/// the name of everything in it.
///
/// # Errors
/// What `fill` returns, [`Error::Occupied`] for a folder with something else in it, or [`Error::Io`] naming `path`; an
/// old folder is then untouched.
pub fn replace_folder(path: &Path, ours: impl Fn(&str) -> bool, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let parent = create_parent(path)?;
    let failed = |e| Error::io(path, "write", e);
    let exists = path.is_dir();
    if exists {
        for entry in fs::read_dir(path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if !name.to_str().is_some_and(&ours) {
                return Err(Error::Occupied {
                    path: path.to_owned(),
                    reason: format!("not replaced, because it holds {}", name.display()),
                });
            }
        }
    }
    let scratch = Scratch::new_in(parent).map_err(|e| failed(e.kind().into()))?;
    let (new, old) = (scratch.path().join("new"), scratch.path().join("old"));
    fs::create_dir(&new).map_err(failed)?;
    fill(&new)?;
    if exists {
        fs::rename(path, &old).map_err(failed)?;
    }
    fs::rename(&new, path).map_err(|e| {
        if exists {
            let _ = fs::rename(&old, path);
        }
        failed(e)
    })
}

/// A temporary folder; dropped, it is removed with all its content.
pub(crate) struct Scratch {
    folder: TempDir,
    _live: Live,
}

impl Scratch {
    /// Makes one in the folder `parent`.
    pub(crate) fn new_in(parent: &Path) -> io::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".vitok-");
        let (folder, live) = Live::create(|| builder.tempdir_in(parent), |folder| folder.path())?;
        Ok(Self { folder, _live: live })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder `path` lies in, made if it is missing.
fn create_parent(path: &Path) -> Result<&Path> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent).map_err(|e| Error::io(parent, "create the folder", e))?;
    Ok(parent)
}

/// Temporary files and folders being written now.
static LIVE: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// One entry of [`LIVE`], taken out when dropped.
struct Live(PathBuf);

fn live() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    // The set is sound even if a thread panicked while it held the lock.
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// Creates something temporary and enters it, in one step, so that none escapes [`remove_temporaries`].
    fn create<T>(make: impl FnOnce() -> io::Result<T>, path: impl Fn(&T) -> &Path) -> io::Result<(T, Self)> {
        let mut live = live();
        let made = make()?;
        let path = path(&made).to_owned();
        live.insert(path.clone());
        Ok((made, Self(path)))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        live().remove(&self.0);
    }
}

/// Removes the temporary files of writes that are under way, for a program that is about to exit in
/// the middle of them (on Ctrl-C). Those writes fail, and no other can begin: whoever tries waits
/// for the end.
pub fn remove_temporaries() {
    let live = live();
    for path in live.iter() {
        let _ = if path.is_dir() {
            fs::remove_dir_all(path)
        } else {
            fs::remove_file(path)
        };
    }
    std::mem::forget(live);
}

/// Options that refuse to open a symbolic link: for files of ours in folders where others may have put one, which leads
/// to a file that is not ours.
pub(crate) fn without_links(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW);
    }
    options
}

/// The SHA-256 of a file's content, in hexadecimal digits.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub fn sha256_of_file(path: &Path) -> Result<String> {
    let failed = |e| Error::io(path, "read", e);
    let mut file = File::open(path).map_err(failed)?;
    let mut hash = Sha256::new();
    feed(&mut file, &mut hash).map_err(failed)?;
    Ok(hexadecimal(&hash.finalize()))
}

/// Feeds what is left of a file to a hash; the number of bytes.
pub(crate) fn feed(file: &mut impl Read, hash: &mut Sha256) -> io::Result<u64> {
    let mut chunk = vec![0; 1 << 16];
    let mut fed = 0;
    loop {
        match file.read(&mut chunk) {
            Ok(0) => return Ok(fed),
            Ok(n) => {
                hash.update(&chunk[..n]);
                fed += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The path without links, as far as it exists.
pub(crate) fn real_path(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real_path(parent).join(name),
        (Some(_), Some(name)) => real_path(Path::new(".")).join(name),
        _ => path.to_owned(),
    }
}
