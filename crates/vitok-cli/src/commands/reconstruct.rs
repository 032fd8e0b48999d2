//! `vitok reconstruct`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use vitok::metrics::{IMAGE_SSIM, psnr, ssim};
use vitok::media::byte_planes;
use vitok::patches::{ClipShape, TokenGrid};
use vitok::media::{Image, clip_from_images, find_images, images_from_clip, side_by_side};
use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::ReconstructArgs;
use crate::batch::{self, Job, Work};
use crate::{model, output, preprocess};

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    #[serde(serialize_with = "output::path")]
    comparison: PathBuf,
    extent: ClipShape,
    /// Decibels on bytes; null for a perfect reconstruction.
    psnr: Option<f64>,
    /// Null for images too small for its window.
    ssim: Option<f64>,
    /// Bytes of the latents in f16.
    bytes: u64,
    /// Bytes of RGB over bytes of f16 latents.
    ratio: f64,
    /// Its share, where small images of one size are computed together.
    encode_seconds: f64,
    /// Likewise.
    decode_seconds: f64,
}

pub fn run(args: &ReconstructArgs) -> anyhow::Result<bool> {
    let jobs = batch::collect(&args.inputs, &args.out, |path| {
        find_images(&[path.to_owned()])
    });
    let tokenizer = model::load(&args.model, LoadPart::Both)?;
    let outcome = batch::run(jobs, &Reconstruct { tokenizer, args });
    let headers = [
        "image",
        "pixels",
        "PSNR dB",
        "SSIM",
        "bytes",
        "ratio",
        "encode ms",
        "decode ms",
    ];
    let number = |x: Option<f64>, digits: usize, none: &str| match x {
        Some(x) => format!("{x:.digits$}"),
        None => none.into(),
    };
    let ok = batch::report(&outcome, args.json, &headers, |row| {
        vec![
            row.output.display().to_string(),
            row.extent.to_string(),
            number(row.psnr, 2, "inf"),
            number(row.ssim, 4, "-"),
            row.bytes.to_string(),
            format!("{:.1}", row.ratio),
            format!("{:.0}", row.encode_seconds * 1e3),
            format!("{:.0}", row.decode_seconds * 1e3),
        ]
    })?;
    if !args.json && outcome.done.len() > 1 {
        let psnr = mean(outcome.done.iter().map(|row| row.psnr));
        let ssim = mean(outcome.done.iter().map(|row| row.ssim));
        output::line(&format!(
            "mean: PSNR {psnr} dB, SSIM {ssim} (of each image's on bytes; SSIM as torchmetrics)"
        ))?;
    }
    Ok(ok)
}

struct Reconstruct<'a> {
    tokenizer: Tokenizer,
    args: &'a ReconstructArgs,
}

/// What the model made of an image or clip.
struct Made {
    images: Vec<Image>,
    /// Bytes of the latents in f16.
    bytes: u64,
    encode_seconds: f64,
    decode_seconds: f64,
}

impl Work for Reconstruct<'_> {
    type Input = Vec<Image>;
    type Made = Made;
    type Row = Row;

    /// Reconstruction and comparison, as files for an image or as folders for a clip.
    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        let endings = [".png", ".compare.png", "", ".compare"];
        endings
            .map(|ending| job.output(&self.args.out, ending))
            .into()
    }

    fn size_hint(&self, job: &Job) -> u64 {
        preprocess::size_hint(&job.input, &self.args.images)
    }

    fn read(&self, job: &Job) -> anyhow::Result<Vec<Image>> {
        let patch = self.tokenizer.plan().tubelet.patch;
        Ok(preprocess::read_clip(&job.input, &self.args.images, patch)?.0)
    }

    fn size(&self, originals: &Vec<Image>) -> (ClipShape, TokenGrid) {
        let extent = preprocess::extent(originals);
        (
            extent,
            TokenGrid::covering(extent, self.tokenizer.plan().tubelet),
        )
    }

    fn compute(&self, originals: &[Vec<Image>]) -> anyhow::Result<Vec<Made>> {
        let clips = originals
            .iter()
            .map(|frames| clip_from_images(frames, self.tokenizer.device()));
        let clips = clips.collect::<vitok::Result<Vec<_>>>()?;
        let start = Instant::now();
        let latents = self.tokenizer.encode_clips(&clips)?;
        let encode_seconds = start.elapsed().as_secs_f64() / clips.len() as f64;
        let start = Instant::now();
        let bytes = latents.iter().map(|l| 2 * l.values.len() as u64);
        let clips = self.tokenizer.decode_latents(&latents)?.into_iter();
        let images = clips
            .map(images_from_clip)
            .collect::<vitok::Result<Vec<_>>>()?;
        let decode_seconds = start.elapsed().as_secs_f64() / images.len() as f64;
        let made = images.into_iter().zip(bytes);
        let made = made.map(|(images, bytes)| Made {
            images,
            bytes,
            encode_seconds,
            decode_seconds,
        });
        Ok(made.collect())
    }

    fn finish(
        &self,
        job: &Job,
        originals: Vec<Image>,
        made: Made,
        _spent: Duration,
    ) -> anyhow::Result<Row> {
        let comparisons = originals.iter().zip(&made.images);
        let comparisons = comparisons.map(|(original, image)| side_by_side(original, image));
        let comparisons = comparisons.collect::<vitok::Result<Vec<_>>>()?;
        let output = job.write(&self.args.out, "", ".png", &made.images)?;
        let comparison = job
            .write(&self.args.out, ".compare", ".png", &comparisons)
            .inspect_err(|_| {
                // One without the other would pass for a whole result.
                let _ = std::fs::remove_file(&output).or_else(|_| std::fs::remove_dir_all(&output));
            })?;
        let extent = preprocess::extent(&originals);
        // Frames in a row: every frame counts alike.
        let planes =
            |frames: &[Image]| -> Vec<Vec<f32>> { frames.iter().map(byte_planes).collect() };
        let (a, b) = (planes(&originals), planes(&made.images));
        let psnr = psnr(&a.concat(), &b.concat(), 255.0)?;
        let shape = [3, extent.height, extent.width];
        let each: Vec<f64> = a
            .iter()
            .zip(&b)
            .filter_map(|(a, b)| ssim(a, b, shape, 255.0, IMAGE_SSIM).ok())
            .collect();
        Ok(Row {
            input: job.input.clone(),
            output,
            comparison,
            extent,
            psnr: psnr.is_finite().then_some(psnr),
            ssim: (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64),
            bytes: made.bytes,
            ratio: extent.values() as f64 / made.bytes as f64,
            encode_seconds: made.encode_seconds,
            decode_seconds: made.decode_seconds,
        })
    }
}

/// The mean of those that have a number, and how many those are where not all.
fn mean(values: impl Iterator<Item = Option<f64>>) -> String {
    let all: Vec<Option<f64>> = values.collect();
    let known: Vec<f64> = all.iter().copied().flatten().collect();
    let mean = known.iter().sum::<f64>() / known.len() as f64;
    match known.len() {
        0 => "-".into(),
        n if n == all.len() => format!("{mean:.4}"),
        n => format!("{mean:.4} over {n} of {}", all.len()),
    }
}
