//! Files of clips through a tokenizer and back, scored.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::jobs::{Job, Jobs};
use super::run::{FileResults, Work, lossy_path, run};
use crate::Result;
use crate::media::{Clip, ClipOptions, ClipShape, side_by_side};
use crate::metrics::{ImageScores, json_number, score_clip};
use crate::observe::Observer;
use crate::tokenizer::Tokenizer;
use crate::weights::Dtype;

/// How to reconstruct files.
#[derive(Clone, Debug)]
pub struct ReconstructOptions {
    /// Folder for the images: `OUT/NAME.png`, and `OUT/NAME.compare.png` with the original beside it.
    pub out: PathBuf,
    /// How files become clips.
    pub clip: ClipOptions,
}

/// A file that was reconstructed.
#[derive(Clone, Debug, Serialize)]
pub struct ReconstructedFile {
    /// The original.
    #[serde(serialize_with = "lossy_path")]
    pub input: PathBuf,
    /// The reconstruction; a folder of frames for a clip.
    #[serde(serialize_with = "lossy_path")]
    pub output: PathBuf,
    /// Original, reconstruction and their difference, side by side.
    #[serde(serialize_with = "lossy_path")]
    pub comparison: PathBuf,
    /// Shape of the clip.
    pub shape: ClipShape,
    /// PSNR in dB on bytes, over all pixels; infinite for an exact copy, which in JSON is the text "Infinity".
    #[serde(serialize_with = "json_number::one")]
    pub psnr: f64,
    /// SSIM on bytes, mean over frames; none for images too small for its window.
    pub ssim: Option<f64>,
    /// Bytes of the latents in f16.
    pub bytes: u64,
    /// Bytes of RGB over bytes of f16 latents.
    pub ratio: f64,
    /// Seconds of encoding; the file's share of its batch.
    pub encode_seconds: f64,
    /// Seconds of decoding; the file's share of its batch.
    pub decode_seconds: f64,
}

/// Encodes and decodes images and animations, and [datasets](crate::data::Dataset::open) of them; writes and scores the
/// results.
pub fn reconstruct_files(
    tokenizer: &dyn Tokenizer,
    inputs: &[PathBuf],
    options: &ReconstructOptions,
    observer: &dyn Observer,
) -> FileResults<ReconstructedFile> {
    let jobs = Jobs::of_images(inputs, &options.out, observer);
    run("reconstructing", jobs, &Reconstruct { tokenizer, options }, observer)
}

struct Reconstruct<'a> {
    tokenizer: &'a dyn Tokenizer,
    options: &'a ReconstructOptions,
}

/// What the tokenizer made of a clip.
struct Output {
    clip: Clip,
    /// Bytes of the latents in f16.
    bytes: u64,
    encode_seconds: f64,
    decode_seconds: f64,
}

impl Work for Reconstruct<'_> {
    type Input = Clip;
    type Output = Output;
    type Row = ReconstructedFile;

    fn tokenizer(&self) -> &dyn Tokenizer {
        self.tokenizer
    }

    /// Reconstruction and comparison, as files for an image or as folders for a clip.
    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        let endings = [".png", ".compare.png", "", ".compare"];
        endings.map(|ending| job.output(&self.options.out, ending)).into()
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

    fn compute(&self, clips: &[Clip]) -> Result<Vec<Output>> {
        let start = Instant::now();
        let latents = self.tokenizer.encode(clips)?;
        let encode_seconds = start.elapsed().as_secs_f64() / clips.len() as f64;
        let start = Instant::now();
        let decoded = self.tokenizer.decode(&latents)?;
        let decode_seconds = start.elapsed().as_secs_f64() / clips.len() as f64;
        let outputs = decoded.into_iter().zip(&latents).map(|(clip, latents)| Output {
            clip,
            bytes: (Dtype::F16.bytes() * latents.values.len()) as u64,
            encode_seconds,
            decode_seconds,
        });
        Ok(outputs.collect())
    }

    fn finish(&self, job: &Job, original: Clip, made: Output, _: Duration) -> Result<ReconstructedFile> {
        let pairs = original.frames().iter().zip(made.clip.frames());
        let comparisons = pairs.map(|(original, output)| side_by_side(original, output));
        let comparisons = comparisons.collect::<Result<Vec<_>>>()?;
        let out = &self.options.out;
        let output = job.write(out, "", ".png", made.clip.frames())?;
        let comparison = job.write(out, ".compare", ".png", &comparisons).inspect_err(|_| {
            // One without the other would pass for a whole result.
            let _ = std::fs::remove_file(&output).or_else(|_| std::fs::remove_dir_all(&output));
        })?;
        let ImageScores { psnr, ssim } = score_clip(&original, &made.clip)?;
        let shape = original.shape();
        Ok(ReconstructedFile {
            input: job.input.clone(),
            output,
            comparison,
            shape,
            psnr,
            ssim,
            bytes: made.bytes,
            ratio: shape.values() as f64 / made.bytes as f64,
            encode_seconds: made.encode_seconds,
            decode_seconds: made.decode_seconds,
        })
    }
}
