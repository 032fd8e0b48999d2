//! Datasets: images in folders, lists and tar shards, all read alike.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::shards::{self, Shard, Span};
use crate::env::expand_home;
use crate::files::{find_files, hexadecimal};
use crate::media::{Clip, ReadOptions, decode_image, is_image_path, read_encoded, read_image};
use crate::{Error, Result};

/// Most missing files that a warning names.
const NAMED: usize = 3;

/// An opened dataset: its samples are known, their images not read yet.
#[derive(Debug)]
pub struct Dataset {
    name: String,
    samples: Vec<Sample>,
    shards: Vec<Shard>,
    warnings: Vec<String>,
    missing: usize,
}

/// One image and its annotations.
#[derive(Debug)]
pub struct Sample {
    /// Where it is, for messages: a path, or `SHARD.tar/ENTRY`.
    pub name: String,
    location: Location,
    class: Option<Span>,
    metadata: Option<Span>,
}

#[derive(Debug)]
enum Location {
    File(PathBuf),
    Shard(Span),
}

impl Dataset {
    /// Opens what `path` stands for:
    /// - a folder: the images in it and below it, sorted by the bytes of their paths;
    /// - `.tar`, `.tar.gz` or `.tgz`, with braces for several (`train-{000..099}.tar`): WebDataset
    ///   shards, in order. A gzipped one is unpacked to a temporary file first;
    /// - an image: itself;
    /// - any other file: a list, one path a line, relative to the list's folder; blank lines and
    ///   lines that begin with `#` are passed over.
    ///
    /// `~/` stands for the home folder.
    ///
    /// # Errors
    /// [`Error::Data`] for what holds no images, is no dataset or is damaged from the start;
    /// [`Error::Io`] for what cannot be read.
    pub fn open(path: &str) -> Result<Self> {
        let real = expand_home(path);
        let mut dataset = Self {
            name: path.to_owned(),
            samples: Vec::new(),
            shards: Vec::new(),
            warnings: Vec::new(),
            missing: 0,
        };
        if path.is_empty() {
            return Err(Error::Data {
                name: "dataset".into(),
                reason: "its path is empty".into(),
            });
        }
        if is_shard(&real) {
            dataset.add_shards(&real.to_string_lossy())?;
        } else {
            dataset.add_files(&real)?;
        }
        if dataset.samples.is_empty() {
            return Err(dataset.unusable("no images in it".into()));
        }
        Ok(dataset)
    }

    /// Its path, as the user wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The samples, in the order of the folder, list or shards.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What is wrong but does not stop the rest: missing files, a shard that ends early.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// How many listed files are missing.
    pub fn missing(&self) -> usize {
        self.missing
    }

    /// A name for each sample that no other one has, however its dataset was spelled: the canonical path of its file, or
    /// that of its shard and the entry's name in it.
    pub fn identities(&self) -> impl Iterator<Item = String> {
        let shards: Vec<PathBuf> = self.shards.iter().map(|s| canonical_path(s.path())).collect();
        self.samples.iter().map(move |sample| match &sample.location {
            Location::File(path) => canonical_path(path).to_string_lossy().into_owned(),
            Location::Shard(span) => {
                let shard = self.shards[span.shard].path().to_string_lossy();
                let entry = sample.name.strip_prefix(&*shard).unwrap_or(&sample.name);
                format!("{}{entry}", shards[span.shard].display())
            }
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
                Location::Shard(span) => span.length(),
            };
            hash.update(format!("{}\0{bytes}\n", sample.name));
        }
        hexadecimal(&hash.finalize())
    }

    /// Reads and decodes an image.
    ///
    /// # Errors
    /// As [`read_image`]; the message names the sample.
    pub fn clip(&self, index: usize, options: &ReadOptions) -> Result<Clip> {
        let sample = self.sample(index)?;
        match &sample.location {
            Location::File(path) => Ok(read_image(path, options)?.into()),
            Location::Shard(span) => {
                let bytes = self.shards[span.shard].read(*span)?;
                Ok(decode_image(Path::new(&sample.name), bytes, options)?.into())
            }
        }
    }

