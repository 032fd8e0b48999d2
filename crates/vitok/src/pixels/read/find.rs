//! Picture files below folders.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The extensions by which pictures are found in folders, in lower case and without the dot.
pub const READABLE_EXTENSIONS: [&str; 8] =
    ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether the extension of `path`, upper or lower case, is one of [`READABLE_EXTENSIONS`]. The
/// file is not looked at.
pub fn is_picture_path(path: &Path) -> bool {
    path.extension().and_then(|e| e.to_str()).is_some_and(|e| {
        READABLE_EXTENSIONS
            .iter()
            .any(|known| known.eq_ignore_ascii_case(e))
    })
}

/// The pictures that `paths` stand for, each once: a file for itself, whatever its name; a folder
/// for the pictures in it and below it, known by their [extension](is_picture_path) and sorted by
/// the bytes of their paths. `paths` keep their order.
///
/// Symbolic links are followed, a folder reached twice is searched once, and files and folders
/// whose names begin with a dot are passed over below a given folder.
///
/// # Errors
/// [`Error::Io`] for a path that does not exist or a folder that cannot be searched,
/// [`Error::Picture`] for a folder without pictures, [`Error::Input`] if `paths` is empty.
pub fn find_pictures(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Err(Error::Input("no pictures given".to_owned()));
    }
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|e| Error::io(path, "read", e))?;
        if !metadata.is_dir() {
            found.push(path.clone());
            continue;
        }
        let mut below = Vec::new();
        search(path, &mut HashSet::new(), &mut below)?;
        if below.is_empty() {
            return Err(Error::Picture {
                path: path.clone(),
                reason: format!(
                    "no pictures in this folder or below it (looked for .{})",
                    READABLE_EXTENSIONS.join(", .")
                ),
            });
        }
        below.sort_by(|a, b| {
            let [a, b] = [a, b].map(|p| p.as_os_str().as_encoded_bytes());
            a.cmp(b)
        });
        found.append(&mut below);
    }
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}

/// Adds the pictures in `folder` and below. `visited` holds the true paths of the folders already
/// searched, which is what ends a loop of symbolic links.
fn search(folder: &Path, visited: &mut HashSet<PathBuf>, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |e| Error::io(folder, "search the folder", e);
    if !visited.insert(fs::canonicalize(folder).map_err(failed)?) {
        return Ok(());
    }
    let mut entries = fs::read_dir(folder)
        .and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>())
        .map_err(failed)?;
    // Of two links to one folder the first is searched: which one must not be left to chance.
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => search(&path, visited, found)?,
            Ok(metadata) if metadata.is_file() && is_picture_path(&path) => found.push(path),
            Ok(_) => {}
            // A link that leads nowhere matters only if it should lead to a picture.
            Err(_) if path.is_symlink() && !is_picture_path(&path) => {}
            Err(e) => return Err(Error::io(&path, "read", e)),
        }
    }
    Ok(())
}
