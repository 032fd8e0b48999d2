//! Convolutions, for inference: clips `[B, C, T, H, W]` as they are stored.
//!
//! A convolution is the product of its weight, as it is stored, with panels of im2col: what the kernel covers at [`TILE`]
//! output positions, gathered once for all output channels.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::gemm::{Gemm, Lhs, TILE};
use super::planes::{combine, for_each_kernel_value, kernel_offsets, pad, volume};
use super::simd::vectorized;
use crate::nn::activation::Activation;
use crate::nn::window::{Sides, Window};

/// Values of a kernel gathered at once, so that a panel stays in a core's second-level cache.
const DEPTH_BLOCK: usize = 768;

/// A convolution of all input channels to each output channel, or of each channel for itself (depthwise).
pub struct Conv<'a> {
    /// `[out_channels, in_channels, kernel]`, or `[out_channels, 1, kernel]` where depthwise.
    pub weight: &'a [f32],
    /// `[out_channels]`.
    pub bias: &'a [f32],
    pub out_channels: usize,
    pub in_channels: usize,
    /// Then there are as many output as input channels.
    pub depthwise: bool,
    pub window: Window,
    pub activation: Activation,
}

impl Conv<'_> {
    /// `x` `[B, in_channels, T, H, W]`, with `input` = (T, H, W), to `[B, out_channels, ..window.output_size(input)]`.
    pub fn forward(&self, x: &[f32], input: Sides) -> Vec<f32> {
        let (values, positions) = (volume(input), volume(self.window.output_size(input)));
        let batch = x.len() / (self.in_channels * values);
        let mut out = zeros(batch * self.out_channels * positions);
        if positions == 0 || batch == 0 {
            return out;
        }
        if self.depthwise {
            let planes = out.par_chunks_mut(positions).zip(x.par_chunks(values));
            planes.enumerate().for_each(|(plane, (out, x))| {
                self.channel(plane % self.in_channels, x, input, out);
            });
            return out;
        }
        let clips = x.par_chunks(self.in_channels * values);
        let padded = clips.map(|x| pad(x, self.in_channels, input, &self.window, 0.0));
        let padded: Vec<Cow<[f32]>> = padded.collect();
        // Enough tasks for every core, and as few as that: each has buffers of its own.
        let panels = positions.div_ceil(TILE);
        let span = (batch * panels / (4 * rayon::current_num_threads())).clamp(1, panels);
        let spans = panels.div_ceil(span);
        let tasks = (0..batch * spans).into_par_iter().with_max_len(1);
        let shared = SharedOutput::new(&mut out);
        tasks.for_each(|task| {
            let (clip, first) = (task / spans, task % spans * span);
            let panels = first..panels.min(first + span);
            self.panels(&padded[clip], input, panels, |channel, start, values| {
                let at = (clip * self.out_channels + channel) * positions + start;
                // SAFETY: tasks have other clips or other panels, so that no two write the same values, and nobody reads
                // before all are done.
                unsafe { shared.write(at, values) }
            });
        });
        out
    }

    /// All output channels at some panels of output positions of one clip: calls
    /// `write(channel, first position, values)`.
    fn panels(
        &self,
        padded_clip: &[f32],
        input: Sides,
        panels: Range<usize>,
        mut write: impl FnMut(usize, usize, &[f32]),
    ) {
        let output = self.window.output_size(input);
        let count = volume(output);
        let padded = self.window.padded_size(input);
        let offsets = kernel_offsets(self.in_channels, padded, self.window.kernel);
        let depth = offsets.len();
        let mut columns = zeros(DEPTH_BLOCK.min(depth) * TILE + VECTOR);
        let mut products = zeros(self.out_channels * TILE);
        let mut runs = Vec::new();
        for panel in panels {
            let start = panel * TILE;
            let positions = TILE.min(count - start);
            find_runs(start, positions, output, padded, &self.window, &mut runs);
            for (block, offsets) in offsets.chunks(DEPTH_BLOCK).enumerate() {
                im2col(padded_clip, offsets, &runs, self.window.stride[2], &mut columns);
                Gemm {
                    lhs: Lhs::new(&self.weight[block * DEPTH_BLOCK..], depth, 1, offsets.len()),
                    rows: self.out_channels,
                    depth: offsets.len(),
                    rhs: &columns,
                    out: &mut products,
                    out_stride: TILE,
                    columns: positions,
                    accumulate: block > 0,
                }
                .run();
            }
            let rows = products.chunks_mut(TILE).zip(self.bias).enumerate();
            for (channel, (values, bias)) in rows {
                let values = &mut values[..positions];
                vectorized(
                    #[inline(always)]
                    || self.activation.add_bias_and_apply(values, *bias),
                );
                write(channel, start, values);
            }
        }
    }

    /// One channel of a depthwise convolution of one clip; `x`, `out`: a plane each.
    fn channel(&self, channel: usize, x: &[f32], input: Sides, out: &mut [f32]) {
        let size = volume(self.window.kernel);
        let padded = pad(x, 1, input, &self.window, 0.0);
        let weights = &self.weight[channel * size..][..size];
        for_each_kernel_value(&padded, input, &self.window, out, |number, out, input, stride| {
            let weight = weights[number];
            combine(out, input, stride, |sum, value| sum + weight * value);
        });
        self.activation.add_bias_and_apply(out, self.bias[channel]);
    }
}

