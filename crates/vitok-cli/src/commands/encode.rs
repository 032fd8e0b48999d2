//! `vitok encode`

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use vitok::tokenizer::{LatentInfo, Latents};
use vitok::patches::{ClipShape, TokenGrid};
use vitok::media::{Image, clip_from_images, find_images};
use vitok::weights::Dtype;
use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::{EncodeArgs, LatentPrecision};
use crate::batch::{self, Job, Work};
use crate::{model, output, preprocess};

#[derive(Serialize)]
struct Row {
    #[serde(serialize_with = "output::path")]
    input: PathBuf,
    #[serde(serialize_with = "output::path")]
    output: PathBuf,
    extent: ClipShape,
    grid: TokenGrid,
    bytes: u64,
    /// Reading, its share of the model's time, and writing.
    seconds: f64,
}

pub fn run(args: &EncodeArgs) -> anyhow::Result<bool> {
    let jobs = batch::collect(&args.inputs, &args.out, |path| {
        find_images(&[path.to_owned()])
    });
    let tokenizer = model::load(&args.model, LoadPart::Encoder)?;
    let outcome = batch::run(jobs, &Encode { tokenizer, args });
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

struct Encode<'a> {
    tokenizer: Tokenizer,
    args: &'a EncodeArgs,
}

impl Work for Encode<'_> {
    /// Frames, and their rate.
    type Input = (Vec<Image>, Option<f64>);
    type Made = Latents;
    type Row = Row;

    fn outputs(&self, job: &Job) -> Vec<PathBuf> {
        vec![self.place(job)]
    }

    fn size_hint(&self, job: &Job) -> u64 {
        preprocess::size_hint(&job.input, &self.args.images)
    }

    fn read(&self, job: &Job) -> anyhow::Result<Self::InvalidArgument> {
        let patch = self.tokenizer.plan().tubelet.patch;
        Ok(preprocess::read_clip(
            &job.input,
            &self.args.images,
            patch,
        )?)
    }

    fn size(&self, (frames, _): &Self::InvalidArgument) -> (ClipShape, TokenGrid) {
        let extent = preprocess::extent(frames);
        (
            extent,
            TokenGrid::covering(extent, self.tokenizer.plan().tubelet),
        )
    }

    fn compute(&self, inputs: &[Self::InvalidArgument]) -> anyhow::Result<Vec<Latents>> {
        let clips = inputs
            .iter()
            .map(|(frames, _)| clip_from_images(frames, self.tokenizer.device()));
        let clips = clips.collect::<vitok::Result<Vec<_>>>()?;
        Ok(self.tokenizer.encode_clips(&clips)?)
    }

    fn finish(
        &self,
        job: &Job,
        (_, fps): Self::InvalidArgument,
        latents: Latents,
        spent: Duration,
    ) -> anyhow::Result<Row> {
        let start = Instant::now();
        let (plan, model) = (self.tokenizer.plan(), self.tokenizer.fingerprint());
        let mut info = LatentInfo::new(&latents, plan, model);
        info.fps = fps;
        info.source = job
            .input
            .file_name()
            .map(|n| n.to_string_lossy().into_owned());
        let output = self.place(job);
        let dtype = match self.args.dtype {
            LatentPrecision::F32 => Dtype::F32,
            LatentPrecision::F16 => Dtype::F16,
        };
        latents.write(&output, &info, dtype)?;
        Ok(Row {
            input: job.input.clone(),
            bytes: (latents.values.len() * dtype.bytes()) as u64,
            output,
            extent: latents.extent,
            grid: latents.grid,
            seconds: (spent + start.elapsed()).as_secs_f64(),
        })
    }
}

impl Encode<'_> {
    fn place(&self, job: &Job) -> PathBuf {
        job.output(&self.args.out, ".safetensors")
    }
}
