//! The exponential and what is made with it: the steps of the softmax within attention, and the
//! gate of the MLP. Written with vectors, not left to the compiler: where it keeps a sum in memory
//! from row to row, a step takes twice as long.

use pulp::{Simd, WithSimd};

use super::elementwise::{Row, rows, rows_mut};
use super::gemm::TILE;

/// e^x to 3e-7 of its value, for x up to 88; what is below -87 counts as -87, which gives 1.6e-38.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Adding this leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with zeros at its end, so that n times it is exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let all = |x: f32| simd.splat_f32s(x);
    // A maximum would let a NaN pass for a number on some machines.
    let x = simd.select_f32s(simd.less_than_f32s(x, all(-87.0)), all(-87.0), x);
    let shifted = simd.mul_add_e_f32s(x, all(std::f32::consts::LOG2_E), all(ROUND));
    let n = simd.sub_f32s(shifted, all(ROUND));
    let rest = simd.mul_add_e_f32s(n, all(-LN2[0]), x);
    let rest = simd.mul_add_e_f32s(n, all(-LN2[1]), rest); // within +- ln(2) / 2
    // Taylor's series; the next term is at most 1.2e-7 there.
    let mut sum = all(1.0 / 720.0);
    for factorial in [120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        sum = simd.mul_add_e_f32s(sum, rest, all(1.0 / factorial));
    }
    // n goes to the exponent; the rest of ROUND's bits falls off.
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), power))
}

/// 1 / (1 + e^-x).
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let minus = simd.min_f32s(simd.splat_f32s(88.0), simd.neg_f32s(x));
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, minus)))
}

/// Vectors worked on at once; their number is a divisor of every machine's for a row.
const TOGETHER: usize = 4;

/// Some vectors of a row.
#[inline(always)]
fn part<S: Simd>(row: &Row, first: usize) -> [S::f32s; TOGETHER] {
    let vectors = &S::as_simd_f32s(row).0[first..first + TOGETHER];
    let mut part = [vectors[0]; TOGETHER];
    part.copy_from_slice(vectors);
    part
}

/// Some vectors of a row, to be written.
#[inline(always)]
fn part_mut<S: Simd>(row: &mut Row, first: usize) -> &mut [S::f32s] {
    &mut S::as_mut_simd_f32s(row).0[first..first + TOGETHER]
}

/// Scores become weights, relative to the highest score so far; what was summed so far follows.
pub struct Step<'a> {
    /// `[keys][TILE]`.
    pub scores: &'a mut [f32],
    /// The highest score so far, and the sum of weights relative to it.
    pub highest: &'a mut Row,
    pub sum: &'a mut Row,
    /// The sum of values so far, `[dim][TILE]`.
    pub out: &'a mut [f32],
}

impl WithSimd for Step<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for first in (0..TILE / S::F32_LANES).step_by(TOGETHER) {
            let before = part::<S>(self.highest, first);
            let mut highest = before;
            for row in rows(self.scores) {
                let row = part::<S>(row, first);
                for (highest, score) in highest.iter_mut().zip(row) {
                    *highest = simd.max_f32s(*highest, score);
                }
            }
            part_mut::<S>(self.highest, first).copy_from_slice(&highest);
            let mut sum = [simd.splat_f32s(0.0); TOGETHER];
            for row in rows_mut(self.scores) {
                let row = part_mut::<S>(row, first);
                for v in 0..TOGETHER {
                    row[v] = exp(simd, simd.sub_f32s(row[v], highest[v]));
                    sum[v] = simd.add_f32s(sum[v], row[v]);
                }
            }
            let mut factor = before;
            for (factor, highest) in factor.iter_mut().zip(highest) {
                *factor = exp(simd, simd.sub_f32s(*factor, highest));
            }
            let total = part_mut::<S>(self.sum, first);
            for v in 0..TOGETHER {
                total[v] = simd.mul_add_e_f32s(total[v], factor[v], sum[v]);
            }
            for row in rows_mut(self.out) {
                for (value, factor) in part_mut::<S>(row, first).iter_mut().zip(factor) {
                    *value = simd.mul_f32s(*value, factor);
                }
            }
        }
    }
}

