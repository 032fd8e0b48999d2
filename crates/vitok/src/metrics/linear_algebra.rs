//! Products, eigenvalues and singular values in f64. Each call runs on the calling thread alone,
//! since the order of faer's sums depends on how many threads share a matrix: what is worked on in
//! parallel is split by the callers, into parts that do not depend on the machine.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::svd::{ComputeSvdVectors, svd, svd_scratch};
use faer::{Accum, Mat, MatMut, MatRef, Par};

use crate::{Error, Result};

/// Rows that one task works on.
pub(super) const BLOCK: usize = 128;

/// The rows as the columns of a matrix.
pub(super) fn columns<'a>(rows: impl ExactSizeIterator<Item = &'a [f32]>, dims: usize) -> Mat<f64> {
    let mut out = Mat::zeros(dims, rows.len());
    for (j, row) in rows.enumerate() {
        for (out, &value) in out.col_as_slice_mut(j).iter_mut().zip(row) {
            *out = f64::from(value);
        }
    }
    out
}

/// `out = a b`, or `out += a b`.
pub(super) fn multiply(out: MatMut<'_, f64>, accum: Accum, a: MatRef<'_, f64>, b: MatRef<'_, f64>) {
    matmul(out, accum, a, b, 1.0, Par::Seq);
}

/// `aᵀ b`: the scalar products of all columns.
pub(super) fn gram(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Mat<f64> {
    let mut out = Mat::zeros(a.ncols(), b.ncols());
    multiply(out.as_mut(), Accum::Replace, a.transpose(), b);
    out
}

/// Eigenvalues in ascending order, and their vectors as columns, of a symmetric matrix of which the
/// lower triangle is read.
///
/// # Errors
/// [`Error::InvalidArgument`] where the iteration does not end.
pub(super) fn eigen(symmetric: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>)> {
    let n = symmetric.nrows();
    let mut values = Diag::<f64>::zeros(n);
    let mut vectors = Mat::<f64>::zeros(n, n);
    let params = Default::default();
    let scratch = self_adjoint_evd_scratch(n, ComputeEigenvectors::Yes, Par::Seq, params);
    self_adjoint_evd(
        symmetric,
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    )
    .map_err(|e| Error::InvalidArgument(format!("a covariance has no eigenvalues: {e:?}")))?;
    let values = values.column_vector().iter().copied().collect();
    Ok((values, vectors))
}

/// The sum of the singular values.
///
/// # Errors
/// [`Error::InvalidArgument`] where the iteration does not end.
pub(super) fn nuclear_norm(matrix: MatRef<'_, f64>) -> Result<f64> {
    let (rows, columns) = matrix.shape();
    let mut values = Diag::<f64>::zeros(rows.min(columns));
    let no = ComputeSvdVectors::No;
    let params = Default::default();
    let scratch = svd_scratch::<f64>(rows, columns, no, no, Par::Seq, params);
    svd(
        matrix,
        values.as_mut(),
        None,
        None,
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        params,
    )
    .map_err(|e| Error::InvalidArgument(format!("a matrix has no singular values: {e:?}")))?;
    Ok(values.column_vector().iter().sum())
}
