//! Fetching models from the Hugging Face hub into its usual cache, and finding them there.
//!
//! The cache is the one that other programs use, so a model fetched by one is there for all.
//! [`Hub::from_env`] says which environment variables count.

pub(crate) mod failure;
mod fetch;
mod model;
pub(crate) mod progress;
mod releases;
pub(crate) mod retry;
mod snapshot;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use failure::Failure;
use fetch::Remote;
use model::Model;
pub use releases::{RELEASES, Release, find};
use snapshot::{Layout, Shelf};

use crate::{Error, Result};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

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
pub fn download(name: &str, revision: Option<&str>, progress: bool) -> Result<PathBuf> {
    Hub::from_env()?.download(name, revision, progress)
}

/// Where models come from and where they are kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub {
    /// Address of the hub or of a mirror, with the scheme and without a slash at the end.
    pub endpoint: String,
    /// The cache: the folder of the `models--OWNER--REPO` folders.
    pub cache_folder: PathBuf,
    /// Sent with every request if present; never printed.
    pub token: Option<String>,
    /// Never touch the network.
    pub offline: bool,
    /// How long a server may stay silent, before its first answer (there 10 seconds at most) or
    /// amid a file, until it is given up.
    pub patience: Duration,
}

impl Hub {
    /// Settings from the environment: `HF_ENDPOINT` (a mirror's address), `HF_HUB_CACHE` (the
    /// cache; else `hub` in `HF_HOME`, else `.cache/huggingface/hub` in the home folder),
    /// `HF_TOKEN` (else the file `token` in `HF_HOME`), and `HF_HUB_OFFLINE` or `VITOK_OFFLINE` (1,
    /// true, yes or on). Empty variables count as unset.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a cache.
    pub fn from_env() -> Result<Self> {
        let home = std::env::home_dir();
        Self::from_lookup(|name| std::env::var(name).ok(), home.as_deref())
    }

