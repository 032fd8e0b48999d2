//! The Fréchet distance of two sets of features, each taken for a normal distribution: Dowson,
//! Landau, "The Fréchet distance between multivariate normal distributions", Journal of
//! Multivariate Analysis 12(3), 1982. On Inception's features it is FID: Heusel, Ramsauer,
//! Unterthiner, Nessler, Hochreiter, "GANs trained by a two time-scale update rule converge to a
//! local Nash equilibrium", NeurIPS 2017.

use std::iter;

use faer::{Accum, Mat, MatRef};
use rayon::prelude::*;

use super::linear_algebra::{BLOCK, columns, eigen, gram, multiply, nuclear_norm};
use super::{FeatureSet, FeatureStatistics};
use crate::{Error, Result};

/// A distance below 0 by no more than this share of the traces is 0 but for rounding.
const ROUNDING: f64 = 1e-9;

/// A covariance rounded to f32 may have eigenvalues below 0 by this share of the largest.
const NEGATIVE: f64 = 1e-5;

/// The squared Fréchet distance `|μ₁ - μ₂|² + tr Σ₁ + tr Σ₂ - 2 tr √(√Σ₁ Σ₂ √Σ₁)`.
///
/// The last trace is the sum of the singular values of `√Σ₂ √Σ₁`, taken in the bases of the two
/// covariances' eigenvectors, which loses nothing where a covariance is singular. Eigenvalues that
/// are 0 but for rounding (below dims times f64's precision of the largest, negative ones too) count
/// as 0, in the traces also. A result below 0 by no more than 1e-9 of the traces is 0; equal statistics
/// give exactly 0. The number of threads does not change the result.
///
/// # Errors
/// [`Error::InvalidArgument`] if the statistics are of different sizes, not finite, or a covariance is not
/// symmetric or has an eigenvalue below -1e-5 of its largest.
pub fn frechet(a: &FeatureStatistics, b: &FeatureStatistics) -> Result<f64> {
    if a.dims() != b.dims() {
        return Err(Error::InvalidArgument(format!(
            "statistics of {} and {} features cannot be compared",
            a.dims(),
            b.dims()
        )));
    }
    for statistics in [a, b] {
        statistics.check().map_err(Error::InvalidArgument)?;
    }
    if a.mean == b.mean && a.covariance == b.covariance {
        return Ok(0.0);
    }
    let root = |statistics: &FeatureStatistics| Root::of(statistics.covariance.as_ref());
    let (a_root, b_root) = rayon::join(|| root(a), || root(b));
    let (a_root, b_root) = (a_root?, b_root?);
    let product = gram(b_root.columns.as_ref(), a_root.columns.as_ref());
    let cross = nuclear_norm(product.as_ref())?;
    let means = squared_distance(&a.mean, &b.mean);
    Ok(distance(means, a_root.trace + b_root.trace, cross))
}

/// A covariance's square root in the basis of its eigenvectors.
struct Root {
    /// `[dims, rank]`: eigenvectors times the roots of their eigenvalues.
    columns: Mat<f64>,
    trace: f64,
}

impl Root {
    fn of(covariance: MatRef<'_, f64>) -> Result<Self> {
        let (values, vectors) = eigen(covariance)?;
        let dims = values.len();
        let largest = values.last().copied().unwrap_or(0.0);
        let smallest = values.first().copied().unwrap_or(0.0);
        if smallest < -NEGATIVE * largest.abs() {
            return Err(Error::InvalidArgument(format!(
                "no covariance of anything: it has the eigenvalue {smallest}, its largest being {largest}"
            )));
        }
        let nothing = dims as f64 * f64::EPSILON * largest;
        let first = values.partition_point(|&value| value <= nothing);
        let kept = &values[first..];
        Ok(Self {
            columns: Mat::from_fn(dims, kept.len(), |i, j| vectors[(i, first + j)] * kept[j].sqrt()),
            trace: kept.iter().sum(),
        })
    }
}

/// The squared Fréchet distance of two sets, [`frechet`] of their [`FeatureStatistics`].
///
/// Sets smaller than their number of features, whose covariances are singular, go through the
/// products of their images instead ([`FrechetOfRows`]), which is quicker and exact too.
///
/// # Errors
/// [`Error::InvalidArgument`] for sets of different numbers of features or of fewer than 2 images.
pub fn frechet_of_sets(a: &FeatureSet, b: &FeatureSet) -> Result<f64> {
    a.check_same_dims(b)?;
    if a.len().max(b.len()) < a.dims() {
        return FrechetOfRows::new(a, b)?.whole();
    }
    let (a, b) = rayon::join(|| FeatureStatistics::of(a), || FeatureStatistics::of(b));
    frechet(&a?, &b?)
}

