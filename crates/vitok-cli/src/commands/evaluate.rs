//! `vitok evaluate`

use std::env;
use std::path::Path;

use anyhow::{Result, bail};
use vitok::evaluate::{Baselines, Candidate, EvaluateConfig, PcaSource, Protocol, Report, evaluate};
use vitok::metrics::KidOptions;
use vitok::tokenizer::baselines::Pca;
use vitok::tokenizer::{LoadPart, Tokenizer};

use super::{Outcome, model};
use crate::args::{EvaluateArgs, ModelArgs};
use crate::interrupt;
use crate::terminal::{self, Terminal};

pub fn run(args: &EvaluateArgs) -> Result<Outcome> {
    if args.model.is_empty() && args.outputs.is_empty() {
        bail!("nothing to score: give --model or --outputs, once or more");
    }
    let device = vitok::open_device(args.device.name())?;
    let config = config(args)?;
    interrupt::stop_gracefully();
    let terminal = Terminal::new();
    let mut reports = Vec::new();
    for config in config.at_sizes(&args.center_crop) {
        let report = match evaluate(&config, &device, &terminal) {
            Err(vitok::Error::Cancelled) => {
                terminal::note("the same command goes on");
                return Ok(Outcome::Stopped);
            }
            report => report?,
        };
        let out = config.out.as_deref().unwrap_or(&args.out);
        report.write(out)?;
        if !args.json {
            show(&report, reports.last(), out, args.center_crop.len() > 1)?;
        }
        warn(&report, out);
        reports.push(report);
    }
    if args.json {
        let json = reports.iter().map(Report::to_json).collect::<vitok::Result<Vec<_>>>()?;
        terminal::line(&match json.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(",\n")),
        })?;
    }
    Ok(match reports.iter().all(|report| report.skipped.is_empty()) {
        true => Outcome::Done,
        false => Outcome::Failures,
    })
}

fn config(args: &EvaluateArgs) -> Result<EvaluateConfig> {
    let mut candidates = Vec::new();
    let mut baselines = None;
    for name in &args.model {
        let tokenizer = load(args, name)?;
        if args.baselines.baselines && baselines.is_none() {
            baselines = Some(baselines_beside(args, name, &*tokenizer)?);
        }
        candidates.push(Candidate::tokenizer(name, tokenizer)?);
    }
    candidates.extend(args.outputs.iter().map(Candidate::files));
    let typed: Vec<String> = env::args().skip(1).collect();
    Ok(EvaluateConfig {
        baselines,
        protocol: Protocol::named(&args.protocol)?,
        network: args.network,
        metrics: (!args.metrics.is_empty()).then(|| args.metrics.clone()),
        weights: args.weights.iter().cloned().collect(),
        max_frames: args.frames,
        limit: args.limit,
        unpaired: args.unpaired,
        reference: args.reference.clone(),
        save_reference: args.save_reference.clone(),
        resamples: args.resamples,
        kid: KidOptions {
            subsets: args.subsets,
            subset_size: args.subset_size,
            seed: args.seed,
        },
        explain: args.explain,
        max_pixels: args.max_pixels,
        out: Some(args.out.clone()),
        restart: args.restart,
        command: format!("vitok {}", shlex::try_join(typed.iter().map(String::as_str))?),
        ..EvaluateConfig::new(args.inputs.clone(), candidates)
    })
}

fn load(args: &EvaluateArgs, name: &str) -> Result<Box<dyn Tokenizer>> {
    let args = ModelArgs {
        model: name.to_owned(),
        variant: None,
        device: args.device,
    };
    model::load(&args, LoadPart::Both)
}

/// The baselines of a model's size, with the PCA that is asked for or comes with the model.
fn baselines_beside(args: &EvaluateArgs, name: &str, tokenizer: &dyn Tokenizer) -> Result<Baselines> {
    let args = &args.baselines;
    let beside = || Baselines::pca_in(&model::locate(name).ok()?);
    let pca = match (args.fit.is_empty(), args.pca.clone().or_else(beside)) {
        (false, _) => PcaSource::Fit {
            data: args.fit.clone(),
            save: args.save_pca.clone(),
        },
        (true, Some(file)) => PcaSource::Fitted(Pca::load(&file)?),
        (true, None) => PcaSource::None,
    };
    Ok(Baselines {
        pca,
        ..Baselines::of(tokenizer)
    })
}

/// Prints the table, and what must be known to compare it with others, unless the report before has said it.
fn show(report: &Report, before: Option<&Report>, out: &Path, several: bool) -> Result<()> {
    if several {
        let gap = before.map_or("", |_| "\n");
        terminal::line(&format!("{gap}{}", report.heading()))?;
    }
    let table = report.table();
    let headers: Vec<&str> = table.headers.iter().map(String::as_str).collect();
    terminal::table(&headers, table.rows)?;
    terminal::line("")?;
    let said = before.map(Report::footnotes).unwrap_or_default();
    let mut unsaid = report.footnotes().into_iter().filter(|line| !said.contains(line));
    unsaid.try_for_each(|line| terminal::line(&line))?;
    let html = out.join("report.html");
    Ok(terminal::line(&format!("Report: {}", html.display()))?)
}

fn warn(report: &Report, out: &Path) {
    report.warnings.iter().for_each(|warning| terminal::warning(warning));
    for remedy in &report.remedies {
        terminal::note(&terminal::words(remedy));
    }
    if !report.skipped.is_empty() {
        terminal::error(&format!(
            "{} images are not in the scores; {} and the report name them",
            report.skipped.len(),
            out.join("scores.json").display()
        ));
    }
}
