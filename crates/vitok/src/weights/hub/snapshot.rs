//! The hub's cache on disk: `models--OWNER--REPO/{blobs,refs,snapshots}`, shared with every other
//! program that uses the Hugging Face hub.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use crate::files::write_atomically;
use crate::weights::safetensors_file::TensorFile;
use crate::{Error, Result};

/// The names of a model's files.
pub(super) type FileSet = [&'static str; 2];

/// The released models' files.
pub(super) const RELEASE_FILES: FileSet = ["encoder.safetensors", "decoder.safetensors"];

/// The files of a model that this library has written.
pub(super) const VITOK_FILES: FileSet = ["config.json", "model.safetensors"];

/// One repository's folder in the cache.
#[derive(Clone)]
pub(super) struct RepoCache {
    folder: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache_folder: &Path, repository: &str) -> Self {
        let name = format!("models--{}", repository.replace('/', "--"));
        Self {
            folder: cache_folder.join(name),
        }
    }

    /// The folder of the snapshot that `revision` stands for: a branch, a tag or a commit.
    pub(super) fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let commit = match fs::read_to_string(self.folder.join("refs").join(revision)) {
            Ok(commit) => commit.trim().to_owned(),
            // There is no such file for a revision that is itself a commit.
            Err(_) => revision.to_owned(),
        };
        let mut parts = Path::new(&commit).components();
        let one_name = matches!(parts.next(), Some(Component::Normal(_))) && parts.next().is_none();
        let folder = self.folder.join("snapshots").join(commit);
        (one_name && folder.is_dir()).then_some(folder)
    }

    /// Whether the content with this hash is here.
    pub(super) fn has_blob(&self, hash: &str) -> bool {
        self.blob(hash).is_file()
    }

    fn blob(&self, hash: &str) -> PathBuf {
        self.folder.join("blobs").join(hash)
    }

    /// Where the content with this hash lies while it is not whole.
    pub(super) fn part(&self, hash: &str) -> PathBuf {
        self.blob(hash).with_extension("part")
    }

    /// Gives a whole part its place.
    pub(super) fn keep_part(&self, hash: &str) -> io::Result<()> {
        fs::rename(self.part(hash), self.blob(hash))
    }

    /// Makes the content with this hash the file of that name in the snapshot of a commit.
    pub(super) fn link(&self, file: &str, hash: &str, commit: &str) -> io::Result<()> {
        let snapshot = self.folder.join("snapshots").join(commit);
        fs::create_dir_all(&snapshot)?;
        let link = snapshot.join(file);
        if link.symlink_metadata().is_ok() {
            fs::remove_file(&link)?;
        }
        // As other programs do: the cache may be moved.
        #[cfg(unix)]
        return std::os::unix::fs::symlink(Path::new("../../blobs").join(hash), link);
        #[cfg(not(unix))]
        return fs::copy(self.blob(hash), link).map(drop);
    }

    /// Notes which commit a branch or tag stands for.
    pub(super) fn note_revision(&self, revision: &str, commit: &str) -> Result<()> {
        if revision == commit {
            return Ok(());
        }
        let path = self.folder.join("refs").join(revision);
        write_atomically(&path, |out| out.write_all(commit.as_bytes()))
    }
}

/// The first of `file_sets` whose files are all in `folder`.
pub(super) fn present(folder: &Path, file_sets: &[FileSet]) -> Option<FileSet> {
    file_sets
        .iter()
        .find(|files| files.iter().all(|f| folder.join(f).is_file()))
        .copied()
}

/// What is wrong with a file, or `None` if it is whole. Cheap: no weights are read.
///
/// # Errors
/// [`Error::Io`] if it cannot be read, which says nothing about the file itself.
pub(super) fn damage(path: &Path) -> Result<Option<String>> {
    if path.extension().is_some_and(|e| e == "json") {
        let text = fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        let parsed = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&text);
        return Ok(parsed.err().map(|e| format!("not a JSON object: {e}")));
    }
    match TensorFile::open(path) {
        Ok(_) => Ok(None),
        Err(Error::Weights { reason, .. }) => Ok(Some(reason)),
        Err(other) => Err(other),
    }
}

/// Deletes a file of a snapshot and what it links to, so that it is fetched again.
///
/// A link that leads out of the repository's folder was made by the user; only the link goes then.
///
/// # Errors
/// [`Error::Io`] if that fails; the bad file would be taken for a good one.
pub(super) fn discard(path: &Path) -> Result<()> {
    let delete = |p: &Path| fs::remove_file(p).map_err(|e| Error::io(p, "delete", e));
    // The file is at REPO/snapshots/COMMIT/FILE.
    let repo = path.ancestors().nth(3).and_then(|s| s.canonicalize().ok());
    if path.is_symlink()
        && let (Ok(blob), Some(repo)) = (path.canonicalize(), repo)
        && blob.starts_with(repo)
    {
        delete(&blob)?;
    }
    delete(path)
}
