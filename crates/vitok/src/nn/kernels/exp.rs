//! The exponential and the sigmoid, with explicit vectors.

use pulp::Simd;

/// e^x to a relative error of 3e-7, for x up to 88; what is below -87 counts as -87, which gives 1.6e-38.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Adding this leaves the nearest integer in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with zeros at its end, so that n times it is exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let all = |x: f32| simd.splat_f32s(x);
    // A maximum would turn a NaN into a number on some machines.
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
    // n goes to the exponent; the other bits of ROUND are shifted out.
    let power = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(sum), power))
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let minus = simd.min_f32s(simd.splat_f32s(88.0), simd.neg_f32s(x));
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, minus)))
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::super::elementwise::Row;
    use super::super::gemm::TILE;
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
            let mut actual = x;
            run(Exp(&mut actual));
            for (x, actual) in x.iter().zip(actual) {
                let expected = f64::from(*x).exp();
                let error = (f64::from(actual) - expected).abs() / expected;
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