/// The squared Fréchet distance of two sets and of selections of their rows, for the bootstrap.
///
/// With A and B the centered features, tr √(√Σ₁ Σ₂ √Σ₁) is the sum of the singular values of
/// `A Bᵀ / √((n - 1)(m - 1))`, a matrix of images by images. All their scalar products are
/// computed once; a selection picks from them and centers what it has picked.
///
/// Memory is 8 bytes for each pair of images and each feature.
#[derive(Debug)]
pub struct FrechetOfRows {
    /// `[dims, n]`, `[dims, m]`: features from a common origin amid them, which the distance does
    /// not depend on, but its rounding does.
    sides: [Mat<f64>; 2],
    /// `[n, m]`
    products: Mat<f64>,
    same: bool,
}

impl FrechetOfRows {
    /// Takes the scalar products of all rows.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for sets of different numbers of features.
    pub fn new(a: &FeatureSet, b: &FeatureSet) -> Result<Self> {
        a.check_same_dims(b)?;
        let dims = a.dims();
        let mut sides = [a, b].map(|set| columns(set.rows(), dims));
        let rows = (a.len() + b.len()).max(1) as f64;
        let mut origin = vec![0.0; dims];
        for row in a.rows().chain(b.rows()) {
            for (origin, &value) in origin.iter_mut().zip(row) {
                *origin += f64::from(value) / rows;
            }
        }
        for side in &mut sides {
            for j in 0..side.ncols() {
                let column = side.col_as_slice_mut(j).iter_mut();
                column.zip(&origin).for_each(|(value, o)| *value -= o);
            }
        }
        let mut products = Mat::zeros(a.len(), b.len());
        let [left, right] = &sides;
        let blocks = products.as_mut().par_col_chunks_mut(BLOCK).enumerate();
        blocks.for_each(|(i, out)| {
            let right = right.subcols(i * BLOCK, out.ncols());
            multiply(out, Accum::Replace, left.transpose(), right);
        });
        Ok(Self {
            products,
            same: a == b,
            sides,
        })
    }

    /// The distance of the whole sets.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a set of fewer than 2 rows.
    pub fn whole(&self) -> Result<f64> {
        let [a, b] = [0, 1].map(|i| (0..self.sides[i].ncols()).collect::<Vec<_>>());
        self.of(&a, &b)
    }

    /// The distance of selections of rows, in which a row may come more than once.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for fewer than 2 rows, or rows that there are not.
    pub fn of(&self, a: &[usize], b: &[usize]) -> Result<f64> {
        for (side, rows) in iter::zip(&self.sides, [a, b]) {
            let held = side.ncols();
            if rows.len() < 2 {
                return Err(Error::InvalidArgument(format!(
                    "a covariance needs the features of 2 images or more, not of {}",
                    rows.len()
                )));
            }
            if let Some(row) = rows.iter().find(|&&row| row >= held) {
                return Err(Error::InvalidArgument(format!(
                    "there is no row {row} in a set of {held}"
                )));
            }
        }
        if self.same && a == b {
            return Ok(0.0);
        }
        let (a_mean, a_trace) = mean_and_trace(&self.sides[0], a);
        let (b_mean, b_trace) = mean_and_trace(&self.sides[1], b);
        let mut picked = Mat::from_fn(a.len(), b.len(), |i, j| self.products[(a[i], b[j])]);
        center(&mut picked);
        let scale = ((a.len() - 1) as f64 * (b.len() - 1) as f64).sqrt();
        let cross = nuclear_norm(picked.as_ref())? / scale;
        let means = squared_distance(&a_mean, &b_mean);
        Ok(distance(means, a_trace + b_trace, cross))
    }
}

/// The mean of some columns, and the trace of their covariance.
fn mean_and_trace(side: &Mat<f64>, picked: &[usize]) -> (Vec<f64>, f64) {
    let n = picked.len() as f64;
    let mut mean = vec![0.0; side.nrows()];
    for &column in picked {
        let values = side.col_as_slice(column);
        iter::zip(&mut mean, values).for_each(|(m, v)| *m += v);
    }
    mean.iter_mut().for_each(|m| *m /= n);
    let squares = picked
        .iter()
        .map(|&column| squared_distance(side.col_as_slice(column), &mean));
    let trace = squares.sum::<f64>() / (n - 1.0);
    (mean, trace)
}

/// Products of rows to products of rows less their means.
fn center(products: &mut Mat<f64>) {
    let (rows, columns) = products.shape();
    let mut row_means = vec![0.0; rows];
    for j in 0..columns {
        let column = products.col_as_slice_mut(j);
        let mean = column.iter().sum::<f64>() / rows as f64;
        for (value, row) in column.iter_mut().zip(&mut row_means) {
            *value -= mean;
            *row += *value / columns as f64;
        }
    }
    for j in 0..columns {
        let column = products.col_as_slice_mut(j).iter_mut();
        column.zip(&row_means).for_each(|(value, row)| *value -= row);
    }
}

fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    iter::zip(a, b).map(|(a, b)| (a - b) * (a - b)).sum()
}

fn distance(means: f64, traces: f64, cross: f64) -> f64 {
    let value = means + traces - 2.0 * cross;
    if value < 0.0 && value >= -ROUNDING * traces {
        0.0
    } else {
        value
    }
}
