//! Where models come from and where they are kept.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::env::{home, is_offline, is_on, lookup, lookup_path, variable};
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
    /// Settings from the environment, by the variables of Python's `huggingface_hub`: those whose names begin with `HF_`
    /// or `HUGGING`, and `VITOK_OFFLINE`, in the table of [`env`](crate::env). Empty variables count as unset.
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
        let get_path = |name| lookup_path(&variables, name, home);
        let cache_home = || get_path("XDG_CACHE_HOME").or_else(|| Some(home?.join(".cache")));
        let hf_home = get_path("HF_HOME").or_else(|| Some(cache_home()?.join("huggingface")));
        let cache_folder = get_path("HF_HUB_CACHE")
            .or_else(|| get_path("HUGGINGFACE_HUB_CACHE"))
            .or_else(|| Some(hf_home.as_ref()?.join("hub")))
            .ok_or_else(|| {
                Error::InvalidArgument("there is no home folder to keep models in: set HF_HOME to a folder".into())
            })?;
        let token_in_file = || {
            let file = get_path("HF_TOKEN_PATH").or_else(|| Some(hf_home.as_ref()?.join("token")))?;
            let text = std::fs::read_to_string(file).ok()?;
            Some(text.trim().to_owned()).filter(|token| !token.is_empty())
        };
        let token = match is_on(&variables, "HF_HUB_DISABLE_IMPLICIT_TOKEN") {
            true => None,
            false => get("HF_TOKEN")
                .or_else(|| get("HUGGING_FACE_HUB_TOKEN"))
                .or_else(token_in_file),
        };
        Ok(Self {
            endpoint: get("HF_ENDPOINT")
                .unwrap_or_else(|| DEFAULT_ENDPOINT.into())
                .trim_end_matches('/')
                .to_owned(),
            cache_folder,
            token,
            offline: is_offline(&variables),
            timeout: Duration::from_secs(60),
        })
    }

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
