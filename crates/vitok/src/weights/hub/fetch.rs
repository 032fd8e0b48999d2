//! Talking to the hub, with the patience and the retries that hf-hub itself does not have; see
//! [`patience`].

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use super::Hub;
use super::failure::Failure;
use super::progress::Meter;
use super::retry;

/// Longest wait for the first answer, unless the hub's patience is shorter: long enough for a slow
/// line, short enough to tell a user without a network so.
const LONGEST_GREETING: Duration = Duration::from_secs(10);

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
            .map_err(|e| Failure::Odd(e.to_string()))?;
        let repo = Repo::with_revision(repository.to_owned(), RepoType::Model, revision.to_owned());
        let mut answer = api
            .repo(repo.clone())
            .info_request()
            .config()
            .timeout_global(Some(hub.patience.min(LONGEST_GREETING)))
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
    pub(super) fn fetch(&self, file: &str, progress: bool) -> Result<(), Failure> {
        // hf-hub sets no time limits on a download and offers no way to.
        let attempt = |meter: Meter| {
            let (repo, name) = (self.handle(), file.to_owned());
            move || match repo.download_with_progress(&name, meter) {
                Ok(_) => Ok(()),
                Err(error) => Err(Failure::of_download(error, &name)),
            }
        };
        let forget_part = || self.forget_part(file);
        retry::fetch(file, progress, self.hub.patience, attempt, forget_part)
    }

    /// Deletes what an earlier attempt left of a file.
    fn forget_part(&self, file: &str) {
        let (api, url) = (self.api.clone(), self.handle().url(file));
        let Ok(outcome) = retry::in_thread(move || api.metadata(&url)) else {
            return;
        };
        if let Ok(Ok(about)) = outcome.recv_timeout(self.hub.patience) {
            let cache = Cache::new(self.hub.cache_folder.clone()).repo(self.repo.clone());
            let part: PathBuf = cache.blob_path(about.etag()).with_extension("part");
            // If it stays, the next attempt says what is wrong.
            let _ = fs::remove_file(part);
        }
    }
}
