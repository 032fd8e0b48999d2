//! What the scores of a report stand for: protocol, originals, what is missing.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::evaluation::{Evaluation, ORIGINALS, Passes};
use super::metric::Metric;
use super::passed::Passed;
use super::record::Record;
use super::report::{ModelScores, ProtocolUsed, Skipped};
use crate::files::{hexadecimal, sha256_of_file};

/// The protocol, and which originals the scores are of.
pub(super) fn protocol_used(evaluation: &Evaluation, passes: &Passes) -> ProtocolUsed {
    let originals = passes.originals.as_ref().or(passes.candidates.first());
    let (reference, reference_hash, reference_count) = match (&evaluation.statistics, &evaluation.config.reference) {
        (Some(statistics), Some(path)) => {
            let hash = sha256_of_file(path).unwrap_or_default();
            (path.display().to_string(), hash, statistics.count.unwrap_or(0))
        }
        _ => {
            let scored: Vec<&Record> = originals.into_iter().flat_map(Passed::scored).collect();
            (
                evaluation.config.originals.join(", "),
                pixels_hash(&scored),
                scored.len(),
            )
        }
    };
    let mut text = evaluation.protocol.text();
    if evaluation.networks.extractor.is_some() {
        text.push(evaluation.protocol.text_of_sets());
    }
    ProtocolUsed {
        name: evaluation.protocol.title(),
        text,
        reference,
        reference_hash,
        reference_count,
    }
}

/// Clips that are not in the scores, and files that PCA is not fitted on.
pub(super) fn skipped(evaluation: &Evaluation, passes: &Passes) -> Vec<Skipped> {
    let originals = passes.originals.iter().map(|passed| (ORIGINALS, passed));
    let names = evaluation.candidates.iter().map(|open| open.name());
    let all = originals.chain(names.zip(&passes.candidates));
    let mut skipped = Vec::new();
    for (side, passed) in all {
        let clips = passed.names().iter().zip(passed.clips());
        let reasons = clips.filter_map(|(file, clip)| Some((file, clip.err()?)));
        skipped.extend(reasons.map(|(file, reason)| Skipped::new(file, side, reason)));
    }
    let unread = evaluation.unread.iter();
    skipped.extend(unread.map(|(file, reason)| Skipped::new(file, "data for PCA", reason)));
    skipped
}

impl Skipped {
    fn new(file: &str, side: &str, reason: &str) -> Self {
        let reason = without_name(reason, file);
        Self {
            file: file.to_owned(),
            reason: format!("{side}: {reason}"),
        }
    }
}

/// A reason that begins with the name of the file it is about, without that: the name stands beside it.
pub(super) fn without_name<'a>(reason: &'a str, file: &str) -> &'a str {
    let rest = reason.strip_prefix(file).and_then(|rest| rest.strip_prefix(": "));
    rest.unwrap_or(reason)
}

/// What a reader should know before comparing the scores with others.
pub(super) fn warnings(evaluation: &Evaluation, models: &[ModelScores], skipped: usize) -> Vec<String> {
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

/// The originals in a few words.
pub(super) fn subject(originals: &[String]) -> String {
    match originals {
        [] => "generated images".into(),
        [one] => Path::new(one)
            .file_name()
            .map_or(one.clone(), |name| name.to_string_lossy().into()),
        [first, rest @ ..] => format!("{first} and {} more", rest.len()),
    }
}

/// The names of the images, in the order of their scores; of unpaired outputs there are none.
pub(super) fn image_names(evaluation: &Evaluation, passes: &Passes) -> Vec<String> {
    match (evaluation.config.is_unpaired(), passes.candidates.first()) {
        (false, Some(passed)) => without_folder(passed.names()),
        _ => Vec::new(),
    }
}

/// Names without the folder that all of them are in.
pub(super) fn without_folder(names: &[String]) -> Vec<String> {
    let folder = |name: &str| name.rfind('/').map_or(0, |slash| slash + 1);
    let mut common = names.first().map_or("", |name| &name[..folder(name)]);
    for name in names {
        while !name.starts_with(common) {
            common = &common[..folder(&common[..common.len() - 1])];
        }
    }
    names.iter().map(|name| name[common.len()..].to_owned()).collect()
}

/// SHA-256 of the pixels of a set, whatever its files are called and in whichever order they come.
fn pixels_hash(clips: &[&Record]) -> String {
    let mut hashes: Vec<&str> = clips.iter().map(|clip| clip.pixels.as_str()).collect();
    hashes.sort_unstable();
    hexadecimal(&Sha256::digest(hashes.concat()))
}
