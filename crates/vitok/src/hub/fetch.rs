//! Talking to the hub, with the patience and the retries that hf-hub itself does not have.

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use hf_hub::api::RepoInfo;
use hf_hub::api::sync::{Api, ApiBuilder, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

use super::Hub;
use super::failure::Failure;
use super::progress::{Line, Meter};

/// Longest wait for the first answer, unless the hub's patience is shorter: long enough for a slow
/// line, short enough to tell a user without a network so.
const LONGEST_GREETING: Duration = Duration::from_secs(10);

/// Attempts in a row that bring no new byte.
const FRUITLESS_ATTEMPTS: u32 = 3;

/// All attempts at one file, fruitful or not; a line this bad needs its user's attention.
const MOST_ATTEMPTS: usize = 50;

/// How often a download is looked after.
const TICK: Duration = Duration::from_millis(100);

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
        Ok(Self {
            hub,
            api,
            repo,
            names,
        })
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
        let mut line = Line::new(file, progress);
        let (mut fruitless, mut best, mut restarted) = (0, 0, false);
        let mut attempt = 0;
        loop {
            attempt += 1;
            let meter = Meter::default();
            let failure = match self.fetch_once(file, &meter, &mut line) {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            };
            match failure {
                Failure::StalePart if !restarted => {
                    restarted = true;
                    self.forget_part(file);
                    continue;
                }
                failure if !failure.may_pass() || attempt >= MOST_ATTEMPTS => return Err(failure),
                failure => {
                    if meter.seen() > best {
                        best = meter.seen();
                        fruitless = 0;
                    }
                    fruitless += 1;
                    if fruitless >= FRUITLESS_ATTEMPTS {
                        return Err(failure);
                    }
                    thread::sleep(Duration::from_millis(250 << fruitless));
                }
            }
        }
    }

    /// One attempt, given up when nothing arrives for too long.
    fn fetch_once(&self, file: &str, meter: &Meter, line: &mut Line<'_>) -> Result<(), Failure> {
        let (repo, name, counter) = (self.handle(), file.to_owned(), meter.clone());
        // hf-hub sets no time limits on a download and offers no way to, hence a thread that can be
        // left behind. It then holds its file until the server gives in or the process ends.
        let outcome = in_thread(move || repo.download_with_progress(&name, counter))?;
        let (mut before, mut since) = ((0, 0), Instant::now());
        let result = loop {
            match outcome.recv_timeout(TICK) {
                Ok(Ok(_)) => break Ok(()),
                Ok(Err(error)) => break Err(Failure::of_download(error, file)),
                // The thread ended without an answer.
                Err(RecvTimeoutError::Disconnected) => {
                    break Err(Failure::Odd(format!(
                        "an answer hf-hub fails on for {file}"
                    )));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = (meter.total(), meter.seen());
            if now != before {
                (before, since) = (now, Instant::now());
            } else if since.elapsed() > self.hub.patience {
                break Err(Failure::Stalled(self.hub.patience));
            }
            line.show(meter);
        };
        line.end(meter);
        result
    }

    /// Deletes what an earlier attempt left of a file.
    fn forget_part(&self, file: &str) {
        let (api, url) = (self.api.clone(), self.handle().url(file));
        let Ok(outcome) = in_thread(move || api.metadata(&url)) else {
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

/// Runs `work` in a thread of its own; its result arrives on the channel.
fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<mpsc::Receiver<T>, Failure> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new()
        .name("vitok-download".into())
        .spawn(move || {
            // Nobody may be listening any more.
            let _ = send.send(work());
        })
        .map_err(|e| Failure::Odd(format!("no thread to download with: {e}")))?;
    Ok(receive)
}
