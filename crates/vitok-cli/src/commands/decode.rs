//! `vitok decode`

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::Serialize;
use vitok::files::find_files;
use vitok::tokenizer::Latents;
use vitok::patches::{ClipShape, TokenGrid};
use vitok::media::{Image, images_from_clip};
use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::{DecodeArgs, OutputFormat};
use crate::batch::{self, Job, Work};
use crate::{model, output};

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    extent: ClipShape,
    /// Reading, its share of the model's time, and writing.
    seconds: f64,
}

pub fn run(args: &DecodeArgs) -> anyhow::Result<bool> {
    let jobs = batch::collect(&args.inputs, &args.out, find_latents);
    let tokenizer = model::load(&args.model, LoadPart::Decoder)?;
    let outcome = batch::run(jobs, &Decode { tokenizer, args });
    batch::report(&outcome, args.json, &["image", "pixels", "ms"], |row| {
        vec![
            row.output.display().to_string(),
            row.extent.to_string(),
            format!("{:.0}", row.seconds * 1e3),
        ]
    })
}

fn ending(args: &DecodeArgs) -> &'static str {
    match args.format {
        OutputFormat::Png => ".png",
        OutputFormat::Jpg => ".jpg",
        OutputFormat::Webp => ".webp",
        OutputFormat::Bmp => ".bmp",
        OutputFormat::Tiff => ".tiff",
    }
}

struct Decode<'a> {
    tokenizer: Tokenizer,
    args: &'a DecodeArgs,
}

impl Work for Decode<'_> {
    type Input = Latents;
    type Made = Vec<Image>;
    type Row = Row;

    /// An image's file, or a clip's folder of frames; which, only the latents tell.
    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        vec![
            job.output(&self.args.out, ending(self.args)),
            job.output(&self.args.out, ""),
        ]
    }

    fn size_hint(&self, job: &Job) -> u64 {
        std::fs::metadata(&job.input).map_or(0, |about| about.len())
    }

    fn read(&self, job: &Job) -> anyhow::Result<Latents> {
        let (latents, info) = Latents::read(&job.input)?;
        let (plan, ours) = (self.tokenizer.plan(), self.tokenizer.fingerprint());
        if !self.args.any_model && !ours.is_empty() && info.model != ours {
            bail!(
                "{}: made by another model ({}, {}) than this one ({}, {ours}), or by it in another dtype; use that one, or pass --any-model",
                job.input.display(),
                info.variant,
                info.model,
                plan.variant,
            );
        }
        Ok(latents)
    }

    fn size(&self, latents: &Latents) -> (ClipShape, TokenGrid) {
        (latents.extent, latents.grid)
    }

    fn compute(&self, latents: &[Latents]) -> anyhow::Result<Vec<Vec<Image>>> {
        let clips = self.tokenizer.decode_latents(latents)?.into_iter();
        Ok(clips
            .map(images_from_clip)
            .collect::<vitok::Result<_>>()?)
    }

    fn finish(
        &self,
        job: &Job,
        latents: Latents,
        images: Vec<Image>,
        spent: Duration,
    ) -> anyhow::Result<Row> {
        let start = Instant::now();
        let output = job.write(&self.args.out, "", ending(self.args), &images)?;
        Ok(Row {
            input: job.input.clone(),
            output,
            extent: latents.extent,
            seconds: (spent + start.elapsed()).as_secs_f64(),
        })
    }
}

fn find_latents(path: &Path) -> vitok::Result<Vec<PathBuf>> {
    let found = find_files(path, |p| p.extension().is_some_and(|e| e == "safetensors"))?;
    if found.is_empty() {
        return Err(vitok::Error::Latents {
            path: path.to_owned(),
            reason: "no latent files (.safetensors) in this folder".into(),
        });
    }
    Ok(found)
}
