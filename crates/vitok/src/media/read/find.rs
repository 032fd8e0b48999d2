//! Image files below folders.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::files::find_files;
use crate::{Error, Result};

/// The extensions by which images are found in folders, in lower case and without the dot.
pub const READABLE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether the extension of `path`, upper or lower case, is one of [`READABLE_EXTENSIONS`]. The
/// file is not looked at.
pub fn is_image_path(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| READABLE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// The images that `paths` stand for, each once: a file for itself, whatever its name; a folder
/// for the images in it and below it, known by their [extension](is_image_path), found and
/// sorted as by [`find_files`]. `paths` keep their order.
///
/// # Errors
/// [`Error::Io`] for a path that does not exist or a folder that cannot be searched,
/// [`Error::Image`] for a folder without images, [`Error::InvalidArgument`] if `paths` is empty.
pub fn find_images(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if paths.is_empty() {
        return Err(Error::InvalidArgument("no images given".to_owned()));
    }
    let mut found = Vec::new();
    for path in paths {
        let below = find_files(path, is_image_path)?;
        if below.is_empty() {
            return Err(Error::Image {
                path: path.clone(),
                reason: format!(
                    "no images in this folder or below it (looked for .{})",
                    READABLE_EXTENSIONS.join(", .")
                ),
            });
        }
        found.extend(below);
    }
    let mut seen = HashSet::new();
    found.retain(|path| seen.insert(path.clone()));
    Ok(found)
}