/// The way back: scores become weights again, and the gradients of weights those of scores.
pub struct StepBack<'a> {
    /// `[keys][TILE]`.
    pub scores: &'a mut [f32],
    pub gradients: &'a mut [f32],
    pub lse: &'a Row,
    /// Each query's result times its gradient.
    pub dot: &'a Row,
}

impl WithSimd for StepBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for first in (0..TILE / S::F32_LANES).step_by(TOGETHER) {
            let lse = part::<S>(self.lse, first);
            let dot = part::<S>(self.dot, first);
            let scores = rows_mut(self.scores).iter_mut();
            for (scores, gradients) in scores.zip(rows_mut(self.gradients)) {
                let scores = part_mut::<S>(scores, first);
                let gradients = part_mut::<S>(gradients, first);
                for v in 0..TOGETHER {
                    scores[v] = exp(simd, simd.sub_f32s(scores[v], lse[v]));
                    gradients[v] = simd.mul_f32s(scores[v], simd.sub_f32s(gradients[v], dot[v]));
                }
            }
        }
    }
}

/// Values become `silu(gate) * value`. Both are whole rows.
pub struct Gate<'a> {
    pub values: &'a mut [f32],
    pub gates: &'a [f32],
}

impl WithSimd for Gate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let values = S::as_mut_simd_f32s(self.values).0.iter_mut();
        for (value, gate) in values.zip(S::as_simd_f32s(self.gates).0) {
            let silu = simd.mul_f32s(*gate, sigmoid(simd, *gate));
            *value = simd.mul_f32s(*value, silu);
        }
    }
}

/// From the gradient of `silu(gate) * value` in `gated` to those of value and gate, in their
/// places, and the product itself in `gated`. All are whole rows.
pub struct GateBack<'a> {
    pub values: &'a mut [f32],
    pub gates: &'a mut [f32],
    pub gated: &'a mut [f32],
}

impl WithSimd for GateBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let one = simd.splat_f32s(1.0);
        let values = S::as_mut_simd_f32s(self.values).0.iter_mut();
        let gates = S::as_mut_simd_f32s(self.gates).0.iter_mut();
        let gated = S::as_mut_simd_f32s(self.gated).0.iter_mut();
        for ((value, gate), gated) in values.zip(gates).zip(gated) {
            let open = sigmoid(simd, *gate);
            let silu = simd.mul_f32s(*gate, open);
            // silu' = open * (1 + gate * (1 - open)) = open + silu * (1 - open)
            let d_silu = simd.mul_add_e_f32s(silu, simd.sub_f32s(one, open), open);
            let (v, d) = (*value, *gated);
            *gated = simd.mul_f32s(silu, v);
            *value = simd.mul_f32s(d, silu);
            *gate = simd.mul_f32s(simd.mul_f32s(d, v), d_silu);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Exp<'a>(&'a mut [f32]);

    impl WithSimd for Exp<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for x in S::as_mut_simd_f32s(self.0).0 {
                *x = exp(simd, *x);
            }
        }
    }

    fn check_exp(name: &str, run: impl Fn(Exp)) {
        for i in (-8700..8800).step_by(TILE) {
            let x: Row = std::array::from_fn(|lane| ((i + lane as i32) as f32 / 100.0).min(88.0));
            let mut found = x;
            run(Exp(&mut found));
            for (x, found) in x.iter().zip(found) {
                let wanted = f64::from(*x).exp();
                let error = (f64::from(found) - wanted).abs() / wanted;
                assert!(error < 3e-7, "{name}: exp({x}): {error:e}");
            }
        }
        let mut edges = [0.0; TILE];
        edges[..3].copy_from_slice(&[-1e30, f32::NEG_INFINITY, f32::NAN]);
        run(Exp(&mut edges));
        assert!(edges[0] < 2e-38 && edges[1] < 2e-38 && edges[2].is_nan() && edges[3] == 1.0);
    }

    #[test]
    fn the_exponential_is_close_on_every_kind_of_machine() {
        check_exp("the widest", |work| pulp::Arch::new().dispatch(work));
        check_exp("portable", |work| {
            Simd::vectorize(pulp::Scalar::new(), work);
        });
        #[cfg(target_arch = "x86_64")]
        if let Some(simd) = pulp::x86::V3::try_new() {
            check_exp("AVX2", |work| Simd::vectorize(simd, work));
        }
    }
}
