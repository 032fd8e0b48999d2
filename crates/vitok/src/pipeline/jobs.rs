//! Which input goes where.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data::Dataset;
use crate::files::{FoundFiles, hidden_text, printable, real_path, replace_folder};
use crate::media::{Clip, ClipOptions, Image, is_image_path, write_image};
use crate::observe::{Event, Observer};
use crate::{Error, Result};

/// An input and the place of its output below the output folder, without its ending.
#[derive(Clone, Debug)]
pub(super) struct Job {
    /// The file to read; of an image in a shard, `SHARD.tar/ENTRY`.
    pub(super) input: PathBuf,
    /// Its name, below the folders that led to it from a named input.
    pub(super) place: PathBuf,
    /// Which image of a dataset it is, if it is one.
    sample: Option<(Arc<Dataset>, usize)>,
}

/// What the inputs of a call are.
#[derive(Debug, Default)]
pub(super) struct Jobs {
    /// Those that were found, each once.
    pub(super) found: Vec<Job>,
    /// Inputs that cannot be read, and why.
    pub(super) missing: Vec<(PathBuf, Error)>,
}

/// An input, while it is not known who shares its place.
struct Found {
    job: Job,
    /// Tells the file from all others.
    identity: String,
    /// The place with its ending.
    full_place: PathBuf,
    /// The place in a folder of its shard's name.
    place_in_shard: Option<PathBuf>,
}

impl Jobs {
    /// The images of inputs that are images, folders, lists or shards, as [`Dataset::open`] takes them. An input that is
    /// none is missing; the others go on. A file named twice is one job, and what lies in the output folder is no input,
    /// if that is inside an input folder.
    ///
    /// A file's place is its path below the dataset. Files that would share a place keep their endings too, and images
    /// of several shards are put into folders of their shards' names.
    pub(super) fn of_images(inputs: &[PathBuf], out: &Path, observer: &dyn Observer) -> Self {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for input in inputs {
            let dataset = match Dataset::open(input) {
                Ok(dataset) => Arc::new(dataset),
                Err(error) => {
                    missing.push((input.clone(), error));
                    continue;
                }
            };
            dataset
                .warnings()
                .iter()
                .for_each(|text| observer.event(Event::Warning(text)));
            let samples = dataset.samples().iter().zip(dataset.identities()).enumerate();
            let samples = samples.map(|(index, (sample, identity))| {
                let shard = dataset.shard(index).and_then(Path::file_stem);
                Found {
                    job: Job {
                        input: dataset.file(index).unwrap_or(Path::new(&sample.name)).to_owned(),
                        place: sample.place.with_extension(""),
                        sample: Some((dataset.clone(), index)),
                    },
                    identity,
                    full_place: sample.place.clone(),
                    place_in_shard: shard.map(|shard| Path::new(shard).join(sample.place.with_extension(""))),
                }
            });
            found.extend(without_outputs(samples, input, out));
        }
        Self {
            found: placed(found),
            missing,
        }
    }

    /// The latent files of inputs that are such files or folders of them, as `find` finds them; otherwise as
    /// [`of_images`](Self::of_images).
    pub(super) fn of_latents(
        inputs: &[PathBuf],
        out: &Path,
        find: impl Fn(&Path) -> Result<FoundFiles>,
        observer: &dyn Observer,
    ) -> Self {
        let mut missing = Vec::new();
        let mut found = Vec::new();
        for input in inputs {
            let latents = match find(input) {
                Ok(found) => found,
                Err(error) => {
                    missing.push((input.clone(), error));
                    continue;
                }
            };
            if let Some(text) = hidden_text(&latents.hidden) {
                observer.event(Event::Warning(&text));
            }
            let mut files = Vec::new();
            for file in latents.files {
                match file.fault {
                    None => files.push(file.path),
                    Some(fault) => {
                        let (path, reason) = (file.path.clone(), fault.to_string());
                        missing.push((file.path, Error::Latents { path, reason }));
                    }
                }
            }
            let files = files.into_iter().map(|file| {
                let below = file
                    .strip_prefix(input)
                    .ok()
                    .filter(|below| !below.as_os_str().is_empty());
                let place = below.or(file.file_name().map(Path::new)).unwrap_or(&file).to_owned();
                Found {
                    identity: printable(real_path(&file)),
                    job: Job {
                        input: file,
                        place: place.with_extension(""),
                        sample: None,
                    },
                    full_place: place,
                    place_in_shard: None,
                }
            });
            found.extend(without_outputs(files, input, out));
        }
        Self {
            found: placed(found),
            missing,
        }
    }
}

