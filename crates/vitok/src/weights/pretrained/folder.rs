//! The folder of pretrained weights: finding a file in it, and copying a user's file into it.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::fetch::Fetcher;
use super::weights::{PretrainedWeights, WeightsSource};
use crate::files::{sha256_of_file, write_atomically};
use crate::weights::read::read_state_dict;
use crate::{Error, Result};

/// The folder of these files by the environment; see [`Fetcher::from_env`].
///
/// # Errors
/// As [`Fetcher::from_env`].
pub fn metrics_folder() -> Result<PathBuf> {
    Ok(Fetcher::from_env()?.folder)
}

/// The weight file called `name` in a folder of them, usually [`metrics_folder`]; the network is not
/// touched.
///
/// # Errors
/// [`Error::InvalidArgument`] for an unknown name, [`Error::PretrainedWeights`] if the file is not there.
pub fn find(name: &str, folder: &Path) -> Result<PathBuf> {
    let weights = PretrainedWeights::by_name(name)?;
    let path = weights.path(folder);
    if path.is_file() {
        return Ok(path);
    }
    let mut reason = format!("not there, but needed for {}", weights.purpose);
    if let WeightsSource::Packaged(packaged) = &weights.source {
        reason += &format!("; the Python package {} holds it", packaged.package);
    }
    Err(weights.error(folder, reason, weights.remedies()))
}

/// The copy of a user's file in a folder of weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// The copy.
    pub path: PathBuf,
    /// Set if it is not the published file, byte for byte.
    pub warning: Option<String>,
}

/// Copies a user's file into a folder of weights, usually [`metrics_folder`], as the one called
/// `name`; an older one is replaced.
///
/// It need not be the published file: whoever converts it to safetensors has another.
///
/// # Errors
/// [`Error::InvalidArgument`] for an unknown name; as [`read_state_dict`] if the file is no weight file;
/// [`Error::Io`] if it cannot be copied.
pub fn adopt(name: &str, path: &Path, folder: &Path) -> Result<Adopted> {
    let weights = PretrainedWeights::by_name(name)?;
    // A file of another kind should be refused here and not by the first score.
    read_state_dict(path)?;
    let sha256 = sha256_of_file(path)?;
    let copy = weights.path(folder);
    let mut file = File::open(path).map_err(|e| Error::io(path, "read", e))?;
    write_atomically(&copy, |out| io::copy(&mut file, out).map(drop))?;
    let expected = weights.source.sha256();
    let warning = (!sha256.starts_with(expected)).then(|| {
        format!(
            "{}: not the published {}: its SHA-256 begins with {}, not {}. That is right for a \
             file you converted",
            path.display(),
            weights.source.description(),
            &sha256[..8],
            &expected[..8]
        )
    });
    Ok(Adopted { path: copy, warning })
}
