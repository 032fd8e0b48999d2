//! `vitok encode`

use std::path::PathBuf;
use std::time::Instant;

use serde::Serialize;
use vitok::latents::LatentInfo;
use vitok::patches::{Extent, Grid};
use vitok::pixels::{clip_from_pictures, find_pictures};
use vitok::tensor_file::Precision;
use vitok::tokenizer::{Half, Tokenizer};

use crate::args::{EncodeArgs, LatentPrecision};
use crate::batch::{self, Job};
use crate::{model, output, preprocess};

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    extent: Extent,
    grid: Grid,
    bytes: u64,
    seconds: f64,
}

pub fn run(args: &EncodeArgs) -> anyhow::Result<bool> {
    let jobs = batch::collect(&args.inputs, &args.out, |path| {
        find_pictures(&[path.to_owned()])
    });
    let tokenizer = model::load(&args.model, Half::Encoder)?;
    let outcome = batch::run(
        jobs,
        |job| vec![place(args, job)],
        |job| encode(&tokenizer, args, job),
    );
    batch::report(
        &outcome,
        args.json,
        &["latents", "pixels", "tokens", "value bytes", "ms"],
        |row| {
            vec![
                row.output.display().to_string(),
                row.extent.to_string(),
                row.grid.tokens().to_string(),
                row.bytes.to_string(),
                format!("{:.0}", row.seconds * 1e3),
            ]
        },
    )
}

fn place(args: &EncodeArgs, job: &Job) -> PathBuf {
    job.output(&args.out, ".safetensors")
}

fn encode(tokenizer: &Tokenizer, args: &EncodeArgs, job: &Job) -> anyhow::Result<Row> {
    let start = Instant::now();
    let plan = tokenizer.plan();
    let (frames, fps) = preprocess::read_clip(&job.input, &args.pictures, plan.tubelet.patch)?;
    let clip = clip_from_pictures(&frames, tokenizer.device())?;
    let latents = tokenizer.encode_clips(&[clip])?.remove(0);
    let mut info = LatentInfo::new(&latents, plan, tokenizer.fingerprint());
    info.fps = fps;
    info.source = job
        .input
        .file_name()
        .map(|n| n.to_string_lossy().into_owned());
    let output = place(args, job);
    let precision = match args.precision {
        LatentPrecision::F32 => Precision::F32,
        LatentPrecision::F16 => Precision::F16,
    };
    latents.write(&output, &info, precision)?;
    Ok(Row {
        input: job.input.clone(),
        bytes: (latents.values.len() * precision.bytes()) as u64,
        output,
        extent: latents.extent,
        grid: latents.grid,
        seconds: start.elapsed().as_secs_f64(),
    })
}
