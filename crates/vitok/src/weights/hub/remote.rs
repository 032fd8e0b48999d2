//! Talking to the hub through hf-hub, with the time limits and retries of [`download`] that hf-hub itself does not have.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use super::settings::Hub;
use crate::observe::Observer;
use crate::weights::download::{Failure, Progress, download, in_thread};

/// Longest wait for the first answer, unless the hub's timeout is shorter: long enough for a slow line, short enough to
/// tell a user without a network so.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// One revision of one repository.
pub(super) struct Remote<'a> {
    hub: &'a Hub,
    api: Api,
    repo: Repo,
    /// The files there, where the server could say.
    names: Option<Vec<String>>,
}

impl<'a> Remote<'a> {
    /// Asks the hub what the repository holds.
    ///
    /// This comes first because it is the one request whose time hf-hub lets us bound: where there
    /// is no network it fails within seconds.
    pub(super) fn open(hub: &'a Hub, repository: &str, revision: &str) -> Result<Self, Failure> {
        let api = ApiBuilder::from_cache(Cache::new(hub.cache_folder.clone()))
            .with_endpoint(hub.endpoint.clone())
            .with_token(hub.token.clone())
            .with_user_agent("vitok", env!("CARGO_PKG_VERSION"))
            .with_progress(false)
            // Its retries may ask for the wrong part of a file that an earlier run began: they go
            // by the position in the file, which is 0 until this run has written.
            .with_retries(0)
            .build()
            .map_err(|e| Failure::Unexpected(e.to_string()))?;
        let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
        let mut answer = api
            .repo(repo.clone())
            .info_request()
            .config()
            .timeout_global(Some(hub.timeout.min(MAX_CONNECT)))
            .http_status_as_error(false)
            .build()
            .call()
            .map_err(|e| Failure::Unreachable(e.to_string()))?;
        let names = match answer.status().as_u16() {
            200..=299 => answer
                .body_mut()
                .read_json::<RepoInfo>()
                .ok()
                .map(|info| info.siblings.into_iter().map(|s| s.rfilename).collect()),
            // A plain mirror may have the files and not this.
            404 => None,
            status => return Err(Failure::of_status(status, repository)),
        };
        Ok(Self { hub, api, repo, names })
    }

    /// Whether all `files` are there; `None` if the server did not say.
    pub(super) fn has(&self, files: &[&str]) -> Option<bool> {
        let names = self.names.as_ref()?;
        Some(files.iter().all(|f| names.iter().any(|n| n == f)))
    }

    fn handle(&self) -> ApiRepo {
        self.api.repo(self.repo.clone())
    }

    /// Fetches one file into the cache, going on where an earlier attempt or run broke off.
    pub(super) fn fetch(&self, file: &str, observer: &dyn Observer) -> Result<(), Failure> {
        let attempt = |progress: Progress| {
            let (repo, name) = (self.handle(), file.to_owned());
            move || match repo.download_with_progress(&name, progress) {
                Ok(_) => Ok(()),
                Err(error) => Err(failure(error, &name)),
            }
        };
        download(file, self.hub.timeout, observer, attempt, || self.forget_part(file))
    }

    /// Deletes what an earlier attempt left of a file.
    fn forget_part(&self, file: &str) {
        let (api, url) = (self.api.clone(), self.handle().url(file));
        let Ok(answer) = in_thread(move || api.metadata(&url)) else {
            return;
        };
        if let Ok(Ok(about)) = answer.recv_timeout(self.hub.timeout) {
            let cache = Cache::new(self.hub.cache_folder.clone()).repo(self.repo.clone());
            let part: PathBuf = cache.blob_path(about.etag()).with_extension("part");
            // If it stays, the next attempt says what is wrong.
            let _ = fs::remove_file(part);
        }
    }
}

impl hf_hub::api::Progress for Progress {
    fn init(&mut self, size: usize, _file: &str) {
        self.start(0, size as u64);
    }

    fn update(&mut self, size: usize) {
        // hf-hub cannot be told to stop. Where a panic unwinds, this one ends the thread, and with it the connection and
        // the lock, without a message; elsewhere the file goes on arriving until it is whole.
        if cfg!(panic = "unwind") && self.is_abandoned() {
            std::panic::resume_unwind(Box::new("abandoned"));
        }
        self.add(size as u64);
    }

    fn finish(&mut self) {}
}

fn failure(error: ApiError, file: &str) -> Failure {
    match error {
        ApiError::TooManyRetries(inner) => failure(*inner, file),
        ApiError::RequestError(error) => {
            let text = error.to_string();
            // The HTTP client is hf-hub's own and its error type is not ours to name, so the status has to be read off
            // the message.
            let status = text.strip_prefix("http status: ").and_then(|s| s.parse().ok());
            match status {
                Some(status) => Failure::of_status(status, file),
                None => Failure::Interrupted(text),
            }
        }
        ApiError::IoError(error) => match error.kind() {
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::AlreadyExists => Failure::Disk(error.to_string()),
            _ => Failure::Interrupted(error.to_string()),
        },
        ApiError::InvalidResume => Failure::StalePart,
        ApiError::LockAcquisition(path) => Failure::Locked(path),
        other => Failure::Unexpected(format!("{other} for {file}")),
    }
}
