//! `vitok decode`

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::bail;
use serde::Serialize;
use vitok::files::find_files;
use vitok::latents::Latents;
use vitok::patches::Extent;
use vitok::pixels::pictures_from_clip;
use vitok::tokenizer::{Half, Tokenizer};

use crate::args::{DecodeArgs, PictureFormat};
use crate::batch::{self, Job};
use crate::{model, output};

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    extent: Extent,
    seconds: f64,
}

pub fn run(args: &DecodeArgs) -> anyhow::Result<bool> {
    let jobs = batch::collect(&args.inputs, &args.out, find_latents);
    let tokenizer = model::load(&args.model, Half::Decoder)?;
    let outcome = batch::run(
        jobs,
        |job| places(args, job),
        |job| decode(&tokenizer, args, job),
    );
    batch::report(&outcome, args.json, &["picture", "pixels", "ms"], |row| {
        vec![
            row.output.display().to_string(),
            row.extent.to_string(),
            format!("{:.0}", row.seconds * 1e3),
        ]
    })
}

fn ending(args: &DecodeArgs) -> &'static str {
    match args.format {
        PictureFormat::Png => ".png",
        PictureFormat::Jpg => ".jpg",
        PictureFormat::Webp => ".webp",
        PictureFormat::Bmp => ".bmp",
        PictureFormat::Tiff => ".tiff",
    }
}

/// A picture's file, or a clip's folder of frames; which, only the latents tell.
fn places(args: &DecodeArgs, job: &Job) -> Vec<PathBuf> {
    vec![
        job.output(&args.out, ending(args)),
        job.output(&args.out, ""),
    ]
}

fn decode(tokenizer: &Tokenizer, args: &DecodeArgs, job: &Job) -> anyhow::Result<Row> {
    let start = Instant::now();
    let (latents, info) = Latents::read(&job.input)?;
    let ours = tokenizer.fingerprint();
    if !args.any_model && !ours.is_empty() && info.model != ours {
        bail!(
            "{}: made by another model ({}, {}) than this one ({}, {ours}), or by it in another precision; use that one, or pass --any-model",
            job.input.display(),
            info.variant,
            info.model,
            tokenizer.plan().variant,
        );
    }
    let extent = latents.extent;
    let clip = tokenizer.decode_latents(&[latents]);
    let clip = clip
        .map_err(|e| anyhow::anyhow!("{}: {e}", job.input.display()))?
        .remove(0);
    let pictures = pictures_from_clip(clip)?;
    let output = job.write(&args.out, "", ending(args), &pictures)?;
    Ok(Row {
        input: job.input.clone(),
        output,
        extent,
        seconds: start.elapsed().as_secs_f64(),
    })
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
