//! Opening a dataset: which samples it has, and what is wrong with it.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::dataset::{Dataset, Location, Sample};
use super::listing::Listing;
use super::shard_pattern::ShardPattern;
use super::shards::Shard;
use crate::env::expand_home;
use crate::files::{hidden_text, named_few, printable};
use crate::{Error, Result};

impl Dataset {
    /// Opens what `path` stands for:
    /// - a folder: the images in it and below it, folder by folder in [natural order](crate::files::natural_order): `2.jpg`
    ///   before `10.jpg`;
    /// - `.tar`, `.tar.gz` or `.tgz`, with braces for several (`train-{000..099}.tar`): WebDataset shards, in order. A
    ///   gzipped one is unpacked to a temporary file first. Entries that follow each other and are named alike up to the
    ///   first dot are a sample: the image is `x.jpg` before `x.depth.png`, or the first one, or with `#depth.png` after
    ///   the shards' name the one that is named so;
    /// - an image: itself;
    /// - any other file: a list in the order of its lines, one path a line, relative to the list's folder; blank lines and
    ///   lines that begin with `#` are passed over.
    ///
    /// In all of them what is hidden (its name, or that of a folder below, begins with a dot or is `__MACOSX`) is passed
    /// over, and what is no readable file (a link that leads nowhere, a folder that may not be searched, a missing file)
    /// is a sample that cannot be read; both are in the [warnings](Self::warnings). `~/` stands for the home folder.
    ///
    /// # Errors
    /// [`Error::Data`] for what holds no images, is no dataset or is damaged from the start;
    /// [`Error::Io`] for what cannot be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let mut opening = Opening::of(path);
        if path.as_os_str().is_empty() {
            return Err(opening.unusable("its path is empty".into()));
        }
        let real = expand_home(path);
        match ShardPattern::parse(&real) {
            Some(pattern) => opening.add_shards(&pattern)?,
            None => opening.add_files(&real)?,
        }
        opening.finish()
    }
}

/// A dataset that is being opened, and what is passed over, by its place.
struct Opening {
    dataset: Dataset,
    hidden: Vec<PathBuf>,
    /// Images of samples that have another one.
    further: Vec<PathBuf>,
    /// What to say if there are no images.
    nothing: String,
}

impl Opening {
    fn of(path: &Path) -> Self {
        Self {
            dataset: Dataset {
                name: match path.as_os_str().is_empty() {
                    true => "dataset".into(),
                    false => printable(path),
                },
                samples: Vec::new(),
                shards: Vec::new(),
                warnings: Vec::new(),
            },
            hidden: Vec::new(),
            further: Vec::new(),
            nothing: "no images in it".into(),
        }
    }

    fn unusable(&self, reason: String) -> Error {
        Error::Data {
            name: self.dataset.name.clone(),
            reason,
        }
    }

    fn add_files(&mut self, path: &Path) -> Result<()> {
        let listing = Listing::open(path)?;
        if path.is_dir() {
            self.nothing = "no images in this folder or below it".into();
        }
        self.hidden = listing.hidden;
        let samples = listing.images.into_iter().map(|image| Sample {
            name: printable(&image.path),
            place: image.place,
            location: match image.fault {
                Some(fault) => Location::Nowhere(fault),
                None => Location::File(image.path),
            },
            class: None,
            metadata: None,
        });
        self.dataset.samples.extend(samples);
        Ok(())
    }

    fn add_shards(&mut self, pattern: &ShardPattern) -> Result<()> {
        if let Some(field) = &pattern.field {
            self.nothing = format!("no images named .{field} in it");
        }
        let mut paths = HashSet::new();
        for path in pattern.expand().map_err(|reason| self.unusable(reason))? {
            if !paths.insert(path.clone()) {
                return Err(self.unusable(format!("it names {path} twice")));
            }
            self.add_shard(&path, pattern.field.as_deref())?;
        }
        Ok(())
    }

    fn add_shard(&mut self, path: &str, field: Option<&str>) -> Result<()> {
        let (shard, content) = Shard::open(Path::new(path), field)?;
        let warnings = &mut self.dataset.warnings;
        match (content.samples.len(), content.damage) {
            (0, Some(reason)) => {
                return Err(Error::Data {
                    name: path.to_owned(),
                    reason: format!("damaged, no whole image in it: {reason}"),
                });
            }
            (0, None) => warnings.push(format!("{path}: no images in this shard")),
            (count, Some(reason)) => warnings.push(format!(
                "{path}: the shard is damaged or cut short ({reason}); its first {count} images are used"
            )),
            (_, None) => {}
        }
        let number = self.dataset.shards.len();
        self.dataset.shards.push(shard);
        self.hidden.extend(content.hidden);
        self.further.extend(content.further);
        let samples = content.samples.into_iter().map(|sample| Sample {
            name: format!("{path}/{}", printable(&sample.place)),
            place: sample.place,
            location: match sample.image {
                Ok(range) => Location::Shard(number, range),
                Err(fault) => Location::Nowhere(fault),
            },
            class: sample.class,
            metadata: sample.metadata,
        });
        self.dataset.samples.extend(samples);
        Ok(())
    }

    /// The dataset, with warnings of what is passed over or cannot be read.
    fn finish(self) -> Result<Dataset> {
        let all = self.dataset.samples.len();
        let faults = self.dataset.samples.iter().filter_map(|sample| match &sample.location {
            Location::Nowhere(fault) => Some(format!("{} ({fault})", printable(&sample.place))),
            _ => None,
        });
        let faults: Vec<String> = faults.collect();
        let hidden = hidden_text(&self.hidden);
        if all == 0 {
            let hidden = hidden.map(|text| format!(" ({text})"));
            return Err(self.unusable(format!("{}{}", self.nothing, hidden.unwrap_or_default())));
        }
        if faults.len() == all {
            return Err(self.unusable(format!("none of the {all} files can be read; the first: {}", faults[0])));
        }
        let further: Vec<String> = self.further.iter().map(printable).collect();
        let further = (!further.is_empty()).then(|| {
            let names = named_few(&further);
            format!(
                "{} passed over because their samples have another image: {names}",
                further.len()
            )
        });
        let faults = (!faults.is_empty())
            .then(|| format!("{} of {all} files cannot be read: {}", faults.len(), named_few(&faults)));
        let mut dataset = self.dataset;
        for text in [hidden, further, faults].into_iter().flatten() {
            dataset.warnings.push(format!("{}: {text}", dataset.name));
        }
        Ok(dataset)
    }
}
