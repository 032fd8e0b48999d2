//! The clips of an evaluation: images of datasets, or animations and folders of frames.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::encoded_clip::EncodedClip;
use super::protocol::Protocol;
use crate::data::Dataset;
use crate::files::{FileFault, find_files, hidden_text, printable, real_path};
use crate::media::{
    Clip, Image, ReadOptions, decode_clip, decode_image, is_image_path, jumps_of_frames, read_clip, read_encoded,
};
use crate::{Error, Result};

/// A set of clips that are not read yet; images are clips of one frame.
pub(super) struct ClipSet {
    datasets: Vec<Dataset>,
    entries: Vec<Entry>,
    options: ReadOptions,
    protocol: Protocol,
    max_frames: usize,
    /// What is wrong with folders of clips but does not stop the rest.
    warnings: Vec<String>,
}

struct Entry {
    /// Where it lies, for messages.
    name: String,
    /// What an original and its output have in common: the path below the input, without its ending.
    key: String,
    place: Place,
    /// The hash of its files, once it is asked for; none if they cannot be read.
    digest: OnceLock<Option<String>>,
}

impl Entry {
    fn new(name: String, key: String, place: Place) -> Self {
        let digest = OnceLock::new();
        Self {
            name,
            key,
            place,
            digest,
        }
    }
}

enum Place {
    /// An image by its index in a dataset.
    Image { dataset: usize, index: usize },
    /// A file of several frames.
    Animation(PathBuf),
    /// Still images, a frame each.
    Frames(Vec<PathBuf>),
    /// A folder that cannot be searched.
    Nowhere(FileFault),
}

/// How a set is read.
#[derive(Clone, Copy)]
pub(super) struct ClipSetOptions<'a> {
    pub(super) protocol: Protocol,
    /// Most frames of a clip; 1 for images.
    pub(super) max_frames: usize,
    pub(super) max_pixels: u64,
    /// A folder whose content is never an input: where the evaluation writes.
    pub(super) exclude: Option<&'a Path>,
}

impl ClipSet {
    /// Opens what `inputs` stand for. With more than one frame these are clips: animations, and folders of still images
    /// in the order of their names.
    pub(super) fn open(inputs: &[String], options: ClipSetOptions) -> Result<Self> {
        let mut set = Self {
            datasets: Vec::new(),
            entries: Vec::new(),
            options: options.protocol.read_options(options.max_pixels),
            protocol: options.protocol,
            max_frames: options.max_frames,
            warnings: Vec::new(),
        };
        for input in inputs {
            let excluded = match options.exclude {
                Some(folder) => below(folder, Path::new(input))?,
                None => None,
            };
            let is_input = |path: &Path| !excluded.as_ref().is_some_and(|folder| path.starts_with(folder));
            match options.max_frames {
                1 => set.add_images(input, is_input)?,
                _ => set.add_clips(Path::new(input), is_input)?,
            }
        }
        if set.entries.is_empty() {
            return Err(Error::Data {
                name: inputs.join(", "),
                reason: match options.max_frames {
                    1 => "no images in it".into(),
                    _ => "no clips in it: animations (GIF, APNG, WebP) and folders of still images are clips".into(),
                },
            });
        }
        Ok(set)
    }

    fn add_images(&mut self, input: &str, is_input: impl Fn(&Path) -> bool) -> Result<()> {
        let dataset = Dataset::open(input)?;
        let number = self.datasets.len();
        for (index, sample) in dataset.samples().iter().enumerate() {
            if is_input(Path::new(&sample.name)) {
                let place = Place::Image { dataset: number, index };
                self.entries.push(Entry::new(sample.name.clone(), sample.key(), place));
            }
        }
        self.datasets.push(dataset);
        Ok(())
    }

    fn add_clips(&mut self, input: &Path, is_input: impl Fn(&Path) -> bool) -> Result<()> {
        let found = find_files(input, is_image_path)?;
        let hidden = hidden_text(&found.hidden).map(|text| format!("{}: {text}", printable(input)));
        self.warnings.extend(hidden);
        let mut folders: Vec<(PathBuf, Vec<PathBuf>)> = Vec::new();
        for file in found.files.into_iter().filter(|file| is_input(&file.path)) {
            if let Some(fault @ FileFault::Unsearchable(_)) = file.fault {
                let (name, key) = (printable(&file.path), key(input, &file.path));
                self.entries.push(Entry::new(name, key, Place::Nowhere(fault)));
                continue;
            }
            let folder = file.path.parent().unwrap_or(Path::new("")).to_owned();
            match folders.iter_mut().find(|(name, _)| *name == folder) {
                Some((_, files)) => files.push(file.path),
                None => folders.push((folder, vec![file.path])),
            }
        }
        for (folder, files) in folders {
            let first = files.iter().find(|file| file.is_file());
            let first_is_animated = first.is_some_and(|file| self.is_animation(file));
            if !first_is_animated {
                self.warn_of_jumps(&folder, &files);
            }
            let clips: Vec<(PathBuf, Place)> = match first_is_animated {
                true => files
                    .into_iter()
                    .map(|file| (file.clone(), Place::Animation(file)))
                    .collect(),
                false => vec![(folder, Place::Frames(files))],
            };
            let entry = |(path, place): (PathBuf, Place)| Entry::new(printable(&path), key(input, &path), place);
            self.entries.extend(clips.into_iter().map(entry));
        }
        Ok(())
    }

    /// Says so where the numbers of the frames that are read have gaps.
    fn warn_of_jumps(&mut self, folder: &Path, files: &[PathBuf]) {
        let read = &files[..files.len().min(self.max_frames)];
        let jumps = jumps_of_frames(read);
        if let Some((before, after)) = jumps.first() {
            let more = match jumps.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            self.warnings.push(format!(
                "{}: frames are missing: their numbers jump from {before} to {after}{more}",
                printable(folder)
            ));
        }
    }

