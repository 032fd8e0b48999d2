//! Kernel inception distance (KID): Bińkowski, Sutherland, Arbel, Gretton, "Demystifying MMD GANs", ICLR
//! 2018.

use rand::RngExt;
use rayon::prelude::*;

use super::FeatureSet;
use super::linear_algebra::{BLOCK, columns, gram};
use crate::rng::generator;
use crate::{Error, Result};

/// How [`kid`] averages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KidOptions {
    /// Number of pairs of subsets; 100 in the paper.
    pub subsets: usize,
    /// Images in each; where a set is smaller, as many as it has.
    pub subset_size: usize,
    /// Seed of the random subsets.
    pub seed: u64,
}

impl Default for KidOptions {
    /// The paper's and torch-fidelity's: 100 subsets of 1000.
    fn default() -> Self {
        Self {
            subsets: 100,
            subset_size: 1000,
            seed: 0,
        }
    }
}

/// Kernel inception distance over subsets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kid {
    /// Mean of the subsets' estimates of MMD². Unbiased, hence below 0 now and then.
    pub mean: f64,
    /// Population standard deviation of the subsets' estimates, the number that torch-fidelity
    /// gives: their spread, not the error of the mean. 0 of a single subset.
    pub std: f64,
    /// `std / √subsets`: how much other subsets of the same images would move the mean. What other
    /// images would do to it is not in here. None of a single subset, of which it is unknown.
    pub std_error: Option<f64>,
    /// Subsets averaged: those asked for, or 1 where every subset would be the whole of both sets.
    pub subsets: usize,
    /// Images in each.
    pub subset_size: usize,
}

/// The mean of [`mmd2`] over pairs of subsets, each drawn without replacement and independent of all
/// others.
///
/// Where both sets have no more images than a subset, there is but one pair of subsets, and the
/// result is the one estimate. The subsets depend on the seed, the sets' sizes and the subsets'
/// number and size, not on the threads; they are not those of another program.
///
/// # Errors
/// [`Error::InvalidArgument`] for sets of different numbers of features or of fewer than 2 images, and for
/// no subsets or subsets of fewer than 2.
pub fn kid(a: &FeatureSet, b: &FeatureSet, options: &KidOptions) -> Result<Kid> {
    if options.subsets == 0 {
        return Err(Error::InvalidArgument("KID needs at least 1 subset".into()));
    }
    let size = options.subset_size.min(a.len()).min(b.len());
    let whole = a.len() == size && b.len() == size;
    let subsets = if whole { 1 } else { options.subsets };
    let estimates = (0..subsets).map(|subset| {
        let drawn = |side: u64, set: &FeatureSet| draw(&[options.seed, subset as u64, side], set.len(), size);
        mmd2_of_rows(a, &drawn(0, a), b, &drawn(1, b))
    });
    let estimates: Vec<f64> = estimates.collect::<Result<_>>()?;
    let n = subsets as f64;
    let mean = estimates.iter().sum::<f64>() / n;
    let squares = estimates.iter().map(|e| (e - mean) * (e - mean));
    let std = (squares.sum::<f64>() / n).sqrt();
    Ok(Kid {
        mean,
        std,
        std_error: (subsets > 1).then(|| std / n.sqrt()),
        subsets,
        subset_size: size,
    })
}

/// `size` of the numbers below `n`, each at most once.
fn draw(numbers: &[u64], n: usize, size: usize) -> Vec<usize> {
    let mut rng = generator("subset of kid", numbers);
    let mut rows: Vec<usize> = (0..n).collect();
    for i in 0..size {
        let other = rng.random_range(i as u64..n as u64);
        rows.swap(i, other as usize);
    }
    rows.truncate(size);
    rows
}

/// The unbiased estimate of the squared maximum mean discrepancy with the kernel
/// `k(x, y) = (x·y / dims + 1)³`:
///
/// `Σ_{i≠j} k(aᵢ, aⱼ) / (n(n-1)) + Σ_{i≠j} k(bᵢ, bⱼ) / (m(m-1)) - 2 Σ_{ij} k(aᵢ, bⱼ) / (nm)`.
///
/// It is below 0 about as often as above for sets of one kind, and for a set and itself.
///
/// # Errors
/// [`Error::InvalidArgument`] for sets of different numbers of features or of fewer than 2 images.
pub fn mmd2(a: &FeatureSet, b: &FeatureSet) -> Result<f64> {
    let [a_rows, b_rows] = [a, b].map(|set| (0..set.len()).collect::<Vec<_>>());
    mmd2_of_rows(a, &a_rows, b, &b_rows)
}

/// [`mmd2`] of selections of rows. A row that comes twice counts as two images, whose kernel then
/// is among the terms `i ≠ j`.
///
/// # Errors
/// Those of [`mmd2`], and [`Error::InvalidArgument`] for rows that there are not.
pub fn mmd2_of_rows(a: &FeatureSet, a_rows: &[usize], b: &FeatureSet, b_rows: &[usize]) -> Result<f64> {
    a.check_same_dims(b)?;
    for (set, rows) in [(a, a_rows), (b, b_rows)] {
        set.check_rows(rows)?;
        if rows.len() < 2 {
            return Err(Error::InvalidArgument(format!(
                "MMD² needs 2 images or more in both sets, not {}",
                rows.len()
            )));
        }
    }
    let (a, b) = (Picked::new(a, a_rows), Picked::new(b, b_rows));
    let (n, m) = (a_rows.len() as f64, b_rows.len() as f64);
    let within = 2.0 * sum(&a, None) / (n * (n - 1.0)) + 2.0 * sum(&b, None) / (m * (m - 1.0));
    Ok(within - 2.0 * sum(&a, Some(&b)) / (n * m))
}

/// Rows of a set.
struct Picked<'a> {
    set: &'a FeatureSet,
    rows: &'a [usize],
}

impl<'a> Picked<'a> {
    fn new(set: &'a FeatureSet, rows: &'a [usize]) -> Self {
        Self { set, rows }
    }

    fn columns(&self, rows: &[usize]) -> faer::Mat<f64> {
        columns(rows.iter().map(|&row| self.set.row(row)), self.set.dims())
    }
}

/// The kernels of all rows of `a` with all of `b`; without `b`, of all pairs within `a`, each pair
/// once.
fn sum(a: &Picked, b: Option<&Picked>) -> f64 {
    let dims = a.set.dims() as f64;
    let right = b.unwrap_or(a);
    let right_columns = right.columns(right.rows);
    let blocks = a.rows.par_chunks(BLOCK).enumerate().map(|(block, rows)| {
        let first = block * BLOCK;
        // Within a set, only what comes before: columns up to the row's own.
        let end = match b {
            Some(_) => right.rows.len(),
            None => first + rows.len(),
        };
        let products = gram(right_columns.subcols(0, end), a.columns(rows).as_ref());
        let mut sum = 0.0;
        for i in 0..rows.len() {
            let end = if b.is_some() { end } else { first + i };
            let kernels = products.col_as_slice(i)[..end].iter().map(|product| {
                let base = product / dims + 1.0;
                base * base * base
            });
            sum += kernels.sum::<f64>();
        }
        sum
    });
    // Collected first: rayon's own sum would add the blocks in an order of its choice.
    blocks.collect::<Vec<f64>>().into_iter().sum()
}
