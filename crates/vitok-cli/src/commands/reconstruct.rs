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
    let outcome = report(&results, args.json, &headers, |file| {
        vec![
            printable(&file.output),
            file.shape.to_string(),
            format!("{:.2}", file.psnr),
            file.ssim.map_or("-".into(), |ssim| format!("{ssim:.4}")),
            file.bytes.to_string(),
            format!("{:.1}", file.ratio),
            milliseconds(file.encode_seconds),
            milliseconds(file.decode_seconds),
        ]
    })?;
    if !args.json && results.done.len() > 1 {
        let psnr: Vec<f64> = results.done.iter().map(|file| file.psnr).collect();
        let finite: Vec<f64> = psnr.iter().copied().filter(|psnr| psnr.is_finite()).collect();
        let ssim: Vec<f64> = results.done.iter().filter_map(|file| file.ssim).collect();
        let count = psnr.len();
        terminal::line(&format!(
            "mean: PSNR {} dB{}, SSIM {}{} (of each image's on bytes; SSIM as torchmetrics)",
            mean(&finite),
            left_out(count - finite.len(), "equal to their originals"),
            mean(&ssim),
            left_out(count - ssim.len(), "too small for it"),
        ))?;
    }
    Ok(outcome)
}

fn mean(values: &[f64]) -> String {
    match values.len() {
        0 => "-".into(),
        count => format!("{:.4}", values.iter().sum::<f64>() / count as f64),
    }
}

/// What a mean leaves out, in words.
fn left_out(count: usize, why: &str) -> String {
    match count {
        0 => String::new(),
        _ => format!(" without {count} {why}"),
    }
}
