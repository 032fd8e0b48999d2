//! Inception Score: Salimans, Goodfellow, Zaremba, Cheung, Radford, Chen, "Improved techniques for
//! training GANs", NeurIPS 2016.

use super::FeatureSet;
use crate::{Error, Result};

/// Inception Score from a classifier's logits: mean and population standard deviation over splits of
/// `exp(mean_x Σ_c p(c|x) (log p(c|x) - log p(c)))`, where `p(c)` is the mean over the split.
///
/// `order` is the order of the rows in which they are split, as they stand without it. Of n rows the
/// i-th of s splits has those from `⌊i n / s⌋` to before `⌊(i + 1) n / s⌋`, which is torch-fidelity's
/// rule; it has 10 splits of an order of its own. The result is between 1 and the number of classes.
///
/// # Errors
/// [`Error::InvalidArgument`] for no splits or fewer rows than splits, and for an order that does not hold each
/// row once.
pub fn inception_score(logits: &FeatureSet, splits: usize, order: Option<&[usize]>) -> Result<(f64, f64)> {
    let n = logits.len();
    if splits == 0 || n < splits {
        return Err(Error::InvalidArgument(format!(
            "Inception Score cannot split {n} images into {splits}"
        )));
    }
    if let Some(order) = order {
        check_order(order, n)?;
    }
    let scores: Vec<f64> = (0..splits)
        .map(|split| {
            let rows = split * n / splits..(split + 1) * n / splits;
            score(
                rows.map(|i| logits.row(order.map_or(i, |order| order[i]))),
                logits.dims(),
            )
        })
        .collect();
    let count = splits as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let squares = scores.iter().map(|s| (s - mean) * (s - mean));
    Ok((mean, (squares.sum::<f64>() / count).sqrt()))
}

fn check_order(order: &[usize], n: usize) -> Result<()> {
    let mut seen = vec![false; n];
    let each_once = order
        .iter()
        .all(|&row| seen.get_mut(row).is_some_and(|s| !std::mem::replace(s, true)));
    if each_once && order.len() == n {
        Ok(())
    } else {
        Err(Error::InvalidArgument(format!(
            "the order does not hold each of {n} rows once"
        )))
    }
}

/// The score of one split.
fn score<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, classes: usize) -> f64 {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; classes];
    // Σ p log p of all rows; the other term needs only the mean.
    let mut own = 0.0;
    for row in rows {
        let largest = row.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
        let shifted = || row.iter().map(|&v| f64::from(v) - f64::from(largest));
        let total: f64 = shifted().map(f64::exp).sum();
        for (mean, value) in mean.iter_mut().zip(shifted()) {
            let p = value.exp() / total;
            *mean += p / n;
            own += p * (value - total.ln());
        }
    }
    // A class of probability 0 in every row adds nothing; its logarithm would make the sum NaN.
    let present = mean.iter().filter(|&&p| p > 0.0);
    let common: f64 = present.map(|p| p * p.ln()).sum();
    (own / n - common).exp()
}
