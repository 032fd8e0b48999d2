//! Confidence intervals by the bootstrap: Efron, "Bootstrap methods: another look at the jackknife", Annals of
//! Statistics 7(1), 1979.

use rand::RngExt;

use crate::rng::generator;

/// A 95 % confidence interval, in units of the score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// `count` indices of `0..count` drawn with replacement; `number` tells one resample from another.
pub fn resample(count: usize, number: usize) -> Vec<usize> {
    let mut rng = generator("bootstrap", &[count as u64, number as u64]);
    (0..count).map(|_| rng.random_range(0..count)).collect()
}

/// The percentile interval of a mean, from the means of this many resamples. None for fewer than two values, or where one is not finite.
pub fn mean_interval(values: &[f64], resamples: usize) -> Option<Interval> {
    if values.iter().any(|v| !v.is_finite()) {
        return None;
    }
    interval_of(values.len(), resamples, |indices| {
        indices.iter().map(|&i| values[i]).sum::<f64>() / values.len() as f64
    })
}

/// The percentile interval of a `statistic` of `count` things, which is given the indices of this many resamples. None
/// for fewer than two things, or where a resample has no finite statistic.
pub fn interval_of(count: usize, resamples: usize, statistic: impl Fn(&[usize]) -> f64) -> Option<Interval> {
    if count < 2 || resamples < 2 {
        return None;
    }
    let mut found: Vec<f64> = (0..resamples)
        .map(|number| statistic(&resample(count, number)))
        .collect();
    found.sort_by(f64::total_cmp);
    found.iter().all(|v| v.is_finite()).then(|| Interval {
        low: quantile(&found, 0.025),
        high: quantile(&found, 0.975),
    })
}

/// An interval of 1.96 standard deviations of `resampled` scores around `score`. For distances
/// between sets: a resample has copies, which makes a set look smaller and the distance larger,
/// so that percentiles would not lie around the score.
pub fn interval_around(score: f64, resampled: &[f64]) -> Option<Interval> {
    if resampled.len() < 2 {
        return None;
    }
    let count = resampled.len() as f64;
    let mean = resampled.iter().sum::<f64>() / count;
    let squares: f64 = resampled.iter().map(|v| (v - mean).powi(2)).sum();
    let half_width = 1.96 * (squares / (count - 1.0)).sqrt();
    half_width.is_finite().then_some(Interval {
        low: score - half_width,
        high: score + half_width,
    })
}

/// The `q`-quantile of sorted values, linear between the two nearest.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let position = q * (sorted.len() - 1) as f64;
    let low = sorted[position.floor() as usize];
    let high = sorted[position.ceil() as usize];
    low + (high - low) * position.fract()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn intervals_are_those_of_the_normal_distribution() {
        // The mean of 400 values of deviation 1 has a deviation of 0.05.
        let values: Vec<f64> = (0..400).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
        let Interval { low, high } = mean_interval(&values, 2000).unwrap();
        assert!(
            (low + 0.098).abs() < 0.015 && (high - 0.098).abs() < 0.015,
            "{low} {high}"
        );
        assert_eq!(mean_interval(&values, 2000), mean_interval(&values, 2000));
        let around = interval_around(3.0, &[1.0, 2.0, 3.0]).unwrap();
        assert!((around.high - 4.96).abs() < 1e-9 && (around.low - 1.04).abs() < 1e-9);
    }

    #[test]
    fn there_is_none_where_it_would_mean_nothing() {
        assert_eq!(mean_interval(&[1.0], 1000), None);
        assert_eq!(mean_interval(&[1.0, f64::INFINITY], 1000), None);
        assert_eq!(interval_around(1.0, &[1.0]), None);
    }
}