/// Leaves out what lies in the output folder, if that is inside the input folder.
fn without_outputs(found: impl Iterator<Item = Found>, input: &Path, out: &Path) -> Vec<Found> {
    let (input, out) = (real_path(input), real_path(out));
    let out_is_below = input.is_dir() && out.starts_with(&input) && out != input;
    let out = PathBuf::from(printable(out));
    let is_input = |found: &Found| !(out_is_below && Path::new(&found.identity).starts_with(&out));
    found.filter(is_input).collect()
}

/// The jobs, each once, at places that are their own where that can be.
fn placed(mut found: Vec<Found>) -> Vec<Job> {
    let mut seen = HashSet::new();
    found.retain(|found| seen.insert(found.identity.clone()));
    let mut sharing: HashMap<PathBuf, usize> = HashMap::new();
    for found in &found {
        *sharing.entry(found.job.place.clone()).or_default() += 1;
        *sharing.entry(found.full_place.clone()).or_default() += 1;
    }
    let is_shared = |place: &PathBuf| sharing[place] > 1;
    let place = |found: Found| {
        let mut job = found.job;
        if is_shared(&job.place) && job.place != found.full_place {
            job.place = match found.place_in_shard {
                Some(place) if is_shared(&found.full_place) => place,
                _ => found.full_place,
            };
        }
        job
    };
    found.into_iter().map(place).collect()
}

impl Job {
    /// Reads the image or animation.
    pub(super) fn read(&self, options: &ClipOptions, patch: usize) -> Result<Clip> {
        match &self.sample {
            Some((dataset, index)) => dataset.read(*index, options, patch),
            None => options.read(&self.input, patch),
        }
    }

    /// About how many bytes [`read`](Self::read) takes.
    pub(super) fn size_hint(&self, options: &ClipOptions) -> u64 {
        match &self.sample {
            Some((dataset, index)) => dataset.size_hint(*index, options),
            None => options.size_hint(&self.input),
        }
    }

    /// The output file in `folder` with `ending` (".png").
    pub(super) fn output(&self, folder: &Path, ending: &str) -> PathBuf {
        let mut path = folder.join(&self.place).into_os_string();
        path.push(ending);
        path.into()
    }

    /// Writes one frame as a file with `suffix` and `ending` after its name, several as a folder of numbered frames with
    /// `suffix` after its name. Returns which.
    pub(super) fn write(&self, folder: &Path, suffix: &str, ending: &str, frames: &[Image]) -> Result<PathBuf> {
        if let [image] = frames {
            let file = self.output(folder, &format!("{suffix}{ending}"));
            write_image(&file, image)?;
            return Ok(file);
        }
        let path = self.output(folder, suffix);
        let is_frame = |name: &str| {
            let number = name.split('.').next().unwrap_or_default();
            is_image_path(Path::new(name)) && number.bytes().all(|b| b.is_ascii_digit())
        };
        replace_folder(&path, is_frame, |scratch| {
            let mut numbered = frames.iter().enumerate();
            numbered.try_for_each(|(i, frame)| write_image(&scratch.join(format!("{i:05}{ending}")), frame))
        })?;
        Ok(path)
    }
}
