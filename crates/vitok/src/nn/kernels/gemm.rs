//! The matrix product that all layers are made of: some rows of a matrix times a panel.
//!
//! A panel holds [`TILE`] tokens of every feature, `[features][TILE]`, so that a vector register holds the same feature
//! of neighboring tokens. The left-hand matrix is read as it is stored, one value broadcast at a time: weights
//! `[out, in]` need neither packing nor a second copy, and the same code serves their transposes and the products
//! within attention.

use pulp::{Simd, WithSimd};

use super::simd::dispatch;

/// Tokens of a panel: four AVX-512 registers, eight of AVX2.
pub const TILE: usize = 64;

/// Rows of the left matrix worked on at once: with four registers of tokens for each, 24 sums stay
/// in AVX-512's 32 registers, with two 12 in AVX2's 16.
pub const ROWS: usize = 6;

/// The left-hand matrix. Its value in row `r` and column `k` (the index that is summed over) is
/// `values[r * row_stride + (k % segment) * column_stride + (k / segment) * segment_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Lhs<'a> {
    /// Begins with the first row.
    pub values: &'a [f32],
    /// From row to row.
    pub row_stride: usize,
    /// From column to column within a segment.
    pub column_stride: usize,
    /// Columns of a segment; matrices that lie in panels have one segment a panel.
    pub segment: usize,
    /// From segment to segment.
    pub segment_stride: usize,
}

impl<'a> Lhs<'a> {
    /// A matrix of one segment, with `depth` columns.
    pub fn new(values: &'a [f32], row_stride: usize, column_stride: usize, depth: usize) -> Self {
        Self {
            values,
            row_stride,
            column_stride,
            segment: depth.max(1),
            segment_stride: 0,
        }
    }
}

/// `out[r][c] = sum over k of lhs[r][k] * rhs[k][c]`, for the first `columns` of a panel's [`TILE`] columns.
pub struct Gemm<'a> {
    pub lhs: Lhs<'a>,
    /// Rows of `lhs` and `out`.
    pub rows: usize,
    /// Columns of `lhs`, rows of `rhs`.
    pub depth: usize,
    /// `[depth][TILE]`.
    pub rhs: &'a [f32],
    /// Row `r` begins at `r * out_stride`.
    pub out: &'a mut [f32],
    pub out_stride: usize,
    /// At most [`TILE`]; the other columns of `out` stay as they are.
    pub columns: usize,
    /// Whether to add to what `out` holds.
    pub accumulate: bool,
}

impl Gemm<'_> {
    /// Computes the product.
    pub fn run(self) {
        dispatch(self);
    }
}

impl WithSimd for Gemm<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        if self.rows == 0 || self.columns == 0 {
            return;
        }
        let Lhs {
            values,
            row_stride,
            column_stride,
            segment,
            segment_stride,
        } = self.lhs;
        // Everything the register tiles read and write lies within these bounds.
        if let Some(last) = self.depth.checked_sub(1) {
            let within = last.min(segment - 1) * column_stride + last / segment * segment_stride;
            assert!((self.rows - 1) * row_stride + within < values.len());
        }
        assert!(self.depth * TILE <= self.rhs.len() && self.columns <= TILE);
        assert!((self.rows - 1) * self.out_stride + self.columns <= self.out.len());
        match S::F32_LANES {
            16 => match self.columns.div_ceil(16) {
                1 => self.strip::<S, 1>(simd, 0),
                2 => self.strip::<S, 2>(simd, 0),
                3 => self.strip::<S, 3>(simd, 0),
                _ => self.strip::<S, 4>(simd, 0),
            },
            8 => self.strips::<S, 2>(simd),
            _ => self.strips::<S, 4>(simd),
        }
    }
}