/// A buffer that several cores write, each other values of it.
struct SharedOutput<'a> {
    values: *mut f32,
    length: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is only written through `write`, whose callers promise that no two write the same values.
unsafe impl Sync for SharedOutput<'_> {}

impl<'a> SharedOutput<'a> {
    fn new(values: &'a mut [f32]) -> Self {
        Self {
            values: values.as_mut_ptr(),
            length: values.len(),
            lifetime: PhantomData,
        }
    }

    /// Writes `values` from index `at` on.
    ///
    /// # Safety
    /// No one else may write these values meanwhile.
    unsafe fn write(&self, at: usize, values: &[f32]) {
        assert!(at + values.len() <= self.length);
        // SAFETY: within the buffer, as was just asserted, and no one else's, as the caller promises.
        unsafe {
            self.values
                .add(at)
                .copy_from_nonoverlapping(values.as_ptr(), values.len());
        }
    }
}

/// Values copied at once, more than needed where a run ends early; the next run overwrites them.
const VECTOR: usize = 16;

/// Output positions that follow each other in one row of the output.
struct Run {
    /// Index of the first in the panel.
    start: usize,
    count: usize,
    /// Index in the padded clip of the first value that the kernel covers at the first position.
    input: usize,
}

/// The runs of the output positions `start..start + positions`.
fn find_runs(start: usize, positions: usize, output: Sides, padded: Sides, window: &Window, runs: &mut Vec<Run>) {
    runs.clear();
    let mut done = 0;
    while done < positions {
        let position = start + done;
        let (row, x) = (position / output[2], position % output[2]);
        let (t, y) = (row / output[1], row % output[1]);
        let count = (output[2] - x).min(positions - done);
        let row = t * window.stride[0] * padded[1] + y * window.stride[1];
        runs.push(Run {
            start: done,
            count,
            input: row * padded[2] + x * window.stride[2],
        });
        done += count;
    }
}

/// `columns[k][position]`: the input that the kernel's value `k`, at `offsets[k]`, meets at each position of the runs.
fn im2col(padded_clip: &[f32], offsets: &[usize], runs: &[Run], stride: usize, columns: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (k, offset) in offsets.iter().enumerate() {
                for &Run { start, count, input } in runs {
                    let from = &padded_clip[input + offset..];
                    let to = &mut columns[k * TILE + start..];
                    if stride == 1 && from.len() >= count.next_multiple_of(VECTOR) {
                        for at in (0..count).step_by(VECTOR) {
                            to[at..at + VECTOR].copy_from_slice(&from[at..at + VECTOR]);
                        }
                    } else {
                        let from = from.iter().step_by(stride);
                        to[..count].iter_mut().zip(from).for_each(|(t, s)| *t = *s);
                    }
                }
            }
        },
    );
}
