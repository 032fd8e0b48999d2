//! Datasets: images in folders, lists and tar shards, all read alike.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::shards::Shard;
use super::tar_index::Range;
use crate::files::{FileFault, hexadecimal, printable};
use crate::media::{Clip, ClipOptions, ReadOptions, decode_image, read_encoded, read_image};
use crate::{Error, Result};

/// Bytes of pixels for each byte of an image in a shard, roughly: those of a photograph as JPEG.
const PIXELS_PER_BYTE: u64 = 16;

/// An opened dataset: its samples are known, their images not read yet.
#[derive(Debug)]
pub struct Dataset {
    pub(super) name: String,
    pub(super) samples: Vec<Sample>,
    pub(super) shards: Vec<Shard>,
    pub(super) warnings: Vec<String>,
}

/// One image and its annotations.
#[derive(Debug)]
pub struct Sample {
    /// Where it is, for messages: a path, or `SHARD.tar/ENTRY`.
    pub name: String,
    /// Its path below the dataset: below the folder, below the folder that all files of a list are in, or in the shard.
    pub place: PathBuf,
    pub(super) location: Location,
    pub(super) class: Option<Range>,
    pub(super) metadata: Option<Range>,
}

#[derive(Debug)]
pub(super) enum Location {
    File(PathBuf),
    /// The number of a shard, and where the image is in it.
    Shard(usize, Range),
    /// What cannot be read keeps its place, so that a file that comes and goes changes no order.
    Nowhere(FileFault),
}

impl Dataset {
    /// Its path, as the user wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The samples, in the order of the folder, list or shards.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What is wrong but does not stop the rest: what cannot be read or is passed over, a shard that ends early.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many samples are known to be unreadable before any is opened.
    pub fn missing(&self) -> usize {
        let is_missing = |sample: &&Sample| matches!(sample.location, Location::Nowhere(_));
        self.samples.iter().filter(is_missing).count()
    }

    /// A name for each sample that no other one has, however its dataset was spelled: the canonical path of its file, or
    /// that of its shard and the entry's name in it.
    pub fn identities(&self) -> impl Iterator<Item = String> {
        let shards: Vec<String> = self.shards.iter().map(|shard| canonical_path(shard.path())).collect();
        self.samples.iter().map(move |sample| match &sample.location {
            Location::File(path) => canonical_path(path),
            Location::Shard(shard, _) => format!("{}/{}", shards[*shard], printable(&sample.place)),
            Location::Nowhere(_) => sample.name.clone(),
        })
    }