    fn is_animation(&self, file: &Path) -> bool {
        read_clip(file, &self.options, 2).is_ok_and(|clip| clip.frames().len() > 1)
    }

    /// Number of clips.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Where a clip lies, for messages.
    pub(super) fn name(&self, index: usize) -> &str {
        &self.entries[index].name
    }

    /// Where each clip lies.
    pub(super) fn names(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.name.clone()).collect()
    }

    /// The path of each clip below its input, without its ending.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.key.as_str())
    }

    /// Whether these are clips of several frames, not images.
    pub(super) fn are_clips(&self) -> bool {
        self.max_frames > 1
    }

    /// What is wrong with the datasets but does not stop the rest.
    pub(super) fn warnings(&self) -> impl Iterator<Item = &str> {
        let warnings = self.datasets.iter().flat_map(Dataset::warnings);
        warnings.chain(&self.warnings).map(String::as_str)
    }

    /// What tells each file from all others, however it was named: its true path.
    pub(super) fn identities(&self) -> Vec<String> {
        let true_path = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        let files = self.entries.iter().flat_map(|entry| match &entry.place {
            Place::Image { .. } | Place::Nowhere(_) => [].as_slice(),
            Place::Animation(file) => std::slice::from_ref(file),
            Place::Frames(files) => files,
        });
        let files = files.map(|file| true_path(file).to_string_lossy().into_owned());
        self.datasets
            .iter()
            .flat_map(Dataset::identities)
            .chain(files)
            .collect()
    }

    /// About how many bytes of pixels a clip has; its file is not looked at.
    pub(super) fn size_hint(&self, index: usize) -> u64 {
        match &self.entries[index].place {
            Place::Image { .. } => 3 << 20,
            _ => (self.max_frames as u64) << 20,
        }
    }

    /// Keeps only the first so many clips.
    pub(super) fn limit(&mut self, count: usize) {
        self.entries.truncate(count);
    }

    /// The hash of a clip's files, read for it the first time; none if they cannot be read.
    pub(super) fn digest(&self, index: usize) -> Option<&str> {
        let entry = &self.entries[index];
        let digest = || self.encoded(index).ok().map(|encoded| encoded.digest());
        entry.digest.get_or_init(digest).as_deref()
    }

    /// Reads a clip's files.
    pub(super) fn encoded(&self, index: usize) -> Result<EncodedClip> {
        let options = &self.options;
        let files = match &self.entries[index].place {
            Place::Image { dataset, index } => vec![self.datasets[*dataset].encoded(*index, options)?],
            Place::Animation(path) => vec![read_encoded(path, options)?],
            Place::Frames(paths) => {
                let paths = paths.iter().take(self.max_frames);
                paths.map(|path| read_encoded(path, options)).collect::<Result<_>>()?
            }
            Place::Nowhere(fault) => return Err(self.unreadable(index, fault)),
        };
        Ok(EncodedClip(files))
    }

    /// Decodes a clip's files, and crops it as the protocol says.
    pub(super) fn decode(&self, index: usize, EncodedClip(files): EncodedClip) -> Result<Clip> {
        let options = &self.options;
        let entry = &self.entries[index];
        let (frames, fps) = match &entry.place {
            Place::Image { .. } => {
                let name = Path::new(&entry.name);
                let frames = files.into_iter().map(|bytes| decode_image(name, bytes, options));
                (frames.collect::<Result<_>>()?, None)
            }
            Place::Animation(path) => {
                let bytes = files.into_iter().next().unwrap_or_default();
                let clip = decode_clip(path, bytes, options, self.max_frames)?;
                let fps = clip.fps();
                (clip.into_frames(), fps)
            }
            Place::Frames(paths) => {
                let frames = paths.iter().zip(files);
                let frames = frames.map(|(path, bytes)| decode_image(path, bytes, options));
                (frames.collect::<Result<Vec<_>>>()?, None)
            }
            Place::Nowhere(fault) => return Err(self.unreadable(index, fault)),
        };
        // Frames of different sizes are of one size once they are cropped.
        let frames = frames.into_iter().map(|frame: Image| self.protocol.crop(frame));
        Clip::new(frames.collect::<Result<_>>()?, fps)
    }

    fn unreadable(&self, index: usize, fault: &FileFault) -> Error {
        Error::Image {
            path: self.name(index).into(),
            reason: fault.to_string(),
        }
    }

    /// Reads and decodes a clip.
    pub(super) fn read(&self, index: usize) -> Result<Clip> {
        self.decode(index, self.encoded(index)?)
    }
}

/// The path below the input, without its ending.
fn key(input: &Path, path: &Path) -> String {
    let below = match path.strip_prefix(input) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path,
    };
    below.with_extension("").to_string_lossy().replace('\\', "/")
}

/// The folder `out` as a path that begins with `input`, if it lies below that.
///
/// # Errors
/// [`Error::Occupied`] if it is the input itself.
fn below(out: &Path, input: &Path) -> Result<Option<PathBuf>> {
    let Some(real) = input.canonicalize().ok().filter(|real| real.is_dir()) else {
        return Ok(None);
    };
    match real_path(out).strip_prefix(&real) {
        Ok(rest) if rest.as_os_str().is_empty() => Err(Error::Occupied {
            path: out.to_owned(),
            reason: "holds images that are scored: the sheet of the report would be taken for one of them".into(),
        }),
        Ok(rest) => Ok(Some(input.join(rest))),
        Err(_) => Ok(None),
    }
}
