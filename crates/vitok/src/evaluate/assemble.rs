//! From what the passes found to the report.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::evaluation::{Evaluation, ORIGINALS, Passed, Passes};
use super::examples::{self, Examples};
use super::explain::explain;
use super::gallery;
use super::metric::Metric;
use super::report::{MetricUsed, ModelScores, ProtocolUsed, Report, Score, Skipped};
use super::store::StoredClip;
use super::summary::{Reference, Summary};
use crate::Result;
use crate::files::{hexadecimal, sha256_of_file};
use crate::metrics::{FeatureStatistics, write_statistics};

/// What a code takes: rows of the report above the metrics.
const COSTS: [(&str, &str, &str); 2] = [
    (
        "values",
        "Values",
        "numbers in the code of an image, E = L c: tokens times channels; the mean over images",
    ),
    (
        "bytes",
        "Bytes",
        "bytes of the code of an image, for latents as 16-bit floats; the mean over images",
    ),
];

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
        let (scores, per_image) = scores(evaluation, passed, reference.as_ref())?;
        models.push(ModelScores {
            name: candidate.name().into(),
            kind: candidate.kind(),
            count: passed.scored().count(),
            scores,
            per_image,
        });
    }
    let mut metrics = metrics_used(evaluation, &models);
    if config.explain {
        add_explained(evaluation, &mut metrics, &mut models)?;
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
        images: match (config.is_unpaired(), passes.candidates.first()) {
            (false, Some(passed)) => without_folder(&passed.clips),
            _ => Vec::new(),
        },
        shown,
        sheet,
    })
}

impl Passed {
    /// The clips that are not skipped.
    fn scored(&self) -> impl Iterator<Item = &StoredClip> {
        self.clips.iter().filter(|clip| clip.skipped.is_none())
    }

    fn summary<'a>(&'a self, evaluation: &Evaluation) -> Summary<'a> {
        Summary {
            store: &self.folder,
            clips: &self.clips,
            network: evaluation.protocol.network,
            resamples: evaluation.config.resamples,
            kid: evaluation.config.kid,
        }
    }
}

/// What outputs are compared with as a set.
fn reference(evaluation: &Evaluation, passes: &Passes) -> Result<Option<Reference>> {
    Ok(match (&passes.originals, &evaluation.statistics) {
        (_, Some(statistics)) => Some(Reference::Statistics(statistics.clone())),
        (Some(passed), None) => Some(Reference::Features(passed.summary(evaluation).features()?)),
        (None, None) => None,
    })
}

/// Scores by the metrics' keys, and those of each image.
type Scores = (BTreeMap<String, Score>, BTreeMap<String, Vec<Option<f64>>>);

fn scores(evaluation: &Evaluation, passed: &Passed, reference: Option<&Reference>) -> Result<Scores> {
    let metrics = &evaluation.networks.metrics;
    let summary = passed.summary(evaluation);
    let (mut scores, mut per_image) = (BTreeMap::new(), BTreeMap::new());
    let costs = [
        summary.mean_cost(|clip| clip.values),
        summary.mean_cost(|clip| clip.bytes),
    ];
    for ((key, ..), cost) in COSTS.iter().zip(costs) {
        if let Some(cost) = cost {
            scores.insert((*key).into(), Score::of(cost));
        }
    }
    for metric in metrics.iter().filter(|metric| metric.is_full_reference()) {
        scores.insert(metric.key().into(), summary.mean(*metric));
        let values = passed.clips.iter().map(|clip| clip.score(*metric));
        per_image.insert(metric.key().into(), values.collect());
    }
    if let Some(reference) = reference {
        for (metric, score) in summary.of_sets(metrics, reference)? {
            scores.insert(metric.key().into(), score);
        }
    }
    Ok((scores, per_image))
}

/// The rows of the report: what codes take, where that is known of any, and the metrics.
fn metrics_used(evaluation: &Evaluation, models: &[ModelScores]) -> Vec<MetricUsed> {
    let known = |key: &str| models.iter().any(|model| model.scores.contains_key(key));
    let costs = COSTS.into_iter().filter(|(key, ..)| known(key));
    let costs = costs.map(|(key, name, about)| MetricUsed {
        key: key.into(),
        name: name.into(),
        unit: None,
        better: None,
        about: about.into(),
        source: "",
        per_image: false,
    });
    let metrics = evaluation.networks.metrics.iter().map(|metric| MetricUsed {
        key: metric.key().into(),
        name: metric.title(evaluation.protocol.network),
        unit: metric.unit(),
        better: Some(metric.better()),
        about: metric.about().into(),
        source: metric.source(),
        per_image: metric.is_full_reference(),
    });
    costs.chain(metrics).collect()
}

