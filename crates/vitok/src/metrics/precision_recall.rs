//! Precision and recall of a set of generated images: Kynkäänniemi, Karras, Laine, Lehtinen, Aila,
//! "Improved precision and recall metric for assessing generative models", NeurIPS 2019.

use std::ops::Range;

use faer::{Accum, Mat};
use rayon::prelude::*;

use super::FeatureSet;
use super::linear_algebra::{BLOCK, columns, multiply};
use crate::{Error, Result};

/// Rows of the larger side that are turned to f64 at once.
const TILE: usize = 1024;

/// How much of a generated set looks real, and how much of the real set is generated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrecisionRecall {
    /// Fraction of the generated images that lie in the ball of a real one, 0 to 1.
    pub precision: f64,
    /// Fraction of the real images that lie in the ball of a generated one, 0 to 1.
    pub recall: f64,
}

impl PrecisionRecall {
    /// Neighbors k = 3, the paper's choice.
    pub const NEIGHBORS: usize = 3;

    /// The harmonic mean `2 p r / max(1e-5, p + r)`, torch-fidelity's.
    pub fn f_score(&self) -> f64 {
        2.0 * self.precision * self.recall / (self.precision + self.recall).max(1e-5)
    }
}

/// Improved precision and recall, with the ball of an image reaching to its `neighbors`-th nearest
/// image of its own set, the boundary included.
///
/// Distances are Euclidean and exact: products of matrices only find those that need a closer look.
/// Memory is 1 KiB for each image of the larger set and thread.
///
/// # Errors
/// [`Error::InvalidArgument`] for sets of different numbers of features, no neighbors, or a set with no more
/// images than neighbors.
pub fn precision_recall(generated: &FeatureSet, real: &FeatureSet, neighbors: usize) -> Result<PrecisionRecall> {
    generated.check_same_dims(real)?;
    let least = generated.len().min(real.len());
    if neighbors == 0 || least <= neighbors {
        return Err(Error::InvalidArgument(format!(
            "precision and recall by {neighbors} neighbors need sets of more images than that, and one at least, \
             not {least}"
        )));
    }
    let (generated, real) = (Side::new(generated), Side::new(real));
    Ok(PrecisionRecall {
        precision: generated.fraction_covered(&real, neighbors),
        recall: real.fraction_covered(&generated, neighbors),
    })
}

/// A set and its rows' squared lengths.
struct Side<'a> {
    set: &'a FeatureSet,
    squares: Vec<f64>,
    longest: f64,
}

impl<'a> Side<'a> {
    fn new(set: &'a FeatureSet) -> Self {
        let square = |row: &[f32]| row.iter().map(|&v| f64::from(v) * f64::from(v)).sum();
        let squares: Vec<f64> = set.rows().map(square).collect();
        Self {
            set,
            longest: squares.iter().fold(0.0, |m, &v| v.max(m)),
            squares,
        }
    }

    /// Blocks of row numbers.
    fn blocks(&self) -> impl IndexedParallelIterator<Item = Range<usize>> {
        let n = self.set.len();
        let blocks = (0..n.div_ceil(BLOCK)).into_par_iter();
        blocks.map(move |block| block * BLOCK..n.min((block + 1) * BLOCK))
    }

    /// `[other.len(), rows]`: squared distances of a block of rows, the columns of the result, to all rows of `other`,
    /// by `|x|² + |y|² - 2 x·y`. They are off by less than [`Self::slack`].
    fn near_distances(&self, rows: Range<usize>, other: &Side) -> Mat<f64> {
        let dims = self.set.dims();
        let columns_of = |set: &FeatureSet, rows: Range<usize>| columns(rows.map(|row| set.row(row)), dims);
        let block = columns_of(self.set, rows.clone());
        let n = other.set.len();
        let mut out = Mat::zeros(n, rows.len());
        for first in (0..n).step_by(TILE) {
            let tile = columns_of(other.set, first..n.min(first + TILE));
            let part = out.as_mut().subrows_mut(first, tile.ncols());
            multiply(part, Accum::Replace, tile.transpose(), block.as_ref());
        }
        for (j, row) in rows.enumerate() {
            let column = out.col_as_slice_mut(j).iter_mut();
            for (value, square) in column.zip(&other.squares) {
                *value = self.squares[row] + square - 2.0 * *value;
            }
        }
        out
    }

    /// Twice the largest rounding error of three sums of `dims` terms.
    fn slack(&self, row: usize, other: &Side) -> f64 {
        4.0 * self.set.dims() as f64 * f64::EPSILON * (self.squares[row] + other.longest)
    }

    /// The squared distance of each row to its `neighbors`-th nearest of the same set.
    fn radii(&self, neighbors: usize) -> Vec<f64> {
        let blocks = self.blocks().map(|rows| {
            let near = self.near_distances(rows.clone(), self);
            let each = rows.enumerate().map(|(j, row)| {
                let near = near.col_as_slice(j);
                let mut sorted = near.to_vec();
                // The row itself, at distance 0, is one of them.
                let (_, &mut at, _) = sorted.select_nth_unstable_by(neighbors, f64::total_cmp);
                let limit = at + 2.0 * self.slack(row, self);
                let candidates = near.iter().enumerate().filter(|&(_, &d)| d <= limit);
                let mut exact: Vec<f64> = candidates
                    .map(|(i, _)| squared_distance(self.set.row(row), self.set.row(i)))
                    .collect();
                *exact.select_nth_unstable_by(neighbors, f64::total_cmp).1
            });
            each.collect::<Vec<f64>>()
        });
        blocks.flatten_iter().collect()
    }

    /// The fraction of rows that lie in the ball of a row of `other`.
    fn fraction_covered(&self, other: &Side, neighbors: usize) -> f64 {
        let radii = other.radii(neighbors);
        let blocks = self.blocks().map(|rows| {
            let near = self.near_distances(rows.clone(), other);
            let covered = rows.enumerate().filter(|&(j, row)| {
                let slack = self.slack(row, other);
                let mut pairs = near.col_as_slice(j).iter().zip(&radii).enumerate();
                pairs.any(|(i, (&distance, &radius))| {
                    if (distance - radius).abs() > slack {
                        return distance < radius;
                    }
                    squared_distance(self.set.row(row), other.set.row(i)) <= radius
                })
            });
            covered.count()
        });
        blocks.sum::<usize>() as f64 / self.set.len() as f64
    }
}

/// In f64, the same both ways round.
fn squared_distance(a: &[f32], b: &[f32]) -> f64 {
    let differences = a.iter().zip(b).map(|(&a, &b)| f64::from(a) - f64::from(b));
    differences.map(|d| d * d).sum()
}
