//! The files in a folder and below it.

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

use super::names::{named_few, printable};
use super::natural_order::natural_order;
use crate::{Error, Result};

/// What was found below a folder.
#[derive(Debug, Default)]
pub struct FoundFiles {
    /// The files, folder by folder in [natural order](natural_order); with what was wanted and is no readable file.
    pub files: Vec<FoundFile>,
    /// Files that were wanted but are hidden, and hidden folders, which are not searched. Hidden is what has a name that
    /// begins with a dot, or is `__MACOSX`.
    pub hidden: Vec<PathBuf>,
}

/// A file, or what stands in the place of one.
#[derive(Debug)]
pub struct FoundFile {
    /// Its path; that of a folder that cannot be searched.
    pub path: PathBuf,
    /// Why it cannot be read, if that is known without opening it.
    pub fault: Option<FileFault>,
}

/// Why a name is not that of a readable file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileFault {
    /// A link to a file that is gone, or to itself.
    #[error("a link that leads nowhere")]
    BrokenLink,
    /// Nothing is there.
    #[error("no such file")]
    Missing,
    /// A folder, a pipe, a device.
    #[error("not a file")]
    NotAFile,
    /// The operating system does not show what the folder holds.
    #[error("this folder cannot be searched: {0}")]
    Unsearchable(String),
    /// The operating system tells nothing of the file.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

/// The files that `path` stands for: a file for itself; a folder for those in it and below it that `wanted` accepts by
/// their names.
///
/// Symbolic links are followed, and a folder reached twice is searched once.
///
/// # Errors
/// [`Error::Io`] if there is nothing at `path`, or it is a folder that cannot be searched.
pub fn find_files(path: &Path, wanted: impl Fn(&Path) -> bool) -> Result<FoundFiles> {
    let mut found = FoundFiles::default();
    let about = fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
    if !about.is_dir() {
        found.add(path.to_owned(), None);
        return Ok(found);
    }
    // The true paths of folders searched already: two links may lead to one.
    let mut searched = HashSet::new();
    let walk = WalkDir::new(path).follow_links(true);
    // Of two links to one folder the first is searched: which one must not be left to chance.
    let walk = walk.sort_by(|a, b| natural_order(a.file_name(), b.file_name()));
    let mut entries = walk.into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                found.add_failed(error, path, &wanted)?;
                continue;
            }
        };
        let kind = entry.file_type();
        if entry.depth() > 0 && is_hidden(entry.path()) {
            if kind.is_dir() {
                entries.skip_current_dir();
            }
            if kind.is_dir() || wanted(entry.path()) {
                found.hidden.push(entry.into_path());
            }
        } else if kind.is_dir() {
            let folder = entry.path();
            // One that cannot be searched is met again as an error.
            let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
            if !searched.insert(real) {
                entries.skip_current_dir();
            }
        } else if wanted(entry.path()) {
            let fault = (!kind.is_file()).then_some(FileFault::NotAFile);
            found.add(entry.into_path(), fault);
        }
    }
    Ok(found)
}

impl FoundFiles {
    fn add(&mut self, path: PathBuf, fault: Option<FileFault>) {
        self.files.push(FoundFile { path, fault });
    }

    /// Takes note of an error below the folder `root`.
    fn add_failed(&mut self, error: walkdir::Error, root: &Path, wanted: &impl Fn(&Path) -> bool) -> Result<()> {
        let path = error.path().unwrap_or(root).to_owned();
        // A link to a folder that it lies in: what is there is found without it.
        if error.loop_ancestor().is_some() {
            return Ok(());
        }
        let depth = error.depth();
        let source = error
            .into_io_error()
            .unwrap_or_else(|| std::io::ErrorKind::Other.into());
        if depth == 0 {
            return Err(Error::io(&path, "search the folder", source));
        }
        if path.is_dir() {
            self.add(path, Some(FileFault::Unsearchable(source.to_string())));
        } else if wanted(&path) && is_hidden(&path) {
            self.hidden.push(path);
        } else if wanted(&path) {
            let fault = match path.is_symlink() {
                true => FileFault::BrokenLink,
                false => FileFault::Unreadable(source.to_string()),
            };
            self.add(path, Some(fault));
        }
        Ok(())
    }
}

/// What is wrong with a path as that of a file to read, as far as the file system tells.
pub(crate) fn file_fault(path: &Path) -> Option<FileFault> {
    match fs::metadata(path) {
        Ok(about) if about.is_file() => None,
        Ok(_) => Some(FileFault::NotAFile),
        Err(_) if path.is_symlink() => Some(FileFault::BrokenLink),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Some(FileFault::Missing),
        Err(e) => Some(FileFault::Unreadable(e.to_string())),
    }
}

/// The beginning of a path up to its first part that is hidden, if one is: a name that begins with a dot, or `__MACOSX`,
/// in which macOS packs what its other files cannot hold.
pub(crate) fn hidden_part(path: &Path) -> Option<PathBuf> {
    let mut part = PathBuf::new();
    for component in path.components() {
        part.push(component);
        if matches!(component, Component::Normal(_)) && is_hidden(&part) {
            return Some(part);
        }
    }
    None
}

/// That files are passed over because they are hidden, in words; none if none are.
pub(crate) fn hidden_text(hidden: &[PathBuf]) -> Option<String> {
    let names: Vec<String> = hidden.iter().map(printable).collect();
    (!names.is_empty()).then(|| format!("{} passed over because hidden: {}", names.len(), named_few(&names)))
}

/// Whether the last part of a path is hidden.
fn is_hidden(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.starts_with(b".") || name == b"__MACOSX"
}
