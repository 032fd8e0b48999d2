//! From the records and features of every side to the scores.

use std::path::Path;

use anyhow::Result;
use sha2::{Digest, Sha256};
use vitok::metrics::{FeatureSet, FrechetOfRows, Kid, KidOptions, FeatureStatistics, PrecisionRecall, frechet, inception_score, interval_around, kid, mean_interval, precision_recall, resample};
use vitok::evaluate::Metric;
use vitok::features::FeatureNetwork;

use super::report::Score;
use super::state::{Record, read_rows};

/// Splits of the Inception Score, as its authors have them.
const SPLITS: usize = 10;

/// Resamples of a distance between sets are dear: at most so many.
const MOST_ROUNDS: usize = 100;

/// What the originals are compared by.
pub enum Reference {
    /// Their features.
    Features(FeatureSet),
    /// Statistics from a file, which only the Frechet distance is made of.
    Statistics(FeatureStatistics),
}

/// How scores are made of what is on disk.
pub struct Summary<'a> {
    pub state: &'a Path,
    pub network: FeatureNetwork,
    /// Resamples behind the intervals of means.
    pub rounds: usize,
    pub kid: KidOptions,
}

impl Summary<'_> {
    /// The mean of a score over the images that have one.
    pub fn mean(&self, metric: Metric, records: &[Record]) -> Score {
        let all = records.iter().filter(|record| record.skipped.is_none());
        let count = all.clone().count();
        let mut values: Vec<f64> = all.filter_map(|record| record.score(metric)).collect();
        // Neither the sum nor what is resampled may depend on the order of files.
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            return Score::none(match count {
                0 => "no images".into(),
                _ => "every image is too small for it".into(),
            });
        }
        let mut score = Score::of(values.iter().sum::<f64>() / values.len() as f64);
        if let Some(interval) = mean_interval(&values, self.rounds) {
            (score.low, score.high) = (Some(interval.low), Some(interval.high));
        }
        if values.len() < count {
            score.note = Some(format!(
                "of {} of {count}, others are too small",
                values.len()
            ));
        }
        if score.infinite {
            let copies = values.iter().filter(|v| v.is_infinite()).count();
            let rest: Vec<f64> = values.into_iter().filter(|v| v.is_finite()).collect();
            if !rest.is_empty() {
                let mean = rest.iter().sum::<f64>() / rest.len() as f64;
                score.note = Some(format!(
                    "{copies} exact copies; the others' mean is {mean:.2}"
                ));
            }
        }
        score
    }

    /// The features of a side, in an order that its images alone decide: subsets are drawn by
    /// place, and no score may depend on the names of files.
    pub fn features(&self, side: &str, records: &[Record]) -> Result<FeatureSet> {
        let width = self.network.features();
        let rows = read_rows(self.state, side, 0, width)?;
        let done = records.iter().filter(|record| record.skipped.is_none());
        let mut order: Vec<(&str, usize)> = done.map(|r| r.pixels.as_str()).zip(0..).collect();
        order.sort_unstable();
        let ordered = order.iter().flat_map(|&(_, row)| rows.row(row));
        Ok(FeatureSet::new(side, width, ordered.copied().collect())?)
    }

    /// The scores of a set of outputs, for each of these metrics.
    pub fn sets(
        &self,
        metrics: &[Metric],
        side: &str,
        records: &[Record],
        reference: &Reference,
    ) -> Result<Vec<(Metric, Score)>> {
        let outputs = self.features(side, records)?;
        let metrics = metrics.iter().copied().filter(|m| !m.is_full_reference());
        let mut neighbors = None;
        let scored = metrics.map(|metric| {
            let score = match (metric, reference) {
                (Metric::InceptionScore, _) => self.inception_score(side),
                (Metric::Frechet, Reference::Features(originals)) => {
                    self.frechet(originals, &outputs)
                }
                (Metric::Frechet, Reference::Statistics(originals)) => FeatureStatistics::of(&outputs)
                    .and_then(|m| frechet(originals, &m))
                    .map(Score::of),
                (_, Reference::Statistics(_)) => Ok(Score::none(
                    "needs the originals' features, which a statistics file does not have".into(),
                )),
                (Metric::Kid, Reference::Features(originals)) => self.kid(originals, &outputs),
                (_, Reference::Features(originals)) => {
                    let found = neighbors.get_or_insert_with(|| {
                        precision_recall(&outputs, originals, PrecisionRecall::NEIGHBOURS)
                            .map_err(|error| error.to_string())
                    });
                    Ok(match found {
                        Ok(found) if metric == Metric::Precision => Score::of(found.precision),
                        Ok(found) => Score::of(found.recall),
                        Err(reason) => Score::none(reason.clone()),
                    })
                }
            };
            // Too few images for one score must not cost the others.
            (
                metric,
                score.unwrap_or_else(|error| Score::none(error.to_string())),
            )
        });
        Ok(scored.collect())
    }

    fn frechet(&self, originals: &FeatureSet, outputs: &FeatureSet) -> vitok::Result<Score> {
        let few = originals.len().max(outputs.len()) < originals.dims();
        if !few {
            let (a, b) = (FeatureStatistics::of(originals)?, FeatureStatistics::of(outputs)?);
            return Ok(Score::of(frechet(&a, &b)?));
        }
        let rows = FrechetOfRows::new(originals, outputs)?;
        let mut score = Score::of(rows.whole()?);
        let paired = originals.len() == outputs.len();
        let resampled = (0..self.rounds.min(MOST_ROUNDS)).map(|round| {
            // Outputs belong to originals, so they are drawn together.
            let a = resample(originals.len(), round);
            let b = match paired {
                true => a.clone(),
                false => resample(outputs.len(), round),
            };
            rows.of(&a, &b)
        });
        let resampled: Vec<f64> = resampled.collect::<vitok::Result<_>>()?;
        if let Some(value) = score.value.filter(|value| *value > 0.0)
            && let Some(interval) = interval_around(value, &resampled)
        {
            (score.low, score.high) = (Some(interval.low), Some(interval.high));
        }
        Ok(score)
    }

    fn kid(&self, originals: &FeatureSet, outputs: &FeatureSet) -> vitok::Result<Score> {
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

    fn inception_score(&self, side: &str) -> vitok::Result<Score> {
        let Some(width) = self.network.logits() else {
            return Ok(Score::none(format!(
                "{} has no classes for it",
                self.network
            )));
        };
        let logits = read_rows(self.state, side, 1, width)
            .map_err(|error| vitok::Error::InvalidArgument(format!("{error:#}")))?;
        // Into splits by chance, but by the same chance whatever the files are called, and whether
        // they have originals or not.
        let hash = |row: &[f32]| {
            let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_le_bytes()).collect();
            Sha256::digest(bytes)
        };
        let mut order: Vec<(_, usize)> = logits.rows().map(hash).zip(0..).collect();
        order.sort_unstable();
        let order: Vec<usize> = order.into_iter().map(|(_, row)| row).collect();
        let (mean, deviation) = inception_score(&logits, SPLITS, Some(&order))?;
        Ok(Score {
            error: Some(deviation),
            ..Score::of(mean)
        })
    }
}