    /// [`Hub::from_env`] with another source of variables and another home folder.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a cache.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Self> {
        let get = |name| setting(&lookup, name);
        let hf_home = get("HF_HOME")
            .map(PathBuf::from)
            .or_else(|| home.map(|h| h.join(".cache").join("huggingface")));
        let cache_folder = get("HF_HUB_CACHE")
            .map(PathBuf::from)
            .or_else(|| hf_home.as_ref().map(|h| h.join("hub")))
            .ok_or_else(|| {
                Error::InvalidArgument("there is no home folder to keep models in: set HF_HOME to a folder".into())
            })?;
        let token_file = || {
            let text = std::fs::read_to_string(hf_home.as_ref()?.join("token")).ok()?;
            Some(text.trim().to_owned()).filter(|t| !t.is_empty())
        };
        Ok(Self {
            endpoint: get("HF_ENDPOINT")
                .unwrap_or_else(|| DEFAULT_ENDPOINT.into())
                .trim_end_matches('/')
                .to_owned(),
            cache_folder,
            token: get("HF_TOKEN").or_else(token_file),
            offline: is_offline(&lookup),
            patience: Duration::from_secs(60),
        })
    }

    /// The folder in the cache that holds a model's files; the network is not touched.
    ///
    /// `name` is a released model ([`find`]) or any `owner/repo`. The folder holds
    /// `encoder.safetensors` and `decoder.safetensors`, or for models other than the released ones
    /// perhaps `config.json` and `model.safetensors` instead. `revision` is a branch, tag or commit,
    /// `main` if absent.
    ///
    /// # Errors
    /// [`Error::Hub`] if the name is none, or the model is not in the cache or damaged there;
    /// [`Error::Io`] if its files cannot be read.
    pub fn cached(&self, name: &str, revision: Option<&str>) -> Result<PathBuf> {
        let model = Model::new(name, revision)?;
        match self.look(&model)? {
            Found::Whole(folder) => Ok(folder),
            Found::Damaged { file, reason } => Err(model.error(format!(
                "{} is damaged: {reason}. `{}` fetches it again",
                file.display(),
                model.command()
            ))),
            Found::Nothing => Err(model.error(format!(
                "not in the cache {}. Fetch it with `{}`, or pass a local path with --model",
                self.cache_folder.display(),
                model.command()
            ))),
        }
    }

    /// Fetches a model unless the cache already holds it, and returns its folder as
    /// [`Hub::cached`] does.
    ///
    /// A model in the cache is not looked up again: to get a newer one, name its `revision`. An
    /// interrupted download goes on where it stopped, be it in this call or a later one. Each file's
    /// length is checked against its own header; one that is not whole is deleted. `progress` writes
    /// a line per file to standard error.
    ///
    /// # Errors
    /// [`Error::Hub`] if the name or revision is none, if the hub cannot be reached, refuses, or
    /// does not have the model, or if a file breaks off or arrives damaged; the reason says what to
    /// do. [`Error::Io`] if a damaged file cannot be deleted.
    pub fn download(&self, name: &str, revision: Option<&str>, progress: bool) -> Result<PathBuf> {
        let model = Model::new(name, revision)?;
        if self.offline {
            return self.cached(name, revision).map_err(|e| match e {
                Error::Hub { name, reason, remedies } => Error::Hub {
                    remedies,
                    name,
                    reason: format!("{reason}. {OFFLINE}"),
                },
                other => other,
            });
        }
        if let Found::Whole(folder) = self.look(&model)? {
            return Ok(folder);
        }
        if !self.endpoint.starts_with("https://") && !self.endpoint.starts_with("http://") {
            return Err(model.error(format!(
                "HF_ENDPOINT is \"{}\"; it must begin with https:// or http://",
                self.endpoint
            )));
        }
        let remote = Remote::open(self, &model.repository, &model.revision)
            .map_err(|f| model.error(self.explain(&f, &model)))?;
        for files in model.layouts() {
            if remote.has(files) == Some(false) {
                continue;
            }
            if let Some(folder) = self.fetch_all(&remote, &model, *files, progress)? {
                return Ok(folder);
            }
        }
        let missing = Failure::Missing(model.files());
        Err(model.error(self.explain(&missing, &model)))
    }

    fn shelf(&self, model: &Model) -> Shelf {
        Shelf::new(&self.cache_folder, &model.repository)
    }

    /// What the cache has of a model.
    fn look(&self, model: &Model) -> Result<Found> {
        let Some(folder) = self.shelf(model).snapshot(&model.revision) else {
            return Ok(Found::Nothing);
        };
        let Some(files) = snapshot::present(&folder, model.layouts()) else {
            return Ok(Found::Nothing);
        };
        for file in files.map(|f| folder.join(f)) {
            if let Some(reason) = snapshot::damage(&file)? {
                return Ok(Found::Damaged { file, reason });
            }
        }
        Ok(Found::Whole(folder))
    }

    /// Fetches what is not yet here of `files`; `None` if the hub has not even the first.
    fn fetch_all(&self, remote: &Remote<'_>, model: &Model, files: Layout, progress: bool) -> Result<Option<PathBuf>> {
        let shelf = self.shelf(model);
        let path = |file| Some(shelf.snapshot(&model.revision)?.join(file));
        // Twice, for a branch that moves between two files: they are then in two snapshots.
        for _ in 0..2 {
            for file in files {
                if let Some(held) = path(file).filter(|p| p.is_file()) {
                    if snapshot::damage(&held)?.is_none() {
                        continue;
                    }
                    snapshot::discard(&held)?;
                }
                shelf.drop_dangling_links(file);
                match remote.fetch(file, progress) {
                    Ok(()) => {}
                    Err(Failure::Missing(_)) if file == files[0] => return Ok(None),
                    Err(failure) => return Err(model.error(self.explain(&failure, model))),
                }
                let Some(fetched) = path(file).filter(|p| p.is_file()) else {
                    let odd = Failure::Odd(format!("an unusable commit name for {file}"));
                    return Err(model.error(self.explain(&odd, model)));
                };
                if let Some(reason) = snapshot::damage(&fetched)? {
                    snapshot::discard(&fetched)?;
                    return Err(model.error(format!(
                        "{file} arrived damaged and was deleted: {reason}. `{}` fetches it anew; \
                         if that does not help, the copy at {} is bad",
                        model.command(),
                        self.endpoint
                    )));
                }
            }
            if let Found::Whole(folder) = self.look(model)? {
                return Ok(Some(folder));
            }
        }
        Err(model.error(format!(
            "the repository keeps changing while it is fetched. Try `{}` again",
            model.command()
        )))
    }

    /// What went wrong and what to do about it.
    fn explain(&self, failure: &Failure, model: &Model) -> String {
        let Hub { endpoint, .. } = self;
        let (repository, revision) = (&model.repository, &model.revision);
        let by_hand = format!(
            "or download {} by hand from {endpoint}/{repository} and pass `--model FOLDER`",
            model.files()
        );
        let again = format!("`{}` goes on where this stopped", model.command());
        match failure {
            Failure::Unreachable(why) => format!(
                "{endpoint} cannot be reached ({why}). Check the network; behind a proxy set \
                 HTTPS_PROXY; for a mirror set HF_ENDPOINT; {by_hand}"
            ),
            Failure::Refused(status) => {
                let token = if self.token.is_some() {
                    "the token in use (HF_TOKEN, or the file token in HF_HOME) is not accepted or \
                     gives no access: set HF_TOKEN to one that does"
                } else {
                    "for a private or gated model set HF_TOKEN to a token with access"
                };
                format!(
                    "{endpoint} refuses access to {repository} (status {status}): there is none \
                     of that name, or it is not public. Check the name{}; {token}; {by_hand}",
                    model.suggestion()
                )
            }
            Failure::Missing(what) => format!(
                "{endpoint} has no {what} in {repository} at revision {revision} (status 404). \
                 Check the name{} and the revision; if a mirror is set with HF_ENDPOINT, it may \
                 lack the model",
                model.suggestion()
            ),
            Failure::Busy(status) => format!(
                "{endpoint} is overloaded or out of order (status {status}). Try again later; for \
                 a mirror set HF_ENDPOINT; {by_hand}"
            ),
            Failure::Interrupted(why) => {
                format!("the connection to {endpoint} broke off ({why}). {again}; {by_hand}")
            }
            Failure::Stalled(patience) => format!(
                "nothing came from {endpoint} for {} seconds. {again}; {by_hand}",
                patience.as_secs_f32()
            ),
            Failure::StalePart => format!(
                "the part of a file in the cache {} does not fit what {endpoint} has. Delete the \
                 .part files there",
                self.cache_folder.display()
            ),
            Failure::Locked(lock) => format!(
                "another process is fetching it (lock {}). Wait for it to end",
                lock.display()
            ),
            Failure::Disk(why) => format!(
                "the cache {} cannot be written ({why}). Make room there, or set HF_HOME to \
                 another folder",
                self.cache_folder.display()
            ),
            Failure::Odd(what) => format!(
                "{endpoint} does not answer like a model hub ({what}). Check HF_ENDPOINT and the \
                 proxy; {by_hand}"
            ),
        }
    }
}

/// Said where something is missing that may not be fetched.
pub(crate) const OFFLINE: &str = "HF_HUB_OFFLINE or VITOK_OFFLINE is set, so nothing is fetched: unset it first";

/// What a variable of the environment says; empty ones say nothing.
pub(crate) fn setting(lookup: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let text = lookup(name)?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Whether the environment forbids the network.
pub(crate) fn is_offline(lookup: impl Fn(&str) -> Option<String>) -> bool {
    let is_on = |value: String| {
        ["1", "true", "yes", "on"]
            .iter()
            .any(|on| value.trim().eq_ignore_ascii_case(on))
    };
    ["HF_HUB_OFFLINE", "VITOK_OFFLINE"]
        .iter()
        .any(|name| lookup(name).is_some_and(is_on))
}

/// What the cache has of a model.
enum Found {
    /// The folder with all files, sound as far as their headers tell.
    Whole(PathBuf),
    /// All files, but this one is bad.
    Damaged { file: PathBuf, reason: String },
    /// Not all files.
    Nothing,
}

impl fmt::Debug for Hub {
    /// Without the token, so that it gets into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.endpoint)
            .field("cache_folder", &self.cache_folder)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .field("offline", &self.offline)
            .field("patience", &self.patience)
            .finish()
    }
}
