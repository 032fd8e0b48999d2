//! Convolutions and pools on the CPU, for inference: images in planes, as they are stored.
//!
//! A convolution is the product of its weights, as they are stored, with a panel: what the kernel
//! sees at [`TILE`] places, gathered once for all outputs.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::gemm::{Gemm, Left, TILE, vectorized};
use crate::nn::conv::Activation;
use crate::nn::window::{Sides, Window};

/// Values of a kernel gathered at once, so that a panel stays in a core's second-level cache.
const DEPTH: usize = 768;

/// A convolution with all inputs seen by all outputs, or each output seeing its own input.
pub struct Convolve<'a> {
    /// `[outputs, inputs, kernel]`, or `[outputs, 1, kernel]` where each sees its own.
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub outputs: usize,
    pub inputs: usize,
    pub own: bool,
    pub window: Window,
    pub activation: Activation,
}

impl Convolve<'_> {
    /// `x` `[B, inputs, clip]` to `[B, outputs, places]`.
    pub fn run(&self, x: &[f32], clip: Sides) -> Vec<f32> {
        let (values, places) = (volume(clip), volume(self.window.places(clip)));
        let batch = x.len() / (self.inputs * values);
        let mut out = zeros(batch * self.outputs * places);
        if places == 0 || batch == 0 {
            return out;
        }
        if self.own {
            let planes = out.par_chunks_mut(places).zip(x.par_chunks(values));
            planes.enumerate().for_each(|(plane, (out, x))| {
                self.own_input(plane % self.inputs, x, clip, out);
            });
            return out;
        }
        let images = x.par_chunks(self.inputs * values);
        let padded: Vec<Cow<[f32]>> = images.map(|x| pad(x, self.inputs, clip, &self.window, 0.0)).collect();
        // Enough pieces of work for every core, and as few as that: each has buffers of its own.
        let panels = places.div_ceil(TILE);
        let span = (batch * panels / (4 * rayon::current_num_threads())).clamp(1, panels);
        let spans = panels.div_ceil(span);
        let pieces = (0..batch * spans).into_par_iter().with_max_len(1);
        let columns = Columns::of(&mut out);
        pieces.for_each(|piece| {
            let (image, first) = (piece / spans, piece % spans * span);
            let panels = first..panels.min(first + span);
            self.all_inputs(&padded[image], clip, panels, |row, start, values| {
                let at = (image * self.outputs + row) * places + start;
                // SAFETY: pieces have other images or other panels, so that no two write to the
                // same places, and nobody reads before all are done.
                unsafe { columns.write(at, values) }
            });
        });
        out
    }

    /// All outputs of some panels of places of one image: `write(output, first place, values)`.
    fn all_inputs(
        &self,
        padded: &[f32],
        clip: Sides,
        panels: Range<usize>,
        mut write: impl FnMut(usize, usize, &[f32]),
    ) {
        let places = self.window.places(clip);
        let count = volume(places);
        let sides = self.window.padded(clip);
        let offsets = offsets(self.inputs, sides, self.window.kernel);
        let depth = offsets.len();
        let mut seen = zeros(DEPTH.min(depth) * TILE + VECTOR);
        let mut found = zeros(self.outputs * TILE);
        let mut runs = Vec::new();
        for panel in panels {
            let start = panel * TILE;
            let lanes = TILE.min(count - start);
            find_runs(start, lanes, places, sides, &self.window, &mut runs);
            for (block, offsets) in offsets.chunks(DEPTH).enumerate() {
                gather(padded, offsets, &runs, self.window.stride[2], &mut seen);
                Gemm {
                    left: Left::new(&self.weight[block * DEPTH..], depth, 1, offsets.len()),
                    rows: self.outputs,
                    depth: offsets.len(),
                    right: &seen,
                    out: &mut found,
                    stride: TILE,
                    lanes,
                    add: block > 0,
                }
                .run();
            }
            let rows = found.chunks_mut(TILE).zip(self.bias).enumerate();
            for (row, (values, bias)) in rows {
                let values = &mut values[..lanes];
                vectorized(
                    #[inline(always)]
                    || self.activation.apply(values, *bias),
                );
                write(row, start, values);
            }
        }
    }

    /// One output where each sees its own input.
    fn own_input(&self, channel: usize, x: &[f32], clip: Sides, out: &mut [f32]) {
        let taps = volume(self.window.kernel);
        let padded = pad(x, 1, clip, &self.window, 0.0);
        let weights = &self.weight[channel * taps..][..taps];
        each_tap(&padded, clip, &self.window, out, |tap, out, seen, stride| {
            let weight = weights[tap];
            combine(out, seen, stride, |sum, value| sum + weight * value);
        });
        self.activation.apply(out, self.bias[channel]);
    }
}

/// A buffer that several cores write columns of.
struct Columns<'a> {
    values: *mut f32,
    length: usize,
    of: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is only written through `write`, whose callers promise to stay apart.
unsafe impl Sync for Columns<'_> {}

impl<'a> Columns<'a> {
    fn of(values: &'a mut [f32]) -> Self {
        Self {
            values: values.as_mut_ptr(),
            length: values.len(),
            of: PhantomData,
        }
    }

