//! The one place where the library reads its environment: variables, and the user's folders. Empty variables count as
//! unset.
//!
//! | variable | what it sets |
//! |---|---|
//! | `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE` | the folder of models from the hub; else `hub` in `HF_HOME` |
//! | `HF_HOME` | the folder of the hub's programs; else `huggingface` in `XDG_CACHE_HOME`, else in `~/.cache` |
//! | `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN` | the token sent to the hub; else what the file `HF_TOKEN_PATH` holds |
//! | `HF_TOKEN_PATH` | the file of the token; else `token` in `HF_HOME` |
//! | `HF_HUB_DISABLE_IMPLICIT_TOKEN` | 1, true, yes or on: send no token |
//! | `HF_ENDPOINT` | the address of a mirror of the hub |
//! | `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`; `VITOK_OFFLINE` | 1, true, yes or on: never touch the network |
//! | `VITOK_METRICS` | the folder of pretrained weights; else `vitok/metrics` in the cache folder |
//! | `VITOK_PYTHON` | the Python whose pip fetches packages; else `python3` |
//! | `XDG_CACHE_HOME` | the cache folder; else the system's own (Linux: `.cache` in the home folder) |
//! | `VITOK_COMPOSED` | set to anything: no kernels of ours |
//!
//! Those of the hub mean what they mean to Python's `huggingface_hub`, but that it takes an empty variable at its word.
//! In the names of folders and files a leading `~` is the home folder, and `$NAME` or `${NAME}` another variable.
//!
//! Proxies (`HTTPS_PROXY` and its like) are read by the HTTP clients.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

/// Set to anything, keeps the CPU to compositions of Burn's operations instead of our kernels, to tell a kernel's fault
/// from a model's.
pub const COMPOSED: &str = "VITOK_COMPOSED";

/// Why nothing is fetched where [`is_offline`], and what to do about it.
pub(crate) const OFFLINE: &str =
    "HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE or VITOK_OFFLINE is set, so nothing is fetched: unset it first";

/// Whether [`COMPOSED`] is set.
pub(crate) fn composed() -> bool {
    std::env::var_os(COMPOSED).is_some()
}

/// The value of a variable.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The value of one of `variables`, trimmed; `None` if it is empty.
pub(crate) fn lookup(variables: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    let text = variables(name)?.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Whether a variable is 1, true, yes or on.
pub(crate) fn is_on(variables: impl Fn(&str) -> Option<String>, name: &str) -> bool {
    let values = ["1", "true", "yes", "on"];
    lookup(variables, name).is_some_and(|value| values.iter().any(|on| value.eq_ignore_ascii_case(on)))
}

/// Whether `variables` forbid the network.
pub(crate) fn is_offline(variables: impl Fn(&str) -> Option<String>) -> bool {
    let of_hub = match lookup(&variables, "HF_HUB_OFFLINE") {
        Some(_) => "HF_HUB_OFFLINE",
        None => "TRANSFORMERS_OFFLINE",
    };
    is_on(&variables, of_hub) || is_on(&variables, "VITOK_OFFLINE")
}

/// The path that a variable holds, with the home folder for a leading `~`, and the values of variables in it.
pub(crate) fn lookup_path(
    variables: impl Fn(&str) -> Option<String>,
    name: &str,
    home: Option<&Path>,
) -> Option<PathBuf> {
    let path = lookup(&variables, name)?;
    let home = || home?.to_str().map(str::to_owned);
    Some(
        shellexpand::full_with_context_no_errors(&path, home, &variables)
            .into_owned()
            .into(),
    )
}

/// The user's home folder.
pub(crate) fn home() -> Option<PathBuf> {
    etcetera::home_dir().ok()
}

/// The user's folder for caches by the habits of the system: `~/.cache`, on macOS `~/Library/Caches`, on Windows
/// `AppData\Local`.
pub(crate) fn cache_home() -> Option<PathBuf> {
    let folders = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(folders.cache_dir())
}

/// A path with a leading `~` replaced by the home folder.
pub(crate) fn expand_home(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), home()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}
