//! The one place where the library reads environment variables. Every one is documented here; empty ones count as
//! unset.

use std::path::{Path, PathBuf};

/// Set to anything, keeps the CPU to compositions of Burn's operations instead of our kernels, to tell a kernel's fault
/// from a model's.
pub const COMPOSED: &str = "VITOK_COMPOSED";

/// Whether [`COMPOSED`] is set.
pub(crate) fn composed() -> bool {
    std::env::var_os(COMPOSED).is_some()
}

/// The home folder.
pub(crate) fn home() -> Option<PathBuf> {
    std::env::home_dir()
}

/// What a variable says; empty ones say nothing.
pub(crate) fn variable(name: &str) -> Option<String> {
    set(std::env::var(name).ok()?)
}

/// What a variable of another environment says; for tests, and for programs with settings of their own.
pub(crate) fn lookup(variables: impl Fn(&str) -> Option<String>, name: &str) -> Option<String> {
    set(variables(name)?)
}

fn set(text: String) -> Option<String> {
    let text = text.trim().to_owned();
    Some(text).filter(|text| !text.is_empty())
}

/// Whether the environment forbids the network: `HF_HUB_OFFLINE` or `VITOK_OFFLINE` is 1, true, yes or on.
pub(crate) fn is_offline(variables: impl Fn(&str) -> Option<String>) -> bool {
    let is_on = |value: String| {
        ["1", "true", "yes", "on"]
            .iter()
            .any(|on| value.eq_ignore_ascii_case(on))
    };
    ["HF_HUB_OFFLINE", "VITOK_OFFLINE"]
        .iter()
        .any(|name| lookup(&variables, name).is_some_and(is_on))
}

/// A path with a leading `~/` replaced by the home folder.
pub(crate) fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => Path::new(path).to_owned(),
    }
}
