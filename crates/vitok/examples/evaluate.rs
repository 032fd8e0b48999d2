//! Scores a tokenizer beside PCA, bicubic and JPEG of the same size, at two sizes, as `vitok evaluate` does.
//!
//! `cargo run --release -p vitok --example evaluate -- examples/images models/photographs-64`

use std::path::Path;

use vitok::evaluate::{Baselines, Candidate, EvaluateConfig, PcaSource, evaluate};
use vitok::observe::{Event, Observer};
use vitok::tokenizer::baselines::Pca;
use vitok::tokenizer::{LoadPart, load};
use vitok::{Device, Error, Result};

/// Prints warnings; a program would also show progress and let its user stop here.
struct Warnings;

impl Observer for Warnings {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(text) | Event::Note(text) = event {
            eprintln!("{text}");
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [images, path] = arguments.as_slice() else {
        return Err(Error::InvalidArgument("usage: evaluate IMAGES MODEL".into()));
    };
    let device = Device::flex();
    let model = load(Path::new(path), LoadPart::Both, &device)?;
    let baselines = Baselines {
        pca: match Baselines::pca_in(Path::new(path)) {
            Some(file) => PcaSource::Fitted(Pca::load(&file)?),
            None => PcaSource::None,
        },
        ..Baselines::of(model.as_ref())
    };
    let config = EvaluateConfig {
        baselines: Some(baselines),
        out: Some("evaluation".into()),
        ..EvaluateConfig::new(vec![images.clone()], vec![Candidate::tokenizer(path, model)?])
    };
    for config in config.at_sizes(&[64, 256]) {
        let report = evaluate(&config, &device, &Warnings)?;
        println!("{}", report.heading());
        let table = report.table();
        for row in std::iter::once(&table.headers).chain(&table.rows) {
            println!("{}", row.join("\t"));
        }
        report.warnings.iter().for_each(|warning| eprintln!("{warning}"));
        if let Some(out) = &config.out {
            report.write(out)?;
        }
    }
    Ok(())
}
