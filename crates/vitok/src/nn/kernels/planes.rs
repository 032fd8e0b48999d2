//! Planes `[T, H, W]` of one channel, and windows over them, for convolutions and pools.

use std::borrow::Cow;

use super::simd::vectorized;
use crate::nn::window::{Sides, Window};

/// Number of values of a plane.
pub fn volume(sides: Sides) -> usize {
    sides.iter().product()
}

/// `x` `[channels, T, H, W]` with the window's padding, filled with `value`; `x` itself where there is none.
pub fn pad<'a>(x: &'a [f32], channels: usize, input: Sides, window: &Window, value: f32) -> Cow<'a, [f32]> {
    let padded = window.padded_size(input);
    if padded == input {
        return Cow::Borrowed(x);
    }
    let [_, height, width] = input;
    let mut out = vec![value; channels * volume(padded)];
    for (row, values) in x.chunks(width).enumerate() {
        let (plane, y) = (row / height, row % height);
        let (channel, t) = (plane / input[0], plane % input[0]);
        let t = channel * padded[0] + t + window.pad_before[0];
        let at = (t * padded[1] + y + window.pad_before[1]) * padded[2] + window.pad_before[2];
        out[at..at + width].copy_from_slice(values);
    }
    Cow::Owned(out)
}

/// Index of each value of a window, `[channels, kernel]`, relative to its first, in padded planes of `padded` values.
pub fn kernel_offsets(channels: usize, padded: Sides, kernel: Sides) -> Vec<usize> {
    let mut offsets = Vec::with_capacity(channels * volume(kernel));
    for t in (0..channels).flat_map(|c| (0..kernel[0]).map(move |t| c * padded[0] + t)) {
        for y in 0..kernel[1] {
            offsets.extend((0..kernel[2]).map(|x| (t * padded[1] + y) * padded[2] + x));
        }
    }
    offsets
}

/// Calls `f(index in the kernel, row of out, input, stride)` for every value of the window's kernel and every row of the
/// output plane `out`, all rows of a kernel's value before its next. Output `i` of the row meets `input[i * stride]`.
pub fn for_each_kernel_value(
    padded_plane: &[f32],
    input: Sides,
    window: &Window,
    out: &mut [f32],
    mut f: impl FnMut(usize, &mut [f32], &[f32], usize),
) {
    let (output, padded) = (window.output_size(input), window.padded_size(input));
    let [stride_t, stride_y, stride_x] = window.stride;
    let offsets = kernel_offsets(1, padded, window.kernel);
    for (number, offset) in offsets.into_iter().enumerate() {
        for (i, row) in out.chunks_mut(output[2]).enumerate() {
            let (t, y) = (i / output[1], i % output[1]);
            let from = offset + (t * stride_t * padded[1] + y * stride_y) * padded[2];
            f(number, row, &padded_plane[from..], stride_x);
        }
    }
}

/// `out[i] = f(out[i], input[i * stride])`.
#[inline(always)]
pub fn combine(out: &mut [f32], input: &[f32], stride: usize, f: impl Fn(f32, f32) -> f32) {
    vectorized(
        #[inline(always)]
        || match stride {
            1 => out.iter_mut().zip(input).for_each(|(o, v)| *o = f(*o, *v)),
            _ => {
                let input = input.iter().step_by(stride);
                out.iter_mut().zip(input).for_each(|(o, v)| *o = f(*o, *v));
            }
        },
    );
}
