//! What is scored: images or clips, of folders, lists and tar shards.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};
use vitok::data::Dataset;
use vitok::evaluate::Protocol;
use vitok::files::{find_files, hexadecimal};
use vitok::media::{Image, ReadOptions, is_image_path, read_animation, read_frames, read_image};

use crate::output;

/// A set of images, or of clips.
pub struct Items {
    sources: Vec<Dataset>,
    items: Vec<Item>,
    options: ReadOptions,
    protocol: Protocol,
    /// Most frames of a clip; 1 for images.
    frames: usize,
}

struct Item {
    /// For people.
    name: String,
    /// What an original and its output have in common: the path below the input, without its
    /// ending.
    key: String,
    place: Place,
}

enum Place {
    Image { source: usize, index: usize },
    Animation(PathBuf),
    Frames(Vec<PathBuf>),
}

/// One of them: an image is a clip of one frame.
pub struct Clip {
    pub frames: Vec<Image>,
    /// Frames a second, where the file says so.
    pub fps: Option<f64>,
}

impl Items {
    /// Opens what `inputs` stand for. With more than one frame these are clips: animations, and
    /// folders of still images in the order of their names.
    pub fn open(
        inputs: &[String],
        frames: usize,
        protocol: Protocol,
        max_pixels: u64,
    ) -> Result<Self> {
        let mut all = Self {
            sources: Vec::new(),
            items: Vec::new(),
            options: protocol.read_options(max_pixels),
            protocol,
            frames,
        };
        for input in inputs {
            match frames {
                1 => all.add_images(input)?,
                _ => all.add_clips(Path::new(input))?,
            }
        }
        Ok(all)
    }

    fn add_images(&mut self, input: &str) -> Result<()> {
        let source = Dataset::open(input)?;
        source.warnings().iter().for_each(|w| output::warning(w));
        let number = self.sources.len();
        for (index, record) in source.records().iter().enumerate() {
            self.items.push(Item {
                key: key(input, Path::new(&record.name)),
                name: record.name.clone(),
                place: Place::Image {
                    source: number,
                    index,
                },
            });
        }
        self.sources.push(source);
        Ok(())
    }

    fn add_clips(&mut self, input: &Path) -> Result<()> {
        let mut folders: Vec<(PathBuf, Vec<PathBuf>)> = Vec::new();
        for file in find_files(input, is_image_path)? {
            let folder = file.parent().unwrap_or(Path::new("")).to_owned();
            match folders.iter_mut().find(|(name, _)| *name == folder) {
                Some((_, files)) => files.push(file),
                None => folders.push((folder, vec![file])),
            }
        }
        for (folder, files) in folders {
            let animated = |file: &PathBuf| {
                let frames = read_frames(file, &self.options, 2);
                frames.map_or(0, |frames| frames.len()) > 1
            };
            let (path, places): (Option<&Path>, Vec<Place>) = match files.first() {
                Some(first) if !animated(first) => (Some(&folder), vec![Place::Frames(files)]),
                _ => (None, files.into_iter().map(Place::Animation).collect()),
            };
            for place in places {
                let path = match &place {
                    Place::Animation(file) => file.clone(),
                    _ => path.unwrap_or(input).to_owned(),
                };
                self.items.push(Item {
                    key: key(&input.to_string_lossy(), &path),
                    name: path.display().to_string(),
                    place,
                });
            }
        }
        if self.items.is_empty() {
            bail!(
                "{}: no clips in it: with --frames, animations (GIF, APNG, WebP) and folders of images \
                 are clips",
                input.display()
            );
        }
        Ok(())
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn name(&self, index: usize) -> &str {
        &self.items[index].name
    }

    pub fn are_clips(&self) -> bool {
        self.frames > 1
    }

    /// About how many bytes of pixels an item has, as far as its file tells without being decoded.
    pub fn weight(&self, index: usize) -> u64 {
        match &self.items[index].place {
            Place::Image { .. } => 3 << 20,
            _ => (self.frames as u64) << 20,
        }
    }

    /// Only the first so many.
    pub fn limit(&mut self, count: usize) {
        self.items.truncate(count);
    }

    /// A hash of what these are, by name and order: enough to tell another set from this one.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for item in &self.items {
            hash.update(item.name.as_bytes());
            hash.update([0]);
        }
        hexadecimal(&hash.finalize())
    }

    /// Reads one, cropped as the protocol says.
    pub fn read(&self, index: usize) -> vitok::Result<Clip> {
        let options = &self.options;
        let (frames, fps) = match &self.items[index].place {
            Place::Image { source, index } => {
                (vec![self.sources[*source].image(*index, options)?], None)
            }
            Place::Animation(path) => read_animation(path, options, self.frames)?,
            Place::Frames(paths) => {
                let paths = paths.iter().take(self.frames);
                let frames = paths.map(|path| read_image(path, options));
                (frames.collect::<vitok::Result<_>>()?, None)
            }
        };
        let frames = frames.into_iter().map(|frame| self.protocol.crop(frame));
        Ok(Clip {
            frames: frames.collect::<vitok::Result<_>>()?,
            fps,
        })
    }

    /// For each item of `self` the one of `others` with the same key, or, where keys have none in
    /// common, the same file name. What is left over on either side is told.
    pub fn matched(&self, others: &Self) -> Result<Vec<Option<usize>>> {
        let whole = |item: &Item| item.key.clone();
        let last = |item: &Item| item.key.rsplit('/').next().unwrap_or("").to_owned();
        let mut found = self.matched_by(others, whole)?;
        if found.iter().all(Option::is_none) {
            found = self.matched_by(others, last)?;
        }
        if found.iter().all(Option::is_none) {
            bail!(
                "no output has the name of an original (the first: {} and {}); outputs of a generator, \
                 which have no originals, are scored with --unpaired",
                others.name(0),
                self.name(0)
            );
        }
        Ok(found)
    }

    fn matched_by(
        &self,
        others: &Self,
        key: impl Fn(&Item) -> String,
    ) -> Result<Vec<Option<usize>>> {
        let mut places = HashMap::new();
        for (index, item) in others.items.iter().enumerate() {
            if let Some(first) = places.insert(key(item), index) {
                bail!(
                    "{} and {} would be outputs of the same original",
                    others.name(first),
                    others.name(index)
                );
            }
        }
        let matched = self
            .items
            .iter()
            .map(|item| places.get(&key(item)).copied());
        Ok(matched.collect())
    }
}

/// The path below the input, without its ending.
fn key(input: &str, path: &Path) -> String {
    let below = match path.strip_prefix(input) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path,
    };
    let key = below.with_extension("");
    key.to_string_lossy().replace('\\', "/")
}
