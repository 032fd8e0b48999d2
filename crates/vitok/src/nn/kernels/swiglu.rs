//! SwiGLU (Shazeer, 2020), `silu(gate) * value`: forward and backward.
//!
//! Data come in panels: the features of TILE tokens, `[features][TILE]`, each feature's TILE values in a row. TILE is a
//! multiple of every SIMD width, so there are no remainders.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::exp::sigmoid;
use super::gemm::TILE;
use super::simd::dispatch;

/// `values` become `silu(gate) * value`. Both have the same length, a multiple of TILE.
pub fn swiglu(values: &mut [f32], gates: &[f32]) {
    dispatch(SwiGlu { values, gates });
}

/// [`swiglu`] of panels `fc1_output` `[2 * hidden][TILE]`, the first half values and the second gates, to panels `gated`
/// `[hidden][TILE]`.
pub fn swiglu_panels(hidden: usize, fc1_output: &[f32], gated: &mut [f32]) {
    let size = hidden * TILE;
    let panels = gated.par_chunks_mut(size).zip(fc1_output.par_chunks(2 * size));
    panels.for_each(|(gated, fc1_output)| {
        let (values, gates) = fc1_output.split_at(size);
        gated.copy_from_slice(values);
        swiglu(gated, gates);
    });
}

/// The backward of [`swiglu_panels`], in place. `gated` holds the gradient of its output and becomes the output, computed
/// again because the gradient of fc2's weight needs it; `fc1_output` holds values and gates and becomes their gradients.
pub fn swiglu_backward(hidden: usize, fc1_output: &mut [f32], gated: &mut [f32]) {
    let size = hidden * TILE;
    let panels = fc1_output.par_chunks_mut(2 * size).zip(gated.par_chunks_mut(size));
    panels.for_each(|(fc1_output, gated)| {
        let (values, gates) = fc1_output.split_at_mut(size);
        dispatch(SwiGluBackward { values, gates, gated });
    });
}

struct SwiGlu<'a> {
    values: &'a mut [f32],
    gates: &'a [f32],
}

impl WithSimd for SwiGlu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        debug_assert_eq!(self.values.len(), self.gates.len());
        let values = S::as_mut_simd_f32s(self.values).0.iter_mut();
        for (value, gate) in values.zip(S::as_simd_f32s(self.gates).0) {
            let silu = simd.mul_f32s(*gate, sigmoid(simd, *gate));
            *value = simd.mul_f32s(*value, silu);
        }
    }
}

struct SwiGluBackward<'a> {
    values: &'a mut [f32],
    gates: &'a mut [f32],
    gated: &'a mut [f32],
}

impl WithSimd for SwiGluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let one = simd.splat_f32s(1.0);
        let values = S::as_mut_simd_f32s(self.values).0.iter_mut();
        let gates = S::as_mut_simd_f32s(self.gates).0.iter_mut();
        let gated = S::as_mut_simd_f32s(self.gated).0.iter_mut();
        for ((value, gate), gated) in values.zip(gates).zip(gated) {
            let sigma = sigmoid(simd, *gate);
            let silu = simd.mul_f32s(*gate, sigma);
            // `mul_add_e` rounds once where the CPU has a fused multiply-add, and twice elsewhere.
            // silu' = sigma * (1 + gate * (1 - sigma)) = sigma + silu * (1 - sigma)
            let d_silu = simd.mul_add_e_f32s(silu, simd.sub_f32s(one, sigma), sigma);
            let (v, d) = (*value, *gated);
            *gated = simd.mul_f32s(silu, v);
            *value = simd.mul_f32s(d, silu);
            *gate = simd.mul_f32s(simd.mul_f32s(d, v), d_silu);
        }
    }
}
