//! The one product that all others are made of: a few rows of a matrix times a panel.
//!
//! A panel holds [`TILE`] tokens of every feature, `[features][TILE]`, so that a vector register
//! is the same feature of neighboring tokens. The matrix on the left is read as it is stored, one
//! value broadcast at a time: weights `[out, in]` need neither packing nor a second copy, and the
//! same code supports their transposes and the products within attention.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

/// Tokens of a panel: four AVX-512 registers, eight of AVX2.
pub const TILE: usize = 64;

/// Rows of the left matrix worked on at once: with four registers of tokens for each, 24 sums stay
/// in AVX-512's 32 registers, with two 12 in AVX2's 16.
pub const ROWS: usize = 6;

static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Runs `work` with this machine's widest vectors.
#[inline(always)]
pub fn dispatch<W: WithSimd>(work: W) -> W::Output {
    ARCH.dispatch(work)
}

/// Runs `work` with the widest vectors this machine has. Write `#[inline(always)]` before the
/// closure: what is not inlined is compiled for the narrowest.
#[inline(always)]
pub fn vectorized<R>(work: impl FnMut() -> R) -> R {
    /// Not pulp's own way with closures: a `FnOnce` is called through a function that may not be
    /// inlined.
    struct Work<F>(F);
    impl<R, F: FnMut() -> R> WithSimd for Work<F> {
        type Output = R;
        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }
    dispatch(Work(work))
}

/// The matrix on the left. Its value in row `r` and step `k` is
/// `values[r * row + (k % segment) * step + (k / segment) * jump]`.
#[derive(Clone, Copy, Debug)]
pub struct Left<'a> {
    /// Where the first row begins.
    pub values: &'a [f32],
    /// From row to row.
    pub row: usize,
    /// From step to step within a segment.
    pub step: usize,
    /// Steps of a segment, after which the matrix goes on elsewhere.
    pub segment: usize,
    /// From segment to segment.
    pub jump: usize,
}

impl<'a> Left<'a> {
    /// A matrix in one piece, of `depth` steps.
    pub fn new(values: &'a [f32], row: usize, step: usize, depth: usize) -> Self {
        Self {
            values,
            row,
            step,
            segment: depth.max(1),
            jump: 0,
        }
    }
}

