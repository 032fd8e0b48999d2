//! The outputs of a codec that a report shows, kept in its store, so that an unchanged evaluation makes none again.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::record::Content;
use crate::media::{Clip, ReadOptions, read_image, write_image};
use crate::{Error, Result};

/// Its name in the folder of a store.
const FOLDER: &str = "shown";

/// A folder with a PNG for each frame of an output, under the hash of its original.
pub(super) struct KeptOutputs {
    folder: PathBuf,
}

impl KeptOutputs {
    /// Those of the store in a folder.
    pub(super) fn of_store(store: &Path) -> Self {
        Self {
            folder: store.join(FOLDER),
        }
    }

    fn frames(&self, content: &Content, original: &Clip) -> Vec<PathBuf> {
        let frame = |number: usize| self.folder.join(format!("{}-{number:05}.png", content.original));
        (0..original.frames().len()).map(frame).collect()
    }

    /// The output that was made of an original.
    pub(super) fn load(&self, content: &Content, original: &Clip) -> Option<Clip> {
        let frames = self.frames(content, original).into_iter();
        let frames = frames.map(|frame| read_image(&frame, &ReadOptions::default()));
        let clip = Clip::new(frames.collect::<Result<_>>().ok()?, original.fps()).ok()?;
        (clip.shape() == original.shape()).then_some(clip)
    }

    /// Keeps an output.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn keep(&self, content: &Content, original: &Clip, output: &Clip) -> Result<()> {
        let frames = self.frames(content, original).into_iter().zip(output.frames());
        frames
            .into_iter()
            .try_for_each(|(path, frame)| write_image(&path, frame))
    }

    /// Removes the outputs of originals of other hashes than these.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn retain(&self, shown: &BTreeSet<&str>) -> Result<()> {
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return Ok(()); // nothing was ever kept
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let original = name.to_str().and_then(|name| name.split('-').next());
            if !original.is_some_and(|original| shown.contains(original)) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|e| Error::io(&path, "remove", e))?;
            }
        }
        Ok(())
    }
}
