//! What a pretrained weight file is and where it comes from.

use std::path::{Path, PathBuf};

use crate::{Error, Remedy};

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
    /// A Python package holds it, which anyone may fetch.
    Packaged(Packaged),
    /// It lies by itself on its maker's site: the user brings a copy, or asks for it to be fetched from there.
    Hosted(Hosted),
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
pub struct Hosted {
    /// Address of the file.
    pub url: &'static str,
    /// The beginning of its SHA-256, which its name ends with.
    pub sha256_prefix: &'static str,
    /// Its size, roughly.
    pub megabytes: u32,
}

impl Hosted {
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
            Self::Hosted(hosted) => hosted.url,
        }
    }

    /// The SHA-256 of the published file, or the beginning of it if no more is known.
    pub fn sha256(&self) -> &'static str {
        match self {
            Self::Packaged(packaged) => packaged.sha256,
            Self::Hosted(hosted) => hosted.sha256_prefix,
        }
    }

    /// The published file in words.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Packaged(packaged) => format!("{} of {}", packaged.inner_path, packaged.package),
            Self::Hosted(hosted) => hosted.published_name().to_owned(),
        }
    }
}

impl PretrainedWeights {
    /// Its path in a folder of weights. The name tells nothing of the kind of file: that is read from its content.
    pub fn path(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{}.weights", self.name))
    }

    /// How to get it, the likeliest first.
    pub fn remedies(&self) -> Vec<Remedy> {
        match &self.source {
            WeightsSource::Packaged(_) => vec![Remedy::DownloadMetrics { all: false }],
            WeightsSource::Hosted(_) => vec![self.by_hand(), Remedy::DownloadMetrics { all: true }],
        }
    }

    /// How to get it without the network of this machine.
    pub(super) fn by_hand(&self) -> Remedy {
        match &self.source {
            WeightsSource::Packaged(packaged) => Remedy::BringArchive {
                archive: packaged.archive.to_owned(),
                package: packaged.package.to_owned(),
            },
            WeightsSource::Hosted(hosted) => Remedy::BringFile {
                what: format!("{} (about {} MB)", hosted.published_name(), hosted.megabytes),
                from: hosted.url.to_owned(),
                pretrained: Some(self.name.to_owned()),
            },
        }
    }

    pub(super) fn error(&self, folder: &Path, reason: String, remedies: Vec<Remedy>) -> Error {
        Error::PretrainedWeights {
            path: self.path(folder),
            reason,
            remedies,
        }
    }
}