/// `out[r][lane] = sum over k of left[r][k] * right[k][lane]`, for the first `lanes` lanes.
pub struct Gemm<'a> {
    pub left: Left<'a>,
    pub rows: usize,
    pub depth: usize,
    /// `[depth][TILE]`.
    pub right: &'a [f32],
    /// Row `r` begins at `r * stride`.
    pub out: &'a mut [f32],
    pub stride: usize,
    pub lanes: usize,
    /// Whether to add to what `out` holds.
    pub add: bool,
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
        if self.rows == 0 || self.lanes == 0 {
            return;
        }
        let Left {
            values,
            row,
            step,
            segment,
            jump,
        } = self.left;
        // Everything the tiles read and write lies within these bounds.
        if let Some(last) = self.depth.checked_sub(1) {
            let within = last.min(segment - 1) * step + last / segment * jump;
            assert!((self.rows - 1) * row + within < values.len());
        }
        assert!(self.depth * TILE <= self.right.len() && self.lanes <= TILE);
        assert!((self.rows - 1) * self.stride + self.lanes <= self.out.len());
        match S::F32_LANES {
            16 => match self.lanes.div_ceil(16) {
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
        for lane in (0..self.lanes).step_by(VECTORS * S::F32_LANES) {
            self.strip::<S, VECTORS>(simd, lane);
        }
    }

    /// All rows of `VECTORS` vectors, from `lane` on.
    #[inline(always)]
    fn strip<S: Simd, const VECTORS: usize>(&mut self, simd: S, lane: usize) {
        let mut row = 0;
        while self.rows - row >= ROWS {
            self.tile::<S, ROWS, VECTORS>(simd, row, lane);
            row += ROWS;
        }
        if self.rows - row >= 4 {
            self.tile::<S, 4, VECTORS>(simd, row, lane);
            row += 4;
        }
        if self.rows - row >= 2 {
            self.tile::<S, 2, VECTORS>(simd, row, lane);
            row += 2;
        }
        if self.rows - row == 1 {
            self.tile::<S, 1, VECTORS>(simd, row, lane);
        }
    }

    #[inline(always)]
    fn tile<S: Simd, const R: usize, const VECTORS: usize>(&mut self, simd: S, first: usize, lane: usize) {
        let Left {
            values,
            row,
            step,
            segment,
            jump,
        } = self.left;
        let mut sums = [[simd.splat_f32s(0.0); VECTORS]; R];
        let mut done = 0;
        let mut left = values.as_ptr().wrapping_add(first * row);
        let mut right = self.right.as_ptr().wrapping_add(lane);
        while done < self.depth {
            let steps = segment.min(self.depth - done);
            for k in 0..steps {
                // SAFETY: `with_simd` has checked that the last row's last step lies within
                // `values`, and `depth` rows of TILE within `right`; `lane` plus the vectors'
                // width is at most TILE, which is a multiple of every strip's width.
                unsafe {
                    let at = right.add(k * TILE).cast::<S::f32s>();
                    let tokens: [S::f32s; VECTORS] = std::array::from_fn(|v| at.add(v).read_unaligned());
                    for (r, sums) in sums.iter_mut().enumerate() {
                        let weight = simd.splat_f32s(*left.add(r * row + k * step));
                        for (sum, token) in sums.iter_mut().zip(tokens) {
                            *sum = simd.mul_add_e_f32s(weight, token, *sum);
                        }
                    }
                }
            }
            left = left.wrapping_add(jump);
            right = right.wrapping_add(steps * TILE);
            done += steps;
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let from = lane + v * S::F32_LANES;
                let Some(room) = self.lanes.checked_sub(from) else {
                    break;
                };
                let start = (first + r) * self.stride + from;
                let out = &mut self.out[start..start + room.min(S::F32_LANES)];
                if room >= S::F32_LANES {
                    let at = out.as_mut_ptr().cast::<S::f32s>();
                    // SAFETY: `out` is one vector long; the unaligned forms ask for nothing more.
                    unsafe {
                        let sum = match self.add {
                            true => simd.add_f32s(at.read_unaligned(), sum),
                            false => sum,
                        };
                        at.write_unaligned(sum);
                    }
                } else {
                    let sum = match self.add {
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
        lanes: usize,
        segment: usize,
        add: bool,
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
                lanes,
                segment,
                add,
            } = *self;
            let jump = 3 * rows * segment;
            let values = Self::values(depth.div_ceil(segment) * jump + rows * segment);
            let right = Self::values(depth * TILE);
            let left = Left {
                values: &values,
                row: segment,
                step: 1,
                segment,
                jump,
            };
            let before = Self::values(rows * Self::STRIDE);
            let mut out = before.clone();
            run(Gemm {
                left,
                rows,
                depth,
                right: &right,
                out: &mut out,
                stride: Self::STRIDE,
                lanes,
                add,
            });
            for (i, (found, before)) in out.iter().zip(before).enumerate() {
                let (r, lane) = (i / Self::STRIDE, i % Self::STRIDE);
                let product = |k| {
                    let left = values[r * segment + k % segment + k / segment * jump];
                    f64::from(left) * f64::from(right[k * TILE + lane])
                };
                let wanted = match (lane < lanes, add) {
                    (false, _) => f64::from(before), // not to be touched
                    (true, true) => f64::from(before) + (0..depth).map(product).sum::<f64>(),
                    (true, false) => (0..depth).map(product).sum(),
                };
                let error = (f64::from(*found) - wanted).abs();
                assert!(error < 1e-4, "{name}, {rows} rows, {lanes} lanes, place {i}: {error}");
            }
        }
    }

    fn check_all(name: &str, run: impl Fn(Gemm)) {
        for (i, rows) in [1, 2, 3, 5, 6, 7, 11, 12, 13].into_iter().enumerate() {
            for lanes in [1, 15, 16, 17, 33, 50, 64] {
                let (depth, segment) = [(1, 1), (37, 37), (37, 8)][i % 3];
                Odd {
                    rows,
                    depth,
                    lanes,
                    segment,
                    add: i % 2 == 0,
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
