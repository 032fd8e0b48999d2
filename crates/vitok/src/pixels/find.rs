//! Finding picture files.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// Endings (in lower case) of the formats that can be read.
pub(super) const EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether the file's ending is that of a picture format; the content is not looked at.
pub fn is_picture_path(path: &Path) -> bool {
    let extension = path.extension().and_then(|e| e.to_str());
    extension.is_some_and(|e| EXTENSIONS.contains(&e.to_ascii_lowercase().as_str()))
}

/// The pictures that `paths` mean: files as they are given, folders searched for picture endings
/// with everything below them, in order of their names.
///
/// # Errors
/// [`Error::Io`] for what does not exist or cannot be read, [`Error::Picture`] for a folder
/// without pictures.
pub fn find_pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        let about = std::fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
        if !about.is_dir() {
            found.push(path.clone());
            continue;
        }
        let before = found.len();
        search(path, &mut found, &mut HashSet::new())?;
        if found.len() == before {
            return Err(Error::Picture {
                path: path.clone(),
                reason: format!("no pictures in this folder ({})", EXTENSIONS.join(", ")),
            });
        }
        found[before..].sort();
    }
    Ok(found)
}

fn search(folder: &Path, found: &mut Vec<PathBuf>, seen: &mut HashSet<PathBuf>) -> Result<()> {
    let unreadable = |e| Error::io(folder, "read", e);
    // Links may lead in circles; a folder is searched once.
    if !seen.insert(folder.canonicalize().map_err(unreadable)?) {
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            search(&path, found, seen)?;
        } else if is_picture_path(&path) {
            found.push(path);
        }
    }
    Ok(())
}
