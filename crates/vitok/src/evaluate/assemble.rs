//! From what the passes found to the report.

use std::collections::BTreeMap;

use super::evaluation::{Evaluation, Passes};
use super::examples::{self, Examples};
use super::explain::explain;
use super::gallery;
use super::metric::Metric;
use super::passed::Passed;
use super::provenance::{image_names, protocol_used, skipped, subject, warnings, without_name};
use super::report::{MetricUsed, MissingScores, ModelScores, Report, Score};
use super::rows::{COSTS, POOLED_PSNR, metrics_used, name_unknown_costs};
use super::scored_pairs::ScoredPairs;
use super::summary::{Reference, Summary};
use crate::Result;
use crate::metrics::{FeatureStatistics, write_statistics};

/// The report of all passes.
///
/// # Errors
/// [`Error::Cancelled`](crate::Error::Cancelled) if the observer asks for it while images are scored in other ways; as
/// for reading and reconstructing.
pub(super) fn report(evaluation: &Evaluation, passes: &Passes) -> Result<Report> {
    let config = evaluation.config;
    let reference = reference(evaluation, passes)?;
    if let (Some(path), Some(Reference::Features(features))) = (&config.save_reference, &reference) {
        write_statistics(path, &FeatureStatistics::of(features)?)?;
    }
    let candidates = evaluation.candidates.iter().zip(&passes.candidates);
    let mut models = Vec::new();
    for (open, passed) in candidates {
        let candidate = &open.candidate;
        let (per_image, missing) = per_image(evaluation, passed);
        models.push(ModelScores {
            name: candidate.name().into(),
            kind: candidate.kind(),
            count: passed.scored().count(),
            scores: scores(evaluation, passed, reference.as_ref())?,
            per_image,
            missing,
        });
    }
    name_unknown_costs(&mut models);
    let mut metrics = metrics_used(evaluation, &models);
    if config.explain {
        add_explained(evaluation, passes, &mut metrics, &mut models)?;
    }
    let skipped = skipped(evaluation, passes);
    let Examples { shown, sheet } = examples(evaluation, passes)?;
    Ok(Report {
        title: format!("Evaluation of {}", subject(&config.originals)),
        version: env!("CARGO_PKG_VERSION"),
        date: time::OffsetDateTime::now_utc().date().to_string(),
        command: config.command.clone(),
        protocol: protocol_used(evaluation, passes),
        networks: evaluation.networks.used.clone(),
        warnings: warnings(evaluation, &models, skipped.len()),
        remedies: evaluation.networks.missing.remedies.clone(),
        skipped,
        metrics,
        models,
        images: image_names(evaluation, passes),
        shown,
        sheet,
    })
}

/// How the scores of a pass are made.
fn summary<'a>(evaluation: &Evaluation, passed: &'a Passed) -> Summary<'a> {
    Summary {
        passed,
        network: evaluation.protocol.network,
        resamples: evaluation.config.resamples,
        kid: evaluation.config.kid,
    }
}

/// What outputs are compared with as a set.
fn reference(evaluation: &Evaluation, passes: &Passes) -> Result<Option<Reference>> {
    Ok(match (&passes.originals, &evaluation.statistics) {
        (_, Some(statistics)) => Some(Reference::Statistics(statistics.clone())),
        (Some(passed), None) => Some(Reference::Features(summary(evaluation, passed).features()?)),
        (None, None) => None,
    })
}

/// The scores of a candidate, by the metrics' keys.
fn scores(evaluation: &Evaluation, passed: &Passed, reference: Option<&Reference>) -> Result<BTreeMap<String, Score>> {
    let metrics = &evaluation.networks.metrics;
    let summary = summary(evaluation, passed);
    let mut scores = BTreeMap::new();
    let costs = [
        summary.mean_cost(|record| record.values),
        summary.mean_cost(|record| record.bytes),
    ];
    for ((key, ..), cost) in COSTS.iter().zip(costs) {
        if let Some(cost) = cost {
            scores.insert((*key).into(), Score::of(cost));
        }
    }
    if let Some(bytes) = scores.get_mut("bytes") {
        bytes.note = summary.qualities();
    }
    for metric in full_reference(evaluation) {
        scores.insert(metric.key().into(), summary.mean(metric));
        if metric == Metric::Psnr {
            scores.insert(POOLED_PSNR.0.into(), summary.pooled_psnr()?);
        }
    }
    if let Some(reference) = reference {
        for (metric, score) in summary.of_sets(metrics, reference)? {
            scores.insert(metric.key().into(), score);
        }
    }
    Ok(scores)
}

