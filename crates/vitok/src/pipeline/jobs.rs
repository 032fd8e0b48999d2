//! Which input goes where, and what may not be overwritten.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::files::replace_folder;
use crate::media::{Image, is_image_path, write_image};
use crate::{Error, Result};

/// An input and the place of its output below the output folder, without its ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The file to read.
    pub input: PathBuf,
    /// Its name, below the folders that led to it from a named input.
    pub place: PathBuf,
}

/// What the inputs of a call are.
#[derive(Debug, Default)]
pub struct Jobs {
    /// Those that were found, each once.
    pub found: Vec<Job>,
    /// Inputs that are not there, and why.
    pub missing: Vec<(PathBuf, Error)>,
}

impl Jobs {
    /// Looks up every input with `find`, which lists the files of a folder. An input that is not there is missing; the
    /// others go on. A file named twice is one job, and what lies in the output folder is no input, if that is inside an
    /// input folder.
    ///
    /// A file's place is its name, below the folders that led to it from a named input. Files that would share a place
    /// keep their endings too.
    pub fn collect(inputs: &[PathBuf], out: &Path, find: impl Fn(&Path) -> Result<Vec<PathBuf>>) -> Self {
        let out = true_path(out);
        let mut files = Vec::new();
        let mut seen = HashSet::new();
        let mut missing = Vec::new();
        for input in inputs {
            let found = match find(input) {
                Ok(found) => found,
                Err(error) => {
                    missing.push((input.clone(), error));
                    continue;
                }
            };
            let out_is_below = input.is_dir() && out.starts_with(true_path(input)) && out != true_path(input);
            for file in found {
                let path = true_path(&file);
                if !seen.insert(path.clone()) || (out_is_below && path.starts_with(&out)) {
                    continue;
                }
                let below = file.strip_prefix(input).ok();
                let below = below.filter(|p| !p.as_os_str().is_empty());
                let place = below.map(Path::to_owned);
                let place = place.or_else(|| file.file_name().map(PathBuf::from));
                files.push((place.unwrap_or_else(|| file.clone()), file));
            }
        }
        let mut sharing: HashMap<PathBuf, usize> = HashMap::new();
        for (place, _) in &files {
            *sharing.entry(place.with_extension("")).or_default() += 1;
        }
        let job = |(full, input): (PathBuf, PathBuf)| {
            let short = full.with_extension("");
            let place = if sharing[&short] > 1 { full } else { short };
            Job { input, place }
        };
        Self {
            found: files.into_iter().map(job).collect(),
            missing,
        }
    }
}

impl Job {
    /// The output file in `folder` with `ending` (".png").
    pub fn output(&self, folder: &Path, ending: &str) -> PathBuf {
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

/// What may not be overwritten: inputs, and the outputs of other jobs.
pub(super) struct Conflicts {
    inputs: HashSet<PathBuf>,
    written: HashMap<PathBuf, PathBuf>,
}

impl Conflicts {
    pub(super) fn of(jobs: &[Job]) -> Self {
        Self {
            inputs: jobs.iter().map(|job| true_path(&job.input)).collect(),
            written: HashMap::new(),
        }
    }

    /// Enters what a job will write.
    ///
    /// # Errors
    /// [`Error::Occupied`] if it may not.
    pub(super) fn enter(&mut self, job: &Job, outputs: Vec<PathBuf>) -> Result<()> {
        for output in outputs {
            let path = true_path(&output);
            let shown = path.display().to_string();
            let reason = if self.inputs.contains(&path) {
                format!("its result would overwrite the input {shown}")
            } else if let Some(other) = self.written.insert(path, job.input.clone()) {
                format!("its result {shown} would overwrite that of {}", other.display())
            } else {
                continue;
            };
            return Err(Error::Occupied {
                path: job.input.clone(),
                reason,
            });
        }
        Ok(())
    }
}

/// The path without links, as far as it exists.
fn true_path(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => true_path(parent).join(name),
        (Some(_), Some(name)) => true_path(Path::new(".")).join(name),
        _ => path.to_owned(),
    }
}