impl Gemm<'_> {
    #[inline(always)]
    fn strips<S: Simd, const VECTORS: usize>(&mut self, simd: S) {
        for column in (0..self.columns).step_by(VECTORS * S::F32_LANES) {
            self.strip::<S, VECTORS>(simd, column);
        }
    }

    /// All rows of `VECTORS` vectors of columns, from column `column` on.
    #[inline(always)]
    fn strip<S: Simd, const VECTORS: usize>(&mut self, simd: S, column: usize) {
        let mut row = 0;
        while self.rows - row >= ROWS {
            self.register_tile::<S, ROWS, VECTORS>(simd, row, column);
            row += ROWS;
        }
        if self.rows - row >= 4 {
            self.register_tile::<S, 4, VECTORS>(simd, row, column);
            row += 4;
        }
        if self.rows - row >= 2 {
            self.register_tile::<S, 2, VECTORS>(simd, row, column);
            row += 2;
        }
        if self.rows - row == 1 {
            self.register_tile::<S, 1, VECTORS>(simd, row, column);
        }
    }

    /// `R` rows from `first` on, of `VECTORS` vectors of columns, whose sums stay in registers.
    #[inline(always)]
    fn register_tile<S: Simd, const R: usize, const VECTORS: usize>(&mut self, simd: S, first: usize, column: usize) {
        let Lhs {
            values,
            row_stride,
            column_stride,
            segment,
            segment_stride,
        } = self.lhs;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; R];
        let mut done = 0;
        let mut lhs = values.as_ptr().wrapping_add(first * row_stride);
        let mut rhs = self.rhs.as_ptr().wrapping_add(column);
        while done < self.depth {
            let count = segment.min(self.depth - done);
            for k in 0..count {
                // SAFETY: what is read of `lhs` is at most the last row's last column, which
                // `with_simd` has checked to lie within `values`. Of `rhs`, it has checked `depth`
                // rows of TILE; `column` plus the vectors' width is at most TILE, a multiple of
                // every strip's width.
                unsafe {
                    let at = rhs.add(k * TILE).cast::<S::f32s>();
                    let tokens: [S::f32s; VECTORS] = std::array::from_fn(|v| at.add(v).read_unaligned());
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let weight = simd.splat_f32s(*lhs.add(r * row_stride + k * column_stride));
                        for (sum, token) in sums.iter_mut().zip(tokens) {
                            *sum = simd.mul_add_e_f32s(weight, token, *sum);
                        }
                    }
                }
            }
            lhs = lhs.wrapping_add(segment_stride);
            rhs = rhs.wrapping_add(count * TILE);
            done += count;
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let from = column + v * S::F32_LANES;
                let Some(room) = self.columns.checked_sub(from) else {
                    break;
                };
                let start = (first + r) * self.out_stride + from;
                let out = &mut self.out[start..start + room.min(S::F32_LANES)];
                if room >= S::F32_LANES {
                    let at = out.as_mut_ptr().cast::<S::f32s>();
                    // SAFETY: `out` is one vector long; the unaligned forms ask for nothing more.
                    unsafe {
                        let sum = match self.accumulate {
                            true => simd.add_f32s(at.read_unaligned(), sum),
                            false => sum,
                        };
                        at.write_unaligned(sum);
                    }
                } else {
                    let sum = match self.accumulate {
                        true => simd.add_f32s(simd.partial_load_f32s(out), sum),
                        false => sum,
                    };
                    simd.partial_store_f32s(out, sum);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product whose sizes fill neither tiles nor vectors, with segments on the left.
    struct Odd {
        rows: usize,
        depth: usize,
        columns: usize,
        segment: usize,
        accumulate: bool,
    }

    impl Odd {
        const STRIDE: usize = TILE + 3;

        fn values(count: usize) -> Vec<f32> {
            (0..count).map(|i| (i * 7919 % 97) as f32 / 48.5 - 1.0).collect()
        }

        fn check(&self, name: &str, run: impl FnOnce(Gemm)) {
            let Self {
                rows,
                depth,
                columns,
                segment,
                accumulate,
            } = *self;
            let segment_stride = 3 * rows * segment;
            let values = Self::values(depth.div_ceil(segment) * segment_stride + rows * segment);
            let rhs = Self::values(depth * TILE);
            let lhs = Lhs {
                values: &values,
                row_stride: segment,
                column_stride: 1,
                segment,
                segment_stride,
            };
            let before = Self::values(rows * Self::STRIDE);
            let mut out = before.clone();
            run(Gemm {
                lhs,
                rows,
                depth,
                rhs: &rhs,
                out: &mut out,
                out_stride: Self::STRIDE,
                columns,
                accumulate,
            });
            for (i, (actual, before)) in out.iter().zip(before).enumerate() {
                let (r, column) = (i / Self::STRIDE, i % Self::STRIDE);
                let product = |k| {
                    let lhs = values[r * segment + k % segment + k / segment * segment_stride];
                    f64::from(lhs) * f64::from(rhs[k * TILE + column])
                };
                let expected = match (column < columns, accumulate) {
                    (false, _) => f64::from(before), // not to be touched
                    (true, true) => f64::from(before) + (0..depth).map(product).sum::<f64>(),
                    (true, false) => (0..depth).map(product).sum(),
                };
                let error = (f64::from(*actual) - expected).abs();
                assert!(
                    error < 1e-4,
                    "{name}, {rows} rows, {columns} columns, index {i}: {error}"
                );
            }
        }
    }

    fn check_all(name: &str, run: impl Fn(Gemm)) {
        for (i, rows) in [1, 2, 3, 5, 6, 7, 11, 12, 13].into_iter().enumerate() {
            for columns in [1, 15, 16, 17, 33, 50, 64] {
                let (depth, segment) = [(1, 1), (37, 37), (37, 8)][i % 3];
                Odd {
                    rows,
                    depth,
                    columns,
                    segment,
                    accumulate: i % 2 == 0,
                }
                .check(name, &run);
            }
        }
    }

    #[test]
    fn products_are_right_on_every_kind_of_machine() {
        check_all("the widest", |work| work.run());
        check_all("portable", |work| Simd::vectorize(pulp::Scalar::new(), work));
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            check_all("AVX2", |work| Simd::vectorize(simd, work));
        }
    }
}