/// The metrics that compare an image with its original.
fn full_reference(evaluation: &Evaluation) -> impl Iterator<Item = Metric> {
    let metrics = evaluation.networks.metrics.iter().copied();
    metrics.filter(|metric| metric.is_full_reference())
}

/// The scores of each image by the metrics' keys, and why some are missing.
fn per_image(evaluation: &Evaluation, passed: &Passed) -> (BTreeMap<String, Vec<Option<f64>>>, Vec<MissingScores>) {
    let mut scores: BTreeMap<String, Vec<Option<f64>>> = BTreeMap::new();
    // Images by why they lack which scores.
    let mut missing: BTreeMap<(String, Vec<String>), Vec<usize>> = BTreeMap::new();
    for (index, clip) in passed.clips().enumerate() {
        let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let clip = clip.map_err(|reason| without_name(reason, &passed.names()[index]).to_owned());
        for metric in full_reference(evaluation) {
            let score = clip.clone().and_then(|record| record.score(metric));
            let list = scores.entry(metric.key().into()).or_default();
            list.push(score.as_ref().ok().copied());
            if let Err(reason) = score {
                reasons.entry(reason).or_default().push(metric.key().into());
            }
        }
        for cause in reasons {
            missing.entry(cause).or_default().push(index);
        }
    }
    let missing = missing.into_iter().map(|((reason, metrics), images)| MissingScores {
        reason,
        metrics,
        images,
    });
    let mut missing: Vec<MissingScores> = missing.collect();
    missing.sort_by(|a, b| a.images.cmp(&b.images));
    (scores, missing)
}

/// The pairs of each candidate, for a second look.
fn scored_pairs<'a>(evaluation: &'a Evaluation, passes: &'a Passes) -> Result<Vec<ScoredPairs<'a>>> {
    let candidates = evaluation.candidates.iter().zip(&passes.candidates);
    let scored = candidates.map(|(open, passed)| {
        Ok(ScoredPairs {
            pairs: evaluation.pairs(open)?,
            passed,
        })
    });
    scored.collect()
}

/// Adds the scores of the other common ways.
fn add_explained(
    evaluation: &Evaluation,
    passes: &Passes,
    metrics: &mut Vec<MetricUsed>,
    models: &mut [ModelScores],
) -> Result<()> {
    let all = scored_pairs(evaluation, passes)?;
    for (number, (scored, model)) in all.iter().zip(models).enumerate() {
        let variants = explain(
            &model.name,
            scored,
            &evaluation.protocol,
            evaluation.networks.extractor.as_ref(),
            evaluation.observer,
        )?;
        for (metric, score) in variants {
            model.scores.insert(metric.key.clone(), score);
            if number == 0 {
                metrics.push(metric);
            }
        }
    }
    Ok(())
}

/// The images of the gallery and of the sheet.
fn examples(evaluation: &Evaluation, passes: &Passes) -> Result<Examples> {
    let Some(originals) = evaluation
        .originals
        .as_ref()
        .filter(|_| !evaluation.config.is_unpaired())
    else {
        return Ok(Examples::default());
    };
    // What one candidate lacks cannot be shown beside the others.
    let candidates = &passes.candidates;
    let is_whole = |i: &usize| candidates.iter().all(|passed| passed.clip(*i).is_ok());
    let whole: Vec<usize> = (0..originals.len()).filter(is_whole).collect();
    let scores = |metric: Metric| -> Vec<Vec<Option<f64>>> {
        let of = |passed: &Passed| {
            let mut scores = vec![None; originals.len()];
            let score = |i: usize| passed.clip(i).ok()?.score(metric).ok();
            whole.iter().for_each(|&i| scores[i] = score(i));
            scores
        };
        candidates.iter().map(of).collect()
    };
    let names: Vec<&str> = evaluation.candidates.iter().map(|open| open.name()).collect();
    let choices = gallery::choose(&evaluation.networks.metrics, scores, &names, originals.are_clips());
    let titles = std::iter::once("original").chain(names).map(str::to_owned);
    examples::collect(
        &scored_pairs(evaluation, passes)?,
        choices,
        &whole,
        &titles.collect::<Vec<_>>(),
    )
}
