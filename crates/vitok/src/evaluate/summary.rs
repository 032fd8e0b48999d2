//! From what is stored of every clip to the scores of a candidate.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::metric::Metric;
use super::passed::Passed;
use super::record::Record;
use super::report::{ExactCopies, Score};
use super::store::RowKind;
use crate::Result;
use crate::features::FeatureNetwork;
use crate::metrics::{
    BYTE_RANGE, FeatureSet, FeatureStatistics, FrechetOfRows, Kid, KidOptions, PrecisionRecall, frechet,
    inception_score, interval_around, interval_of, kid, mean_interval, precision_recall, psnr_from_mse, resample,
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
    pub(super) passed: &'a Passed,
    pub(super) network: FeatureNetwork,
    /// Resamples behind the intervals of means.
    pub(super) resamples: usize,
    pub(super) kid: KidOptions,
}

impl Summary<'_> {
    /// The mean of a metric over the clips that have it.
    pub(super) fn mean(&self, metric: Metric) -> Score {
        let mut values = Vec::new();
        let mut reasons = BTreeSet::new();
        let count = self.passed.scored().count();
        for record in self.passed.scored() {
            match record.score(metric) {
                Ok(value) => values.push(value),
                Err(reason) => {
                    reasons.insert(reason);
                }
            }
        }
        let reasons = reasons.into_iter().collect::<Vec<_>>().join(", or ");
        // Neither the sum nor what is resampled may depend on the order of files.
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            return Score::none(match count {
                0 => "every image is skipped".into(),
                _ => format!("of every image {reasons}"),
            });
        }
        let (mut score, others) = (self.mean_of(&values), values.iter().filter(|v| v.is_finite()));
        if values.len() < count {
            score.note = Some(format!(
                "of {} of {count} images; of the others {reasons}",
                values.len()
            ));
        }
        if score.value == Some(f64::INFINITY) {
            let others: Vec<f64> = others.copied().collect();
            let of_others = match others.is_empty() {
                true => Score::default(),
                false => self.mean_of(&others),
            };
            score.copies = Some(ExactCopies {
                count: values.len() - others.len(),
                others: others.len(),
                mean: of_others.value,
                low: of_others.low,
                high: of_others.high,
            });
        }
        score
    }

    fn mean_of(&self, values: &[f64]) -> Score {
        let interval = mean_interval(values, self.resamples);
        Score {
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            ..Score::of(mean(values))
        }
    }

    /// The PSNR of all pixels of all clips together.
    pub(super) fn pooled_psnr(&self) -> Result<Score> {
        // The sum of squared errors of each clip, and of how many numbers.
        let error = |record: &Record| {
            let samples = record.samples as f64;
            Some((record.score(Metric::Mse).ok()? * samples, samples))
        };
        let mut errors: Vec<(f64, f64)> = self.passed.scored().filter_map(error).collect();
        errors.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        if errors.is_empty() {
            return Ok(Score::none("every image is skipped".into()));
        }
        let psnr = |indices: &mut dyn Iterator<Item = usize>| {
            let (error, samples) = indices.fold((0.0, 0.0), |(error, samples), i| {
                (error + errors[i].0, samples + errors[i].1)
            });
            psnr_from_mse(error / samples, BYTE_RANGE)
        };
        let interval = interval_of(errors.len(), self.resamples, |indices| {
            psnr(&mut indices.iter().copied()).unwrap_or(f64::NAN)
        });
        Ok(Score {
            low: interval.map(|interval| interval.low),
            high: interval.map(|interval| interval.high),
            ..Score::of(psnr(&mut (0..errors.len()))?)
        })
    }

    /// The mean over clips of the sizes of their compressed representations; none where that is not known.
    pub(super) fn mean_cost(&self, cost: impl Fn(&Record) -> Option<usize>) -> Option<f64> {
        let costs = self.passed.scored().filter_map(cost);
        let costs: Vec<f64> = costs.map(|cost| cost as f64).collect();
        (!costs.is_empty()).then(|| mean(&costs))
    }

    /// Which quality a codec that has such a setting took, in words.
    pub(super) fn qualities(&self) -> Option<String> {
        let qualities: Vec<u8> = self.passed.scored().filter_map(|record| record.quality).collect();
        let (low, high) = (qualities.iter().min()?, qualities.iter().max()?);
        let mean = mean(&qualities.iter().map(|quality| f64::from(*quality)).collect::<Vec<_>>());
        Some(match low == high {
            true => format!("at quality {low}"),
            false => format!("at quality {low} to {high}, {mean:.1} on average"),
        })
    }

    /// The features `[n, features]`, in an order that the images alone decide: subsets are drawn by position, and no score
    /// may depend on the names of files.
    pub(super) fn features(&self) -> Result<FeatureSet> {
        let width = self.network.features();
        let rows = self.passed.rows(RowKind::Features, width)?;
        let pixels = self.passed.scored().map(|record| record.pixels.as_str());
        let mut order: Vec<(&str, usize)> = pixels.zip(0..).collect();
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
        let logits = self.passed.rows(RowKind::Logits, width)?;
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
