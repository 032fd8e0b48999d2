//! Files of clips to latent files.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::jobs::{Job, Jobs};
use super::run::{FileResults, Work, lossy_path, run};
use crate::Result;
use crate::files::printable;
use crate::media::{Clip, ClipOptions, ClipShape};
use crate::observe::Observer;
use crate::patches::TokenGrid;
use crate::tokenizer::{Latents, LatentsInfo, Tokenizer};
use crate::weights::Dtype;

/// How to encode files.
#[derive(Clone, Debug)]
pub struct EncodeOptions {
    /// Folder for the latent files; a file becomes `OUT/NAME.safetensors`.
    pub out: PathBuf,
    /// How files become clips.
    pub clip: ClipOptions,
    /// How values are stored: f32 or f16.
    pub dtype: Dtype,
}

/// A file that was encoded.
#[derive(Clone, Debug, Serialize)]
pub struct EncodedFile {
    /// The image or animation.
    #[serde(serialize_with = "lossy_path")]
    pub input: PathBuf,
    /// The latent file.
    #[serde(serialize_with = "lossy_path")]
    pub output: PathBuf,
    /// Shape of the clip.
    pub shape: ClipShape,
    /// Size in tokens.
    pub grid: TokenGrid,
    /// Bytes of the values in the latent file.
    pub bytes: u64,
    /// Reading, the file's share of its batch, and writing; stages overlap, so the sum over files is more than the time
    /// that passed.
    pub seconds: f64,
}

/// Encodes images and animations, and [datasets](crate::data::Dataset::open) of them, to latent files.
pub fn encode_files(
    tokenizer: &dyn Tokenizer,
    inputs: &[PathBuf],
    options: &EncodeOptions,
    observer: &dyn Observer,
) -> FileResults<EncodedFile> {
    let jobs = Jobs::of_images(inputs, &options.out, observer);
    run("encoding", jobs, &Encode { tokenizer, options }, observer)
}

struct Encode<'a> {
    tokenizer: &'a dyn Tokenizer,
    options: &'a EncodeOptions,
}

impl Encode<'_> {
    fn output(&self, job: &Job) -> PathBuf {
        job.output(&self.options.out, ".safetensors")
    }
}

impl Work for Encode<'_> {
    type Input = Clip;
    type Output = Latents;
    type Row = EncodedFile;

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.tokenizer
    }

    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        vec![self.output(job)]
    }

    fn size_hint(&self, job: &Job) -> u64 {
        job.size_hint(&self.options.clip)
    }

    fn read(&self, job: &Job) -> Result<Clip> {
        job.read(&self.options.clip, self.tokenizer.patch_size())
    }

    fn shape(&self, clip: &Clip) -> ClipShape {
        clip.shape()
    }

    fn blank(&self, shape: ClipShape) -> Result<Clip> {
        Clip::blank(shape)
    }

    fn compute(&self, clips: &[Clip]) -> Result<Vec<Latents>> {
        self.tokenizer.encode(clips)
    }

    fn finish(&self, job: &Job, _: Clip, latents: Latents, spent: Duration) -> Result<EncodedFile> {
        let start = Instant::now();
        let mut info = LatentsInfo::new(&latents, self.tokenizer.info());
        info.source = job.input.file_name().map(printable);
        let output = self.output(job);
        latents.write(&output, &info, self.options.dtype)?;
        Ok(EncodedFile {
            input: job.input.clone(),
            bytes: (latents.values.len() * self.options.dtype.bytes()) as u64,
            output,
            shape: latents.shape,
            grid: latents.grid,
            seconds: (spent + start.elapsed()).as_secs_f64(),
        })
    }
}
