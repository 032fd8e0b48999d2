//! Pools, for inference.

use rayon::prelude::*;

use super::planes::{combine, for_each_kernel_value, pad, volume};
use crate::nn::window::{Sides, Window};

/// The highest value of each window; padding does not count. `x`: `[planes, T, H, W]`.
pub fn max_pool(x: &[f32], input: Sides, window: &Window) -> Vec<f32> {
    pool(x, input, window, f32::NEG_INFINITY, |out, input, stride| {
        // Not `f32::max`, which drops a NaN.
        combine(out, input, stride, |max, value| if max >= value { max } else { value });
    })
}

/// The sum of each window; padding counts as 0. `x`: `[planes, T, H, W]`.
pub fn sum_pool(x: &[f32], input: Sides, window: &Window) -> Vec<f32> {
    pool(x, input, window, 0.0, |out, input, stride| {
        combine(out, input, stride, |sum, value| sum + value);
    })
}

/// Starts every output at `initial`, and calls `accumulate(row of out, input, stride)` for each value of the kernel.
fn pool(
    x: &[f32],
    input: Sides,
    window: &Window,
    initial: f32,
    accumulate: impl Fn(&mut [f32], &[f32], usize) + Sync,
) -> Vec<f32> {
    let count = volume(window.output_size(input));
    let mut out = vec![initial; x.len() / volume(input) * count];
    if count > 0 {
        let planes = out.par_chunks_mut(count).zip(x.par_chunks(volume(input)));
        planes.for_each(|(out, x)| {
            let padded = pad(x, 1, input, window, initial);
            for_each_kernel_value(&padded, input, window, out, |_, out, input, stride| {
                accumulate(out, input, stride);
            });
        });
    }
    out
}
