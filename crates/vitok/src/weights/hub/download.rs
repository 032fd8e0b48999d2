//! Finding models in the cache, and fetching them into it.

use std::path::PathBuf;

use super::model_ref::ModelRef;
use super::remote::Remote;
use super::settings::Hub;
use super::snapshot::{self, FileSet, RepoCache};
use crate::env::OFFLINE;
use crate::observe::Observer;
use crate::weights::download::Failure;
use crate::{Error, Result};

/// The snapshot folder of a model in the cache, by [`Hub::cached`] with the environment's settings.
///
/// # Errors
/// As [`Hub::cached`] and [`Hub::from_env`].
pub fn cached(name: &str) -> Result<PathBuf> {
    Hub::from_env()?.cached(name, None)
}

/// Fetches a model, by [`Hub::download`] with the environment's settings.
///
/// # Errors
/// As [`Hub::download`] and [`Hub::from_env`].
pub fn download(name: &str, revision: Option<&str>, observer: &dyn Observer) -> Result<PathBuf> {
    Hub::from_env()?.download(name, revision, observer)
}

/// What the cache has of a model.
enum Cached {
    /// The folder with all files, sound as far as their headers tell.
    Whole(PathBuf),
    /// All files, but this one is bad.
    Damaged { file: PathBuf, reason: String },
    /// Not all files.
    Incomplete,
}

impl Hub {
    /// The folder in the cache that holds a model's files; the network is not touched.
    ///
    /// `name` is a released model ([`find`](super::find)) or any `owner/repo`. The folder holds `encoder.safetensors` and
    /// `decoder.safetensors`, or for models other than the released ones perhaps `config.json` and `model.safetensors`
    /// instead. `revision` is a branch, tag or commit, `main` if absent.
    ///
    /// # Errors
    /// [`Error::Hub`] if the name is none, or the model is not in the cache or damaged there; [`Error::Io`] if its files
    /// cannot be read.
    pub fn cached(&self, name: &str, revision: Option<&str>) -> Result<PathBuf> {
        let model = ModelRef::new(name, revision)?;
        match self.look_up(&model)? {
            Cached::Whole(folder) => Ok(folder),
            Cached::Damaged { file, reason } => Err(model.error(
                format!("{} is damaged: {reason}", file.display()),
                vec![model.download()],
            )),
            Cached::Incomplete => Err(model.error(
                format!("not in the cache {}", self.cache_folder.display()),
                vec![model.download(), model.bring_files(&self.shown_endpoint())],
            )),
        }
    }

    /// Fetches a model unless the cache already holds it, and returns its folder as [`Hub::cached`] does.
    ///
    /// A model in the cache is not looked up again: to get a newer one, name its `revision`. An interrupted download goes
    /// on where it stopped, be it in this call or a later one. Each file's length is checked against its own header; one
    /// that is not whole is deleted. The observer gets [`Event::Download`](crate::observe::Event::Download) for each file.
    ///
    /// # Errors
    /// [`Error::Hub`] if the name or revision is none, if the hub cannot be reached, refuses, or does not have the model,
    /// or if a file breaks off or arrives damaged; its reason and its remedies say what to do. [`Error::Io`] if a damaged
    /// file cannot be deleted. [`Error::Cancelled`] if the observer asked to stop; what has arrived is kept.
    pub fn download(&self, name: &str, revision: Option<&str>, observer: &dyn Observer) -> Result<PathBuf> {
        let model = ModelRef::new(name, revision)?;
        if self.offline {
            return self.cached(name, revision).map_err(|e| match e {
                Error::Hub { name, reason, remedies } => Error::Hub {
                    name,
                    reason: format!("{reason}. {OFFLINE}"),
                    remedies,
                },
                other => other,
            });
        }
        if let Cached::Whole(folder) = self.look_up(&model)? {
            return Ok(folder);
        }
        if !self.endpoint.starts_with("https://") && !self.endpoint.starts_with("http://") {
            let reason = format!(
                "HF_ENDPOINT is \"{}\"; it must begin with https:// or http://",
                self.shown_endpoint()
            );
            return Err(model.error(reason, Vec::new()));
        }
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
        let remote = Remote::open(self, &model.repository, &model.revision).map_err(|f| self.error(&f, &model))?;
        for files in model.file_sets() {
            if remote.has(files) == Some(false) {
                continue;
            }
            if let Some(folder) = self.fetch_all(&remote, &model, *files, observer)? {
                return Ok(folder);
            }
        }
        Err(self.error(&Failure::Missing(model.files()), &model))
    }

    fn repo_cache(&self, model: &ModelRef) -> RepoCache {
        RepoCache::new(&self.cache_folder, &model.repository)
    }

    /// What the cache has of a model.
    fn look_up(&self, model: &ModelRef) -> Result<Cached> {
        let Some(folder) = self.repo_cache(model).snapshot(&model.revision) else {
            return Ok(Cached::Incomplete);
        };
        let Some(files) = snapshot::present(&folder, model.file_sets()) else {
            return Ok(Cached::Incomplete);
        };
        for file in files.map(|f| folder.join(f)) {
            if let Some(reason) = snapshot::damage(&file)? {
                return Ok(Cached::Damaged { file, reason });
            }
        }
        Ok(Cached::Whole(folder))
    }

    /// Fetches what is not yet here of `files`; `None` if the hub has not even the first.
    fn fetch_all(
        &self,
        remote: &Remote<'_>,
        model: &ModelRef,
        files: FileSet,
        observer: &dyn Observer,
    ) -> Result<Option<PathBuf>> {
        // Twice, for a branch that moves between two files: they are then in two snapshots.
        for _ in 0..2 {
            for file in files {
                if self.fetch_one(remote, model, file, observer)? {
                    continue;
                }
                if file == files[0] {
                    return Ok(None);
                }
                return Err(self.error(&Failure::Missing(file.into()), model));
            }
            if let Cached::Whole(folder) = self.look_up(model)? {
                return Ok(Some(folder));
            }
        }
        Err(model.error(
            "the repository keeps changing while it is fetched".into(),
            vec![model.download()],
        ))
    }

    /// Fetches a file unless the cache has it, and checks that it is whole. False if the hub has no such file.
    fn fetch_one(&self, remote: &Remote<'_>, model: &ModelRef, file: &str, observer: &dyn Observer) -> Result<bool> {
        let cache = self.repo_cache(model);
        let path = || {
            let path = cache.snapshot(&model.revision)?.join(file);
            Some(path).filter(|path| path.is_file())
        };
        if let Some(held) = path() {
            if snapshot::damage(&held)?.is_none() {
                return Ok(true);
            }
            snapshot::discard(&held)?;
        }
        match remote.fetch(file, &cache, &model.revision, observer) {
            Ok(()) => {}
            Err(Failure::Missing(_)) => return Ok(false),
            Err(failure) => return Err(self.error(&failure, model)),
        }
        let fetched = path().ok_or_else(|| {
            let what = format!("an unusable commit name for {file}");
            self.error(&Failure::Unexpected(what), model)
        })?;
        if let Some(reason) = snapshot::damage(&fetched)? {
            snapshot::discard(&fetched)?;
            return Err(model.error(
                format!(
                    "{file} arrived damaged and was deleted: {reason}. If another download does not help, the copy at \
                     {} is bad",
                    self.shown_endpoint()
                ),
                vec![model.download()],
            ));
        }
        Ok(true)
    }
}
