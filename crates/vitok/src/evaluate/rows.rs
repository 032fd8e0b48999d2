//! The rows of a report: metrics, and what stands beside them.

use super::candidate::CandidateKind;
use super::evaluation::Evaluation;
use super::metric::Metric;
use super::report::{MetricUsed, ModelScores, Score};

/// The size of compressed representations: rows of the report above the metrics.
pub(super) const COSTS: [(&str, &str, &str); 2] = [
    (
        "values",
        "Values",
        "values stored for an image, E = L c: tokens times channels; the mean over images",
    ),
    (
        "bytes",
        "Bytes",
        "bytes stored for an image, for latents as 16-bit floats; the mean over images",
    ),
];

/// The other convention of PSNR: a row of its own below that of the images' mean.
pub(super) const POOLED_PSNR: (&str, &str, &str) = (
    "psnr-pooled",
    "PSNR (pooled)",
    "10 log10(255² / MSE), the MSE being over all pixels of all images together: what torchmetrics' PeakSignalNoiseRatio \
     accumulates. Never above the mean over images, and finite where some images are exact copies",
);

/// The rows of the report: the sizes of compressed representations, where that is known of any, and the metrics.
pub(super) fn metrics_used(evaluation: &Evaluation, models: &[ModelScores]) -> Vec<MetricUsed> {
    let known = |key: &str| models.iter().any(|model| model.scores.contains_key(key));
    let costs = COSTS.into_iter().filter(|(key, ..)| known(key));
    let costs = costs.map(|(key, name, about)| MetricUsed {
        key: key.into(),
        name: name.into(),
        image_name: None,
        unit: None,
        better: None,
        about: about.into(),
        source: "",
        per_image: false,
    });
    let mut used: Vec<MetricUsed> = costs.collect();
    for metric in &evaluation.networks.metrics {
        let row = MetricUsed {
            key: metric.key().into(),
            name: metric.title(evaluation.protocol.network),
            image_name: (*metric == Metric::Psnr).then_some("PSNR"),
            unit: metric.unit(),
            better: Some(metric.better()),
            about: metric.about().into(),
            source: metric.source(),
            per_image: metric.is_full_reference(),
        };
        let pooled = (*metric == Metric::Psnr).then(|| {
            let (key, name, about) = POOLED_PSNR;
            MetricUsed {
                key: key.into(),
                name: name.into(),
                image_name: None,
                about: about.into(),
                per_image: false,
                ..row.clone()
            }
        });
        used.push(row);
        used.extend(pooled);
    }
    used
}

/// Where a size is known of some candidates, says of the others that it is not.
pub(super) fn name_unknown_costs(models: &mut [ModelScores]) {
    for (key, ..) in COSTS {
        if models.iter().any(|model| model.scores.contains_key(key)) {
            for model in models.iter_mut() {
                let reason = match model.kind {
                    CandidateKind::Files => "not known of outputs on disk",
                    CandidateKind::Model | CandidateKind::Baseline => "the codec has none",
                };
                let unknown = || Score::none(reason.into());
                model.scores.entry(key.into()).or_insert_with(unknown);
            }
        }
    }
}
