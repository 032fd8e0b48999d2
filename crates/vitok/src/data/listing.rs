//! The images that a folder or a list of paths names.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use crate::env::expand_home;
use crate::files::{FileFault, file_fault, find_files, hidden_part, path_of_bytes, printable};
use crate::media::{ReadOptions, decode_image, is_image_content, is_image_path};
use crate::{Error, Result};

/// Bytes of a file that tell a list from an image.
const HEAD: u64 = 4096;

/// Images by name, none of them opened yet.
pub(super) struct Listing {
    pub(super) images: Vec<ListedImage>,
    /// What is passed over because it is hidden: paths below the root.
    pub(super) hidden: Vec<PathBuf>,
}

/// An image of a [`Listing`].
pub(super) struct ListedImage {
    pub(super) path: PathBuf,
    /// Its path below the root.
    pub(super) place: PathBuf,
    /// Why it cannot be read, if that is known.
    pub(super) fault: Option<FileFault>,
}

impl Listing {
    /// What `path` stands for: a folder for the images in it and below it, an image for itself, any other file for the
    /// list that it is.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if path.is_dir() || is_image_path(path) {
            return Self::of_files(path);
        }
        let unreadable = |e| Error::io(path, "read", e);
        let mut head = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(HEAD).read_to_end(&mut head).map_err(unreadable)?;
        match is_image_content(&head) {
            true => Self::of_files(path),
            // No text has bytes that are 0. The reader of images says best what this is.
            false if head.contains(&0) => match decode_image(path, head, &ReadOptions::default()) {
                Err(Error::Image { reason, .. }) => Err(Error::Data {
                    name: printable(path),
                    reason: format!("neither a folder, a tar shard nor a list of paths, and {reason}"),
                }),
                _ => Self::of_files(path),
            },
            false => Self::of_list(path),
        }
    }

    fn of_files(path: &Path) -> Result<Self> {
        let found = find_files(path, is_image_path)?;
        let images = found.files.into_iter().map(|file| ListedImage {
            place: below(path, &file.path),
            path: file.path,
            fault: file.fault,
        });
        Ok(Self {
            images: images.collect(),
            hidden: found.hidden.iter().map(|hidden| below(path, hidden)).collect(),
        })
    }

    /// The files of a list, one a line. Its root is the deepest folder that all of them are in, the hidden ones aside.
    fn of_list(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        // Some editors begin a text with a byte-order mark.
        let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
        let lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
        let folder = path.parent().unwrap_or(Path::new(""));
        let (mut visible, mut hidden, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
        for line in lines {
            let line = path_of_bytes(line);
            let file = folder.join(expand_home(&line));
            let part = match line.is_relative() && !line.starts_with("~") {
                true => hidden_part(&line).map(|part| folder.join(part)),
                // Of a path from the root, only the file's own name counts: the folders are the user's choice.
                false => file
                    .file_name()
                    .and_then(|name| hidden_part(name.as_ref()))
                    .map(|_| file.clone()),
            };
            match part {
                Some(part) if seen.insert(part.clone()) => hidden.push(part),
                Some(_) => {}
                None => visible.push(file),
            }
        }
        let root = common_folder(&visible);
        let images = visible.into_iter().map(|file| ListedImage {
            place: below(&root, &file),
            fault: file_fault(&file),
            path: file,
        });
        Ok(Self {
            images: images.collect(),
            hidden: hidden
                .iter()
                .map(|file| file.strip_prefix(&root).unwrap_or(file).to_owned())
                .collect(),
        })
    }
}

/// The deepest folder that all of these files are in, by their names.
fn common_folder(files: &[PathBuf]) -> PathBuf {
    let first = files.first().and_then(|file| file.parent());
    let mut common = first.unwrap_or(Path::new("")).to_owned();
    for file in files {
        // Of a path from the root and one that is not, no folder is common.
        while !file.starts_with(&common) && common.pop() {}
    }
    common
}

/// The path of a file below `root`, or its name where it is no other; without parts that lead elsewhere.
fn below(root: &Path, file: &Path) -> PathBuf {
    let below = file.strip_prefix(root).unwrap_or(file);
    let parts = below.components().filter(|part| matches!(part, Component::Normal(_)));
    let below: PathBuf = parts.collect();
    match below.as_os_str().is_empty() {
        true => file.file_name().map(PathBuf::from).unwrap_or_default(),
        false => below,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_have_a_common_folder_or_none() {
        let common = |files: &[&str]| common_folder(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(common(&["/a/b/1.png", "/a/b/2.png"]), Path::new("/a/b"));
        assert_eq!(common(&["/a/b/1.png", "/a/c/2.png", "/a/3.png"]), Path::new("/a"));
        assert_eq!(common(&["a/1.png", "2.png"]), Path::new(""));
        assert_eq!(common(&[]), Path::new(""));
        // Neither is below the other's root, and the search ends all the same.
        for mixed in [["/a/1.png", "b/2.png"], ["b/2.png", "/a/1.png"]] {
            let root = common(&mixed);
            assert_eq!(below(&root, Path::new("/a/1.png")), Path::new("a/1.png"));
            assert_eq!(below(&root, Path::new("b/2.png")), Path::new("b/2.png"));
        }
    }
}
