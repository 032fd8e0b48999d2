//! Mean μ and covariance Σ of features: what the Fréchet distance is made of.

use std::ops::Range;

use faer::{Accum, Mat};
use rayon::prelude::*;

use super::FeatureSet;
use super::linear_algebra::multiply;
use crate::{Error, Result};

/// Rows that are summed at once.
const ROWS: usize = 256;

/// Columns of the covariance that one task sums.
const PANEL: usize = 128;

/// Mean and covariance of a set of features.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureStatistics {
    /// Number of images, where known.
    pub count: Option<usize>,
    /// `[dims]`
    pub mean: Vec<f64>,
    /// `[dims, dims]`, symmetric, divided by n - 1.
    pub covariance: Mat<f64>,
}

impl FeatureStatistics {
    /// Mean and covariance of a set `[n, dims]`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for fewer than 2 rows.
    pub fn of(set: &FeatureSet) -> Result<Self> {
        let mut sum = FeatureStatisticsSum::new(set.dims());
        sum.add(set)?;
        sum.finish()
    }

    /// Number of features.
    pub fn dims(&self) -> usize {
        self.mean.len()
    }

    /// Refuses what cannot be the statistics of anything. Whether the covariance is positive
    /// semidefinite only its eigenvalues tell.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        let dims = self.dims();
        let (rows, columns) = self.covariance.shape();
        if dims == 0 || (rows, columns) != (dims, dims) {
            return Err(format!(
                "a mean of {dims} features and a covariance of {rows} x {columns} do not fit together"
            ));
        }
        if let Some(i) = self.mean.iter().position(|v| !v.is_finite()) {
            return Err(format!("the mean holds {} at place {i}", self.mean[i]));
        }
        for j in 0..dims {
            if let Some(i) = (0..dims).find(|&i| !self.covariance[(i, j)].is_finite()) {
                let value = self.covariance[(i, j)];
                return Err(format!("the covariance holds {value} at place ({i}, {j})"));
            }
        }
        let largest = (0..dims).fold(0.0f64, |m, i| m.max(self.covariance[(i, i)].abs()));
        // f32's rounding of either side.
        let allowed = 1e-6 * largest;
        for j in 0..dims {
            for i in j + 1..dims {
                let (below, above) = (self.covariance[(i, j)], self.covariance[(j, i)]);
                if (below - above).abs() > allowed {
                    return Err(format!(
                        "the covariance is not symmetric: {below} at place ({i}, {j}), {above} at ({j}, {i})"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Collects [`FeatureStatistics`] from rows that come little by little.
///
/// Sums are in f64 and of deviations from the mean of the first rows, so that features far from 0
/// lose no digits. The result does not depend on how the rows were split into calls, nor on the
/// number of threads. Memory is that of two covariances, however many rows there are.
#[derive(Clone, Debug)]
pub struct FeatureStatisticsSum {
    dims: usize,
    count: usize,
    /// Rows not summed yet, fewer than [`ROWS`].
    pending: Vec<f32>,
    /// What deviations are from; empty until the first rows are summed.
    origin: Vec<f64>,
    /// Sums of deviations.
    sum: Vec<f64>,
    /// Sums of products of deviations: the lower triangle in panels of [`PANEL`] columns, each from
    /// its diagonal down.
    products: Vec<Mat<f64>>,
}

impl FeatureStatisticsSum {
    /// An empty sum over rows of `dims` features.
    pub fn new(dims: usize) -> Self {
        let panels = (0..dims).step_by(PANEL);
        Self {
            dims,
            count: 0,
            pending: Vec::new(),
            origin: Vec::new(),
            sum: vec![0.0; dims],
            products: panels
                .map(|start| Mat::zeros(dims - start, panel(start, dims).len()))
                .collect(),
        }
    }

    /// Number of rows added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Adds rows `[n, dims]`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for rows of another number of features.
    pub fn add(&mut self, rows: &FeatureSet) -> Result<()> {
        if rows.dims() != self.dims {
            return Err(Error::InvalidArgument(format!(
                "rows of {} features cannot join rows of {}",
                rows.dims(),
                self.dims
            )));
        }
        self.count += rows.len();
        for row in rows.rows() {
            self.pending.extend_from_slice(row);
            if self.pending.len() == ROWS * self.dims {
                self.sum_pending();
            }
        }
        Ok(())
    }

    /// Mean and covariance of all rows added.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for fewer than 2 rows, which have no covariance.
    pub fn finish(mut self) -> Result<FeatureStatistics> {
        if self.count < 2 {
            return Err(Error::InvalidArgument(format!(
                "a covariance needs the features of 2 images or more, not of {}",
                self.count
            )));
        }
        self.sum_pending();
        let n = self.count as f64;
        let mean = self.origin.iter().zip(&self.sum).map(|(o, s)| o + s / n);
        let mut covariance = Mat::zeros(self.dims, self.dims);
        for (p, products) in self.products.iter().enumerate() {
            let start = p * PANEL;
            for j in panel(start, self.dims) {
                for i in j..self.dims {
                    let product = products[(i - start, j - start)];
                    let value = (product - self.sum[i] * self.sum[j] / n) / (n - 1.0);
                    covariance[(i, j)] = value;
                    covariance[(j, i)] = value;
                }
            }
        }
        Ok(FeatureStatistics {
            count: Some(self.count),
            mean: mean.collect(),
            covariance,
        })
    }

    fn sum_pending(&mut self) {
        let rows = self.pending.len() / self.dims;
        if rows == 0 {
            return;
        }
        if self.origin.is_empty() {
            self.origin = vec![0.0; self.dims];
            for row in self.pending.chunks_exact(self.dims) {
                for (origin, &value) in self.origin.iter_mut().zip(row) {
                    *origin += f64::from(value) / rows as f64;
                }
            }
        }
        let mut deviations = Mat::zeros(self.dims, rows);
        for (j, row) in self.pending.chunks_exact(self.dims).enumerate() {
            let column = deviations.col_as_slice_mut(j).iter_mut();
            for (((out, &value), origin), sum) in column.zip(row).zip(&self.origin).zip(&mut self.sum) {
                *out = f64::from(value) - origin;
                *sum += *out;
            }
        }
        self.pending.clear();
        let dims = self.dims;
        let each = self.products.par_iter_mut().enumerate();
        each.for_each(|(p, products)| {
            let start = p * PANEL;
            let below = deviations.subrows(start, dims - start);
            let own = deviations.subrows(start, panel(start, dims).len());
            multiply(products.as_mut(), Accum::Add, below, own.transpose());
        });
    }
}

/// The columns of the panel that begins at `start`.
fn panel(start: usize, dims: usize) -> Range<usize> {
    start..dims.min(start + PANEL)
}
