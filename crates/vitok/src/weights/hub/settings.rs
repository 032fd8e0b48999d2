//! Where models come from and where they are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::env::{home, is_offline, lookup, variable};
use crate::{Error, Result};

const DEFAULT_ENDPOINT: &str = "https://huggingface.co";

/// The Hugging Face hub or a mirror of it, and its cache on this machine.
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
    /// How long a server may stay silent, before its first answer (there 10 seconds at most) or amid a file, until it is
    /// given up.
    pub timeout: Duration,
}

impl Hub {
    /// Settings from the environment: `HF_ENDPOINT` (a mirror's address), `HF_HUB_CACHE` (the cache; else `hub` in
    /// `HF_HOME`, else `.cache/huggingface/hub` in the home folder), `HF_TOKEN` (else the file `token` in `HF_HOME`), and
    /// `HF_HUB_OFFLINE` or `VITOK_OFFLINE` (1, true, yes or on). Empty variables count as unset.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if there is no home folder and no variable names a cache.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(variable, home().as_deref())
    }

    /// [`Hub::from_env`] with another source of variables and another home folder.
    ///
    /// # Errors
    /// As [`Hub::from_env`].
    pub fn from_lookup(variables: impl Fn(&str) -> Option<String>, home: Option<&Path>) -> Result<Self> {
        let get = |name| lookup(&variables, name);
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
            offline: is_offline(&variables),
            timeout: Duration::from_secs(60),
        })
    }
}

impl Hub {
    /// The endpoint without a user's name and password, for messages.
    pub(super) fn shown_endpoint(&self) -> String {
        let Some((scheme, rest)) = self.endpoint.split_once("://") else {
            return self.endpoint.clone();
        };
        let (server, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let server = server.rsplit_once('@').map_or(server, |(_, server)| server);
        format!("{scheme}://{server}{path}")
    }
}

impl fmt::Debug for Hub {
    /// Without the token and a password in the address, so that they get into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("endpoint", &self.shown_endpoint())
            .field("cache_folder", &self.cache_folder)
            .field("token", &self.token.as_ref().map(|_| "(set)"))
            .field("offline", &self.offline)
            .field("timeout", &self.timeout)
            .finish()
    }
}
