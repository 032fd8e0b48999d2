//! `vitok reconstruct`

use vitok::files::printable;
use vitok::pipeline::{ReconstructOptions, reconstruct_files};
use vitok::tokenizer::LoadPart;

use super::files::{milliseconds, report};
use super::{Outcome, model};
use crate::args::ReconstructArgs;
use crate::terminal::{self, Terminal};

pub fn run(args: &ReconstructArgs) -> anyhow::Result<Outcome> {
    let tokenizer = model::load(&args.model, LoadPart::Both)?;
    let options = ReconstructOptions {
        out: args.out.clone(),
        clip: args.clip.options(),
    };
    let results = reconstruct_files(&*tokenizer, &args.inputs, &options, &Terminal::new());
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
    let outcome = report(&results, args.json, &headers, |file| {
        vec![
            printable(&file.output),
            file.shape.to_string(),
            number(file.psnr, 2, "inf"),
            number(file.ssim, 4, "-"),
            file.bytes.to_string(),
            format!("{:.1}", file.ratio),
            milliseconds(file.encode_seconds),
            milliseconds(file.decode_seconds),
        ]
    })?;
    if !args.json && results.done.len() > 1 {
        let psnr = mean(results.done.iter().map(|file| file.psnr));
        let ssim = mean(results.done.iter().map(|file| file.ssim));
        terminal::line(&format!(
            "mean: PSNR {psnr} dB, SSIM {ssim} (of each image's on bytes; SSIM as torchmetrics)"
        ))?;
    }
    Ok(outcome)
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
