//! Latent files back to files of clips.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::jobs::{Job, Jobs};
use super::run::{FileResults, Work, lossy_path, run};
use crate::files::{FoundFiles, find_files};
use crate::media::{Clip, ClipShape};
use crate::observe::Observer;
use crate::tokenizer::{Latents, Tokenizer};
use crate::{Error, Result};

/// How to decode files.
#[derive(Clone, Debug)]
pub struct DecodeOptions {
    /// Folder for the images; `OUT/NAME` with the extension, or for a clip a folder of numbered frames.
    pub out: PathBuf,
    /// Extension of the image format, one of [`WRITABLE_EXTENSIONS`](crate::media::WRITABLE_EXTENSIONS).
    pub extension: String,
    /// Whether to decode also what another tokenizer encoded.
    pub any_tokenizer: bool,
}

/// A latent file that was decoded.
#[derive(Clone, Debug, Serialize)]
pub struct DecodedFile {
    /// The latent file.
    #[serde(serialize_with = "lossy_path")]
    pub input: PathBuf,
    /// The image, or the folder of frames.
    #[serde(serialize_with = "lossy_path")]
    pub output: PathBuf,
    /// Shape of the clip.
    pub shape: ClipShape,
    /// Reading, the file's share of its batch, and writing.
    pub seconds: f64,
}

/// Decodes latent files, and folders of them.
pub fn decode_files(
    tokenizer: &dyn Tokenizer,
    inputs: &[PathBuf],
    options: &DecodeOptions,
    observer: &dyn Observer,
) -> FileResults<DecodedFile> {
    let jobs = Jobs::of_latents(inputs, &options.out, find_latents, observer);
    run("decoding", jobs, &Decode { tokenizer, options }, observer)
}

fn find_latents(path: &Path) -> Result<FoundFiles> {
    let found = find_files(path, |p| p.extension().is_some_and(|e| e == "safetensors"))?;
    if found.files.is_empty() {
        return Err(Error::Latents {
            path: path.to_owned(),
            reason: "no latent files (.safetensors) in this folder".into(),
        });
    }
    Ok(found)
}

struct Decode<'a> {
    tokenizer: &'a dyn Tokenizer,
    options: &'a DecodeOptions,
}

impl Decode<'_> {
    fn ending(&self) -> String {
        format!(".{}", self.options.extension)
    }
}

impl Work for Decode<'_> {
    type Input = Latents;
    type Output = Clip;
    type Row = DecodedFile;

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.tokenizer
    }

    /// An image's file, or a clip's folder of frames; which, only the latents tell.
    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        vec![
            job.output(&self.options.out, &self.ending()),
            job.output(&self.options.out, ""),
        ]
    }

    fn size_hint(&self, job: &Job) -> u64 {
        std::fs::metadata(&job.input).map_or(0, |metadata| metadata.len())
    }

    fn read(&self, job: &Job) -> Result<Latents> {
        let (latents, info) = Latents::read(&job.input)?;
        let (made_by, this) = (info.tokenizer, self.tokenizer.info());
        // A decoder alone may not know which encoder is its own.
        if !self.options.any_tokenizer && !this.fingerprint.is_empty() && made_by.fingerprint != this.fingerprint {
            return Err(Error::OtherTokenizer {
                path: job.input.clone(),
                made_by: made_by.to_string(),
                this: this.to_string(),
            });
        }
        Ok(latents)
    }

    fn shape(&self, latents: &Latents) -> ClipShape {
        latents.shape
    }

    fn blank(&self, shape: ClipShape) -> Result<Latents> {
        let (grid, channels) = self.tokenizer.latent_shape(shape);
        Latents::new(vec![0.0; grid.tokens() * channels], channels, grid, shape)
    }

    fn compute(&self, latents: &[Latents]) -> Result<Vec<Clip>> {
        self.tokenizer.decode(latents)
    }

    fn finish(&self, job: &Job, latents: Latents, clip: Clip, spent: Duration) -> Result<DecodedFile> {
        let start = Instant::now();
        let output = job.write(&self.options.out, "", &self.ending(), clip.frames())?;
        Ok(DecodedFile {
            input: job.input.clone(),
            output,
            shape: latents.shape,
            seconds: (spent + start.elapsed()).as_secs_f64(),
        })
    }
}
