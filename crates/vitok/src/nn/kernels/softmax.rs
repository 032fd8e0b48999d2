//! The softmax within attention: one step of the online softmax, and its gradient.
//!
//! Written with explicit vectors, not left to the compiler: it keeps a sum in memory from row to row, and a step then
//! takes twice as long.

use pulp::{Simd, WithSimd};

use super::elementwise::{Row, rows, rows_mut};
use super::exp::exp;
use super::gemm::TILE;

/// Vectors worked on at once; it divides the number of vectors of a row on every machine.
const VECTORS: usize = 4;

/// `VECTORS` vectors of a row, from vector `first` on.
#[inline(always)]
fn vectors<S: Simd>(row: &Row, first: usize) -> [S::f32s; VECTORS] {
    let slice = &S::as_simd_f32s(row).0[first..first + VECTORS];
    let mut vectors = [slice[0]; VECTORS];
    vectors.copy_from_slice(slice);
    vectors
}

/// [`vectors`], to be written.
#[inline(always)]
fn vectors_mut<S: Simd>(row: &mut Row, first: usize) -> &mut [S::f32s] {
    &mut S::as_mut_simd_f32s(row).0[first..first + VECTORS]
}

/// A step of the online softmax (Milakov and Gimelshein, 2018), for [`TILE`] queries and some more of their keys:
///
/// ```text
/// m' = max(m, max over keys of s)    p = exp(s - m')    l' = l exp(m - m') + sum of p    o' = o exp(m - m')
/// ```
///
/// The caller then adds the product of `p` and the values to `o'`.
pub struct OnlineSoftmax<'a> {
    /// s, becomes p: `[keys][TILE]`.
    pub scores: &'a mut [f32],
    /// m, the highest score of each query so far.
    pub row_max: &'a mut Row,
    /// l, the sum of exp(s - m) of each query so far.
    pub row_sum: &'a mut Row,
    /// o, the sum of exp(s - m) times the values so far: `[head_dim][TILE]`.
    pub out: &'a mut [f32],
}

impl WithSimd for OnlineSoftmax<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for first in (0..TILE / S::F32_LANES).step_by(VECTORS) {
            let before = vectors::<S>(self.row_max, first);
            let mut row_max = before;
            for row in rows(self.scores) {
                let row = vectors::<S>(row, first);
                for (row_max, score) in row_max.iter_mut().zip(row) {
                    *row_max = simd.max_f32s(*row_max, score);
                }
            }
            vectors_mut::<S>(self.row_max, first).copy_from_slice(&row_max);
            let mut sum = [simd.splat_f32s(0.0); VECTORS];
            for row in rows_mut(self.scores) {
                let row = vectors_mut::<S>(row, first);
                for v in 0..VECTORS {
                    row[v] = exp(simd, simd.sub_f32s(row[v], row_max[v]));
                    sum[v] = simd.add_f32s(sum[v], row[v]);
                }
            }
            let mut factor = before;
            for (factor, row_max) in factor.iter_mut().zip(row_max) {
                *factor = exp(simd, simd.sub_f32s(*factor, row_max));
            }
            let row_sum = vectors_mut::<S>(self.row_sum, first);
            for v in 0..VECTORS {
                row_sum[v] = simd.mul_add_e_f32s(row_sum[v], factor[v], sum[v]);
            }
            for row in rows_mut(self.out) {
                for (value, factor) in vectors_mut::<S>(row, first).iter_mut().zip(factor) {
                    *value = simd.mul_f32s(*value, factor);
                }
            }
        }
    }
}

/// The softmax's gradient (Dao et al., 2022): `p = exp(s - lse)`, `ds = p (dp - delta)`.
pub struct SoftmaxBackward<'a> {
    /// s, becomes p: `[keys][TILE]`.
    pub scores: &'a mut [f32],
    /// dp, becomes ds: `[keys][TILE]`.
    pub gradients: &'a mut [f32],
    /// log of the sum of exp(s) over all keys of each query.
    pub lse: &'a Row,
    /// Attention's output times its gradient, summed over the head's features, of each query.
    pub delta: &'a Row,
}

impl WithSimd for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for first in (0..TILE / S::F32_LANES).step_by(VECTORS) {
            let lse = vectors::<S>(self.lse, first);
            let delta = vectors::<S>(self.delta, first);
            let scores = rows_mut(self.scores).iter_mut();
            for (scores, gradients) in scores.zip(rows_mut(self.gradients)) {
                let scores = vectors_mut::<S>(scores, first);
                let gradients = vectors_mut::<S>(gradients, first);
                for v in 0..VECTORS {
                    scores[v] = exp(simd, simd.sub_f32s(scores[v], lse[v]));
                    gradients[v] = simd.mul_f32s(scores[v], simd.sub_f32s(gradients[v], delta[v]));
                }
            }
        }
    }
}
