//! The report that lies in an evaluation's folder already, and that the new one will replace.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use super::evaluation::Evaluation;
use super::metric::Metric;
use super::open_candidate::OpenCandidate;
use super::provenance::without_folder;
use super::report::SCORES_FILE;
use crate::observe::Event;

/// Tells the observer what will be otherwise in the report of an evaluation than in the one it replaces.
pub(super) fn compare(evaluation: &Evaluation) {
    let out = evaluation.config.out.as_deref();
    let Some((out, report)) = out.and_then(|out| Some((out.display(), PreviousReport::read(out)?))) else {
        return;
    };
    let models: Vec<&str> = evaluation.candidates.iter().map(OpenCandidate::name).collect();
    let models = report.models_beside(&models);
    let metrics = report.metrics_beside(&evaluation.networks.metrics);
    let mut lost = Vec::new();
    if !models.is_empty() {
        lost.push(format!("scores of {}", models.join(", ")));
    }
    if !metrics.is_empty() {
        lost.push(metrics.join(", "));
    }
    for lost in lost {
        evaluation.observer.event(Event::Warning(&format!(
            "{out}: its report has {lost}, which this evaluation is not asked for: the new report will be without. Asked \
             for together they are in one table, and what is unchanged is not scored again"
        )));
    }
    let originals = evaluation.originals.as_ref();
    let paired = originals.filter(|_| !evaluation.config.is_unpaired());
    let images = paired.map(|set| without_folder(&set.names())).unwrap_or_default();
    for difference in report.differences(&evaluation.protocol.title(), &images) {
        let note = format!("{out}: its report is {difference}");
        evaluation.observer.event(Event::Note(&note));
    }
}

/// What of a report is compared with the next one.
#[derive(Default, Deserialize)]
#[serde(default)]
struct PreviousReport {
    protocol: Protocol,
    metrics: Vec<MetricRow>,
    models: Vec<Model>,
    images: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Protocol {
    name: String,
}

#[derive(Deserialize)]
struct MetricRow {
    key: String,
    name: String,
}

#[derive(Deserialize)]
struct Model {
    name: String,
}

impl PreviousReport {
    /// The report in a folder, if there is one.
    fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(SCORES_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The candidates that it has beside these.
    fn models_beside(&self, candidates: &[&str]) -> Vec<&str> {
        let names = self.models.iter().map(|model| model.name.as_str());
        names.filter(|name| !candidates.contains(name)).collect()
    }

    /// The names of the metrics that it has beside these. Rows that come with others do not count.
    fn metrics_beside(&self, metrics: &[Metric]) -> Vec<&str> {
        let is_lost = |row: &&MetricRow| Metric::named(&row.key).is_ok_and(|metric| !metrics.contains(&metric));
        let lost = self.metrics.iter().filter(is_lost);
        lost.map(|row| row.name.as_str()).collect()
    }

    /// How a report by this protocol of these images differs, a sentence each.
    fn differences(&self, protocol: &str, images: &[String]) -> Vec<String> {
        let mut found = Vec::new();
        if self.protocol.name != protocol {
            found.push(format!(
                "by protocol {}, this evaluation by {protocol}",
                self.protocol.name
            ));
        }
        let [before, now] = [&self.images[..], images].map(|all| all.iter().collect::<BTreeSet<_>>());
        let (gone, new) = (before.difference(&now).count(), now.difference(&before).count());
        if !before.is_empty() && !now.is_empty() && gone + new > 0 {
            let (before, now) = (before.len(), now.len());
            found.push(format!(
                "of {before} images, this evaluation of {now} ({gone} gone, {new} new)"
            ));
        }
        found
    }
}