    /// Writes `values` from place `at` on.
    ///
    /// # Safety
    /// No one else may write to these places meanwhile.
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

/// The highest value in each window; padding does not count. `x`: `[planes, clip]`.
pub fn max_pool(x: &[f32], clip: Sides, window: &Window) -> Vec<f32> {
    pool(x, clip, window, f32::NEG_INFINITY, |out, seen, stride| {
        // Not `f32::max`: a NaN is to stay.
        combine(
            out,
            seen,
            stride,
            |most, value| {
                if most >= value { most } else { value }
            },
        );
    })
}

/// The sum of each window; padding counts as 0.
pub fn sum_pool(x: &[f32], clip: Sides, window: &Window) -> Vec<f32> {
    pool(x, clip, window, 0.0, |out, seen, stride| {
        combine(out, seen, stride, |sum, value| sum + value);
    })
}

fn pool(
    x: &[f32],
    clip: Sides,
    window: &Window,
    empty: f32,
    tap: impl Fn(&mut [f32], &[f32], usize) + Sync,
) -> Vec<f32> {
    let count = volume(window.places(clip));
    let mut out = vec![empty; x.len() / volume(clip) * count];
    if count > 0 {
        let planes = out.par_chunks_mut(count).zip(x.par_chunks(volume(clip)));
        planes.for_each(|(out, x)| {
            let padded = pad(x, 1, clip, window, empty);
            each_tap(&padded, clip, window, out, |_, out, seen, stride| {
                tap(out, seen, stride);
            });
        });
    }
    out
}

/// Calls `tap(number, row of out, what the tap sees there, stride)` for every row of places and every tap
/// of the window over one padded plane; all rows of a tap before the next tap.
fn each_tap(
    padded: &[f32],
    clip: Sides,
    window: &Window,
    out: &mut [f32],
    mut tap: impl FnMut(usize, &mut [f32], &[f32], usize),
) {
    let (places, sides) = (window.places(clip), window.padded(clip));
    let [stride_t, stride_y, stride_x] = window.stride;
    let offsets = offsets(1, sides, window.kernel);
    for (number, offset) in offsets.into_iter().enumerate() {
        for (i, row) in out.chunks_mut(places[2]).enumerate() {
            let (t, y) = (i / places[1], i % places[1]);
            let from = offset + (t * stride_t * sides[1] + y * stride_y) * sides[2];
            tap(number, row, &padded[from..], stride_x);
        }
    }
}

/// `out[i] = f(out[i], seen[i * stride])`.
#[inline(always)]
fn combine(out: &mut [f32], seen: &[f32], stride: usize, f: impl Fn(f32, f32) -> f32) {
    vectorized(
        #[inline(always)]
        || match stride {
            1 => out.iter_mut().zip(seen).for_each(|(o, v)| *o = f(*o, *v)),
            _ => {
                let seen = seen.iter().step_by(stride);
                out.iter_mut().zip(seen).for_each(|(o, v)| *o = f(*o, *v));
            }
        },
    );
}

fn volume(sides: Sides) -> usize {
    sides.iter().product()
}

/// Values copied at once, more than wanted where a run ends early; what follows overwrites them.
const VECTOR: usize = 16;

/// `channels` planes with the window's padding; as they are where it has none.
fn pad<'a>(x: &'a [f32], channels: usize, clip: Sides, window: &Window, empty: f32) -> Cow<'a, [f32]> {
    let sides = window.padded(clip);
    if sides == clip {
        return Cow::Borrowed(x);
    }
    let [_, height, width] = clip;
    let mut out = vec![empty; channels * volume(sides)];
    for (row, values) in x.chunks(width).enumerate() {
        let (plane, y) = (row / height, row % height);
        let (channel, t) = (plane / clip[0], plane % clip[0]);
        let t = channel * sides[0] + t + window.before[0];
        let at = (t * sides[1] + y + window.before[1]) * sides[2] + window.before[2];
        out[at..at + width].copy_from_slice(values);
    }
    Cow::Owned(out)
}

/// Where each value of a kernel lies, from where the first does.
fn offsets(channels: usize, sides: Sides, kernel: Sides) -> Vec<usize> {
    let mut offsets = Vec::with_capacity(channels * volume(kernel));
    for t in (0..channels).flat_map(|c| (0..kernel[0]).map(move |t| c * sides[0] + t)) {
        for y in 0..kernel[1] {
            offsets.extend((0..kernel[2]).map(|x| (t * sides[1] + y) * sides[2] + x));
        }
    }
    offsets
}

/// Places that follow each other in one row: the first's lane, how many, and where the first
/// begins in the padded clip.
type Run = (usize, usize, usize);

fn find_runs(start: usize, lanes: usize, places: Sides, sides: Sides, window: &Window, runs: &mut Vec<Run>) {
    runs.clear();
    let mut lane = 0;
    while lane < lanes {
        let place = start + lane;
        let (row, x) = (place / places[2], place % places[2]);
        let (t, y) = (row / places[1], row % places[1]);
        let count = (places[2] - x).min(lanes - lane);
        let row = t * window.stride[0] * sides[1] + y * window.stride[1];
        runs.push((lane, count, row * sides[2] + x * window.stride[2]));
        lane += count;
    }
}

/// What the kernel's values at `offsets` see, a row of the panel for each.
fn gather(padded: &[f32], offsets: &[usize], runs: &[Run], stride: usize, panel: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (k, offset) in offsets.iter().enumerate() {
                for &(lane, count, from) in runs {
                    let from = &padded[from + offset..];
                    let to = &mut panel[k * TILE + lane..];
                    if stride == 1 && from.len() >= count.next_multiple_of(VECTOR) {
                        for at in (0..count).step_by(VECTOR) {
                            to[at..at + VECTOR].copy_from_slice(&from[at..at + VECTOR]);
                        }
                    } else {
                        let seen = from.iter().step_by(stride);
                        to[..count].iter_mut().zip(seen).for_each(|(t, s)| *t = *s);
                    }
                }
            }
        },
    );
}
