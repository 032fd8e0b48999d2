//! From what is stored of every clip to the scores of a candidate.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::metric::Metric;
use super::report::Score;
use super::store::{RowKind, StoredClip, read_rows};
use crate::Result;
use crate::features::FeatureNetwork;
use crate::metrics::{
    FeatureSet, FeatureStatistics, FrechetOfRows, Kid, KidOptions, PrecisionRecall, frechet, inception_score,
    interval_around, kid, mean_interval, precision_recall, resample,
};

/// Splits of the Inception Score, as its authors have them.
const SPLITS: usize = 10;

/// Most resamples of a distance between sets, each of which takes as long as the distance.
const MAX_SET_RESAMPLES: usize = 100;

/// What the originals are to the metrics of sets.
pub(super) enum Reference {
    /// Their features.
    Features(FeatureSet),
    /// Statistics from a file, which only the Fréchet distance is made of.
    Statistics(FeatureStatistics),
}

/// How the scores of a pass are made.
pub(super) struct Summary<'a> {
    /// Folder of its store.
    pub(super) store: &'a Path,
    pub(super) clips: &'a [StoredClip],
    pub(super) network: FeatureNetwork,
    /// Resamples behind the intervals of means.
    pub(super) resamples: usize,
    pub(super) kid: KidOptions,
}