/// Adds the scores of the other common ways.
fn add_explained(evaluation: &Evaluation, metrics: &mut Vec<MetricUsed>, models: &mut [ModelScores]) -> Result<()> {
    for (number, (open, model)) in evaluation.candidates.iter().zip(models).enumerate() {
        let variants = explain(
            open.name(),
            &evaluation.pairs(open)?,
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
    let is_whole = |i: &usize| candidates.iter().all(|passed| passed.clips[*i].skipped.is_none());
    let whole: Vec<usize> = (0..originals.len()).filter(is_whole).collect();
    let scores = |metric: Metric| -> Vec<Vec<Option<f64>>> {
        let of = |passed: &Passed| {
            let mut scores = vec![None; originals.len()];
            whole.iter().for_each(|&i| scores[i] = passed.clips[i].score(metric));
            scores
        };
        candidates.iter().map(of).collect()
    };
    let names: Vec<&str> = evaluation.candidates.iter().map(|open| open.name()).collect();
    let choices = gallery::choose(&evaluation.networks.metrics, scores, &names, originals.are_clips());
    let pairs = evaluation.candidates.iter().map(|open| evaluation.pairs(open));
    let titles = std::iter::once("original").chain(names).map(str::to_owned);
    examples::collect(
        &pairs.collect::<Result<Vec<_>>>()?,
        choices,
        &whole,
        &titles.collect::<Vec<_>>(),
    )
}

fn protocol_used(evaluation: &Evaluation, passes: &Passes) -> ProtocolUsed {
    let originals = passes.originals.as_ref().or(passes.candidates.first());
    let (reference, reference_hash, reference_count) = match (&evaluation.statistics, &evaluation.config.reference) {
        (Some(statistics), Some(path)) => {
            let hash = sha256_of_file(path).unwrap_or_default();
            (path.display().to_string(), hash, statistics.count.unwrap_or(0))
        }
        _ => {
            let scored: Vec<&StoredClip> = originals.into_iter().flat_map(Passed::scored).collect();
            (
                evaluation.config.originals.join(", "),
                pixels_hash(&scored),
                scored.len(),
            )
        }
    };
    ProtocolUsed {
        name: evaluation.protocol.title(),
        text: evaluation.protocol.text(),
        reference,
        reference_hash,
        reference_count,
    }
}

fn skipped(evaluation: &Evaluation, passes: &Passes) -> Vec<Skipped> {
    let originals = passes.originals.iter().map(|passed| (ORIGINALS, passed));
    let names = evaluation.candidates.iter().map(|open| open.name());
    let all = originals.chain(names.zip(&passes.candidates));
    let mut skipped = Vec::new();
    for (side, passed) in all {
        let reasons = passed
            .clips
            .iter()
            .filter_map(|clip| Some((&clip.name, clip.skipped.as_ref()?)));
        skipped.extend(reasons.map(|(file, reason)| Skipped::new(file, side, reason)));
    }
    let unread = evaluation.unread.iter();
    skipped.extend(unread.map(|(file, reason)| Skipped::new(file, "data for PCA", reason)));
    skipped
}

impl Skipped {
    fn new(file: &str, side: &str, reason: &str) -> Self {
        // Reasons that name the file need not do so twice.
        let reason = reason.strip_prefix(&format!("{file}: ")).unwrap_or(reason);
        Self {
            file: file.to_owned(),
            reason: format!("{side}: {reason}"),
        }
    }
}

fn warnings(evaluation: &Evaluation, models: &[ModelScores], skipped: usize) -> Vec<String> {
    let protocol = &evaluation.protocol;
    let mut warnings = evaluation.networks.missing.warnings.clone();
    let dims = protocol.network.features();
    let few = models.iter().map(|model| model.count).min().unwrap_or(0);
    if evaluation.networks.metrics.contains(&Metric::Frechet) && few < dims {
        let [frechet, kid] = [Metric::Frechet, Metric::Kid].map(|metric| metric.title(protocol.network));
        warnings.push(format!(
            "{frechet} of {few} images on {dims} features: too high, and not to be compared with any of another number \
             of images. {kid} hardly depends on it"
        ));
    }
    if let Some((name, count)) = protocol.expected
        && models.iter().any(|model| model.count != count)
    {
        warnings.push(format!(
            "{} is meant for {name}, which has {count} images; these are {few}",
            protocol.name
        ));
    }
    if skipped > 0 {
        warnings.push(format!("{skipped} images were skipped; see the list"));
    }
    if let (Some(originals), false) = (&evaluation.originals, evaluation.config.is_unpaired()) {
        for open in &evaluation.candidates {
            let outputs = open.files.as_ref().map_or(0, |(files, _)| files.len());
            if let Some(left @ 1..) = outputs.checked_sub(originals.len()) {
                warnings.push(format!(
                    "{}: {left} outputs more than originals, not looked at",
                    open.name()
                ));
            }
        }
    }
    warnings
}

/// What is evaluated, in words.
fn subject(originals: &[String]) -> String {
    match originals {
        [] => "generated images".into(),
        [one] => Path::new(one)
            .file_name()
            .map_or(one.clone(), |name| name.to_string_lossy().into()),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// Names without the folder that all of them are in.
fn without_folder(clips: &[StoredClip]) -> Vec<String> {
    let mut names = clips.iter().map(|clip| clip.name.as_str());
    let folder = |name: &str| name.rfind('/').map_or(0, |slash| slash + 1);
    let mut common = names.next().map_or("", |name| &name[..folder(name)]);
    for name in names {
        while !name.starts_with(common) {
            common = &common[..folder(&common[..common.len() - 1])];
        }
    }
    let names = clips.iter().map(|clip| clip.name[common.len()..].to_owned());
    names.collect()
}

/// SHA-256 of the pixels of a set, whatever its files are called and in whichever order they come.
fn pixels_hash(clips: &[&StoredClip]) -> String {
    let mut hashes: Vec<&str> = clips.iter().map(|clip| clip.pixels.as_str()).collect();
    hashes.sort_unstable();
    hexadecimal(&Sha256::digest(hashes.concat()))
}