    /// The bytes of an image's file, or of its entry in a shard, for [`decode_image`].
    ///
    /// # Errors
    /// As [`read_encoded`].
    pub fn encoded(&self, index: usize, options: &ReadOptions) -> Result<Vec<u8>> {
        match &self.sample(index)?.location {
            Location::File(path) => read_encoded(path, options),
            Location::Shard(span) => self.shards[span.shard].read(*span),
        }
    }

    /// The class of a sample: the number in its `.cls` entry, if it has one.
    ///
    /// # Errors
    /// [`Error::Data`] if that is no number; [`Error::Io`].
    pub fn class(&self, index: usize) -> Result<Option<u64>> {
        let sample = self.sample(index)?;
        let Some(span) = sample.class else {
            return Ok(None);
        };
        let bytes = self.shards[span.shard].read(span)?;
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
        let Some(span) = sample.metadata else {
            return Ok(None);
        };
        let bytes = self.shards[span.shard].read(span)?;
        let value = serde_json::from_slice(&bytes);
        value.map(Some).map_err(|e| Error::Data {
            name: sample.name.clone(),
            reason: format!("its .json entry is damaged: {e}"),
        })
    }

    fn sample(&self, index: usize) -> Result<&Sample> {
        self.samples.get(index).ok_or_else(|| {
            let count = self.samples.len();
            self.unusable(format!("image {index} was asked for; it has {count}"))
        })
    }

    fn unusable(&self, reason: String) -> Error {
        Error::Data {
            name: self.name.clone(),
            reason,
        }
    }

    fn add_files(&mut self, path: &Path) -> Result<()> {
        let is_folder = path.is_dir();
        let files = if is_folder || is_image_path(path) {
            find_files(path, is_image_path)?
        } else {
            self.read_list(path)?
        };
        if files.is_empty() && is_folder {
            return Err(self.unusable("no images in this folder or below it".into()));
        }
        self.samples = files
            .into_iter()
            .map(|path| Sample {
                name: path.display().to_string(),
                location: Location::File(path),
                class: None,
                metadata: None,
            })
            .collect();
        Ok(())
    }

    fn read_list(&mut self, path: &Path) -> Result<Vec<PathBuf>> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        let Ok(text) = String::from_utf8(bytes) else {
            return Err(
                self.unusable("neither a folder, a tar shard, an image nor a list of paths (it is not text)".into())
            );
        };
        let folder = path.parent().unwrap_or(Path::new(""));
        // Some editors begin a text with a byte-order mark.
        let text = text.trim_start_matches('\u{feff}');
        let lines = text.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let files: Vec<PathBuf> = lines.map(|line| folder.join(expand_home(line))).collect();
        let missing: Vec<_> = files.iter().filter(|file| !file.is_file()).collect();
        if missing.len() == files.len() && !files.is_empty() {
            return Err(self.unusable(format!(
                "none of the {} files it lists is there; the first is {}",
                files.len(),
                missing[0].display()
            )));
        }
        self.missing = missing.len();
        if !missing.is_empty() {
            let named: Vec<String> = missing
                .iter()
                .take(NAMED)
                .map(|file| file.display().to_string())
                .collect();
            let more = match missing.len() - named.len() {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.warnings.push(format!(
                "{}: {} of {} listed files are missing: {}{more}",
                self.name,
                missing.len(),
                files.len(),
                named.join(", ")
            ));
        }
        Ok(files)
    }

    fn add_shards(&mut self, pattern: &str) -> Result<()> {
        let mut paths = HashSet::new();
        for path in shards::expand_braces(pattern).map_err(|reason| self.unusable(reason))? {
            if !paths.insert(path.clone()) {
                return Err(self.unusable(format!("it names {path} twice")));
            }
            let number = self.shards.len();
            let (shard, samples, warning) = Shard::open(Path::new(&path), number)?;
            self.warnings.extend(warning);
            self.shards.push(shard);
            self.samples.extend(samples.into_iter().map(|sample| Sample {
                name: format!("{path}/{}", sample.name),
                location: Location::Shard(sample.image),
                class: sample.class,
                metadata: sample.metadata,
            }));
        }
        Ok(())
    }
}

fn is_shard(path: &Path) -> bool {
    let name = path.to_string_lossy();
    [".tar", ".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end)) && !path.is_dir()
}

/// The path without links; unchanged where there is no such file.
fn canonical_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}