    /// SHA-256 of the names and sizes in bytes of all samples, in order: it changes when files are added, removed, renamed
    /// or replaced by others. What is in them is not read.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for sample in &self.samples {
            let bytes = match &sample.location {
                // A file that is gone has no bytes.
                Location::File(path) => std::fs::metadata(path).map_or(0, |about| about.len()),
                Location::Shard(_, range) => range.length,
                Location::Nowhere(_) => 0,
            };
            hash.update(format!("{}\0{bytes}\n", sample.name));
        }
        hexadecimal(&hash.finalize())
    }

    /// The file of a sample, if it is one by itself.
    pub(crate) fn file(&self, index: usize) -> Option<&Path> {
        match &self.samples.get(index)?.location {
            Location::File(path) => Some(path),
            _ => None,
        }
    }

    /// The shard that a sample is in.
    pub(crate) fn shard(&self, index: usize) -> Option<&Path> {
        match self.samples.get(index)?.location {
            Location::Shard(shard, _) => Some(self.shards[shard].path()),
            _ => None,
        }
    }

    /// Reads and decodes an image.
    ///
    /// # Errors
    /// As [`read_image`]; the message names the sample.
    pub fn clip(&self, index: usize, options: &ReadOptions) -> Result<Clip> {
        let sample = self.sample(index)?;
        let image = match self.source(sample)? {
            Source::File(path) => read_image(path, options)?,
            Source::Bytes(bytes) => decode_image(Path::new(&sample.name), bytes, options)?,
        };
        Ok(image.into())
    }

    /// Reads a sample as a clip, as [`ClipOptions::read`] does.
    ///
    /// # Errors
    /// As [`ClipOptions::read`]; the message names the sample.
    pub fn read(&self, index: usize, options: &ClipOptions, patch: usize) -> Result<Clip> {
        let sample = self.sample(index)?;
        match self.source(sample)? {
            Source::File(path) => options.read(path, patch),
            Source::Bytes(bytes) => options.decode(Path::new(&sample.name), bytes, patch),
        }
    }

    /// About how many bytes [`read`](Self::read) takes for a sample.
    pub fn size_hint(&self, index: usize, options: &ClipOptions) -> u64 {
        match self.samples.get(index).map(|sample| &sample.location) {
            Some(Location::File(path)) => options.size_hint(path),
            Some(Location::Shard(_, range)) => PIXELS_PER_BYTE.saturating_mul(range.length),
            Some(Location::Nowhere(_)) | None => 0,
        }
    }

    /// The bytes of an image's file, or of its entry in a shard, for [`decode_image`].
    ///
    /// # Errors
    /// As [`read_encoded`].
    pub fn encoded(&self, index: usize, options: &ReadOptions) -> Result<Vec<u8>> {
        match self.source(self.sample(index)?)? {
            Source::File(path) => read_encoded(path, options),
            Source::Bytes(bytes) => Ok(bytes),
        }
    }

    /// The class of a sample: the number in its `.cls` entry, if it has one.
    ///
    /// # Errors
    /// [`Error::Data`] if that is no number; [`Error::Io`].
    pub fn class(&self, index: usize) -> Result<Option<u64>> {
        let sample = self.sample(index)?;
        let Some(bytes) = self.annotation(sample, sample.class)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes);
        let class = text.trim().parse();
        class.map(Some).map_err(|_| Error::Data {
            name: sample.name.clone(),
            reason: format!("its .cls entry is {:?}, not a whole number", text.trim()),
        })
    }

    /// The `.json` entry of a sample, if it has one.
    ///
    /// # Errors
    /// [`Error::Data`] if that is no JSON; [`Error::Io`].
    pub fn metadata(&self, index: usize) -> Result<Option<serde_json::Value>> {
        let sample = self.sample(index)?;
        let Some(bytes) = self.annotation(sample, sample.metadata)? else {
            return Ok(None);
        };
        let value = serde_json::from_slice(&bytes);
        value.map(Some).map_err(|e| Error::Data {
            name: sample.name.clone(),
            reason: format!("its .json entry is damaged: {e}"),
        })
    }

    fn annotation(&self, sample: &Sample, range: Option<Range>) -> Result<Option<Vec<u8>>> {
        match (&sample.location, range) {
            (Location::Shard(shard, _), Some(range)) => self.shards[*shard].read(range).map(Some),
            _ => Ok(None),
        }
    }

    fn sample(&self, index: usize) -> Result<&Sample> {
        self.samples.get(index).ok_or_else(|| Error::Data {
            name: self.name.clone(),
            reason: format!("image {index} was asked for; it has {}", self.samples.len()),
        })
    }

    fn source<'a>(&self, sample: &'a Sample) -> Result<Source<'a>> {
        match &sample.location {
            Location::File(path) => Ok(Source::File(path)),
            Location::Shard(shard, range) => Ok(Source::Bytes(self.shards[*shard].read(*range)?)),
            Location::Nowhere(fault) => Err(Error::Image {
                path: PathBuf::from(&sample.name),
                reason: fault.to_string(),
            }),
        }
    }
}

/// Where an image's bytes are.
enum Source<'a> {
    File(&'a Path),
    Bytes(Vec<u8>),
}

impl Sample {
    /// Its [place](Self::place) without the ending, with slashes on every system: what a sample and an output made of it
    /// have in common.
    pub fn key(&self) -> String {
        let place = self.place.with_extension("");
        place.iter().map(printable).collect::<Vec<_>>().join("/")
    }
}

/// The path without links; unchanged where there is no such file.
fn canonical_path(path: &Path) -> String {
    printable(path.canonicalize().unwrap_or_else(|_| path.to_owned()))
}