impl Summary<'_> {
    /// The clips that are not skipped.
    fn scored(&self) -> impl Iterator<Item = &StoredClip> {
        self.clips.iter().filter(|clip| clip.skipped.is_none())
    }

    /// The mean of a metric over the clips that have it.
    pub(super) fn mean(&self, metric: Metric) -> Score {
        let count = self.scored().count();
        let mut values: Vec<f64> = self.scored().filter_map(|clip| clip.score(metric)).collect();
        // Neither the sum nor what is resampled may depend on the order of files.
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            return Score::none(match count {
                0 => "no images".into(),
                _ => "every image is too small for it".into(),
            });
        }
        let mut score = Score::of(mean(&values));
        if let Some(interval) = mean_interval(&values, self.resamples) {
            (score.low, score.high) = (Some(interval.low), Some(interval.high));
        }
        if values.len() < count {
            score.note = Some(format!("of {} of {count}, others are too small", values.len()));
        }
        if score.infinite {
            let copies = values.iter().filter(|v| v.is_infinite()).count();
            let rest: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
            if !rest.is_empty() {
                score.note = Some(format!("{copies} exact copies; the others' mean is {:.2}", mean(&rest)));
            }
        }
        score
    }

    /// The mean over clips of the sizes of their compressed representations; none where that is not known.
    pub(super) fn mean_cost(&self, cost: impl Fn(&StoredClip) -> Option<usize>) -> Option<f64> {
        let costs: Vec<f64> = self.scored().filter_map(cost).map(|cost| cost as f64).collect();
        (!costs.is_empty()).then(|| mean(&costs))
    }

    /// The features `[n, features]`, in an order that the images alone decide: subsets are drawn by position, and no score
    /// may depend on the names of files.
    pub(super) fn features(&self) -> Result<FeatureSet> {
        let width = self.network.features();
        let rows = read_rows(self.store, RowKind::Features, width)?;
        let mut order: Vec<(&str, usize)> = self.scored().map(|clip| clip.pixels.as_str()).zip(0..).collect();
        order.sort_unstable();
        let ordered = order.iter().flat_map(|&(_, row)| rows.row(row));
        FeatureSet::new("images", width, ordered.copied().collect())
    }

    /// The scores of the outputs as a set, for those of `metrics` that are of sets.
    pub(super) fn of_sets(&self, metrics: &[Metric], reference: &Reference) -> Result<Vec<(Metric, Score)>> {
        let outputs = self.features()?;
        let metrics = metrics.iter().copied().filter(|m| !m.is_full_reference());
        let mut neighbors = None;
        let scored = metrics.map(|metric| {
            let score = match (metric, reference) {
                (Metric::InceptionScore, _) => self.inception_score(),
                (Metric::Frechet, Reference::Features(originals)) => self.frechet(originals, &outputs),
                (Metric::Frechet, Reference::Statistics(originals)) => FeatureStatistics::of(&outputs)
                    .and_then(|statistics| frechet(originals, &statistics))
                    .map(Score::of),
                (_, Reference::Statistics(_)) => Ok(Score::none(
                    "needs the originals' features, which a statistics file does not have".into(),
                )),
                (Metric::Kid, Reference::Features(originals)) => self.kid(originals, &outputs),
                (_, Reference::Features(originals)) => {
                    let found = neighbors.get_or_insert_with(|| {
                        precision_recall(&outputs, originals, PrecisionRecall::NEIGHBORS).map_err(|e| e.message())
                    });
                    Ok(match found {
                        Ok(found) if metric == Metric::Precision => Score::of(found.precision),
                        Ok(found) => Score::of(found.recall),
                        Err(reason) => Score::none(reason.clone()),
                    })
                }
            };
            // Too few images for one score must not cost the others.
            (metric, score.unwrap_or_else(|error| Score::none(error.message())))
        });
        Ok(scored.collect())
    }

    fn frechet(&self, originals: &FeatureSet, outputs: &FeatureSet) -> Result<Score> {
        let few = originals.len().max(outputs.len()) < originals.dims();
        if !few {
            let (a, b) = (FeatureStatistics::of(originals)?, FeatureStatistics::of(outputs)?);
            return Ok(Score::of(frechet(&a, &b)?));
        }
        let rows = FrechetOfRows::new(originals, outputs)?;
        let mut score = Score::of(rows.whole()?);
        let paired = originals.len() == outputs.len();
        let resampled = (0..self.resamples.min(MAX_SET_RESAMPLES)).map(|number| {
            // Outputs belong to originals, so they are drawn together.
            let a = resample(originals.len(), number);
            let b = match paired {
                true => a.clone(),
                false => resample(outputs.len(), number),
            };
            rows.of(&a, &b)
        });
        let resampled: Vec<f64> = resampled.collect::<Result<_>>()?;
        if let Some(value) = score.value.filter(|value| *value > 0.0)
            && let Some(interval) = interval_around(value, &resampled)
        {
            (score.low, score.high) = (Some(interval.low), Some(interval.high));
        }
        Ok(score)
    }

    fn kid(&self, originals: &FeatureSet, outputs: &FeatureSet) -> Result<Score> {
        let least = originals.len().min(outputs.len());
        // The estimator takes both sets for independent, and gives less than 0 for copies.
        if originals == outputs && least > 1 {
            return Ok(Score {
                note: Some("the outputs are the originals".into()),
                ..Score::of(0.0)
            });
        }
        let mut options = self.kid;
        // Subsets as large as the sets would all be the same.
        if options.subset_size >= least {
            options.subset_size = (least / 2).max(2);
        }
        let Kid {
            mean,
            std_error,
            subsets,
            subset_size,
            ..
        } = kid(originals, outputs, &options)?;
        Ok(Score {
            error: std_error,
            note: Some(format!("{subsets} subsets of {subset_size}")),
            ..Score::of(mean)
        })
    }

    fn inception_score(&self) -> Result<Score> {
        let Some(width) = self.network.logits() else {
            return Ok(Score::none(format!("{} has no classes for it", self.network)));
        };
        let logits = read_rows(self.store, RowKind::Logits, width)?;
        // Into splits at random, but by the same random numbers whatever the files are called, and whether they have
        // originals or not.
        let hash = |row: &[f32]| {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            Sha256::digest(bytes)
        };
        let mut order: Vec<(_, usize)> = logits.rows().map(hash).zip(0..).collect();
        order.sort_unstable();
        let order: Vec<usize> = order.into_iter().map(|(_, row)| row).collect();
        let (mean, std) = inception_score(&logits, SPLITS, Some(&order))?;
        Ok(Score {
            error: Some(std),
            ..Score::of(mean)
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}
