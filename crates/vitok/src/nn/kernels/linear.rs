//! Linear layers over panels, forward and backward, on all cores.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::elementwise::{rows, rows_mut, transpose};
use super::gemm::{Gemm, Lhs, ROWS, TILE};
use super::panels::PanelLayout;
use super::simd::vectorized;

/// Values of a block of weights that should stay in a core's second-level cache beside a panel.
const WEIGHT_BLOCK: usize = 48 * 1024;

/// Most rows of a block whose `unit` is [`ROWS`].
pub const MAX_ROWS: usize = 16 * ROWS;

/// A product of a weight and panels. The functions of this module take sums of such products.
#[derive(Clone, Copy)]
pub struct Matmul<'a> {
    /// `[out_features, in_features]`, or `[in_features, out_features]` where it is to be transposed.
    weight: &'a [f32],
    transposed: bool,
    in_features: usize,
    out_features: usize,
    /// `[in_features][TILE]` for each panel.
    x: &'a [f32],
}

impl<'a> Matmul<'a> {
    /// `W x`, with `weight` `[out_features, in_features]`.
    pub fn new(weight: &'a [f32], in_features: usize, out_features: usize, x: &'a [f32]) -> Self {
        Self {
            weight,
            transposed: false,
            in_features,
            out_features,
            x,
        }
    }

    /// `W^T dy`, the gradient of a linear layer's input from that of its output, with `weight`
    /// `[in_features, out_features]`: `in_features` are the layer's outputs, `out_features` its inputs.
    pub fn transposed(weight: &'a [f32], in_features: usize, out_features: usize, dy: &'a [f32]) -> Self {
        Self {
            weight,
            transposed: true,
            in_features,
            out_features,
            x: dy,
        }
    }

    /// Features of the product.
    pub fn out_features(&self) -> usize {
        self.out_features
    }

    /// Some rows of the product for the first `columns` tokens of a panel.
    pub fn compute(&self, rows: Range<usize>, panel: usize, columns: usize, out: &mut [f32], accumulate: bool) {
        let lhs = match self.transposed {
            false => Lhs::new(
                &self.weight[rows.start * self.in_features..],
                self.in_features,
                1,
                self.in_features,
            ),
            true => Lhs::new(&self.weight[rows.start..], 1, self.out_features, self.in_features),
        };
        let size = self.in_features * TILE;
        Gemm {
            lhs,
            rows: rows.len(),
            depth: self.in_features,
            rhs: &self.x[panel * size..][..size],
            out,
            out_stride: TILE,
            columns,
            accumulate,
        }
        .run();
    }
}

/// The sum of `matmuls`, written to the panels `out`, the first of which is panel `first` of the batch. Each block of
/// rows of a panel is handed to `epilogue(rows, panel, values)` while it is in the cache; blocks have a multiple of
/// `unit` rows.
pub fn linear(
    layout: &PanelLayout,
    first: usize,
    matmuls: &[Matmul],
    out: &mut [f32],
    unit: usize,
    epilogue: impl Fn(Range<usize>, usize, &mut [f32]) + Sync,
) {
    for_each_block(layout, first, matmuls, out, unit, |rows, panel, columns, out| {
        for (i, matmul) in matmuls.iter().enumerate() {
            matmul.compute(rows.clone(), panel, columns, out, i > 0);
        }
        epilogue(rows, panel, out);
    });
}

/// Adds to `out` the sum of `matmuls` times `scale` plus `bias`, where `affine(row)` gives a row's (scale, bias).
pub fn add_linear(
    layout: &PanelLayout,
    first: usize,
    matmuls: &[Matmul],
    out: &mut [f32],
    affine: impl Fn(usize) -> (f32, f32) + Sync,
) {
    for_each_block(layout, first, matmuls, out, ROWS, |range, panel, columns, out| {
        let mut buffer = [0.0; MAX_ROWS * TILE];
        let sum = &mut buffer[..out.len()];
        for (i, matmul) in matmuls.iter().enumerate() {
            matmul.compute(range.clone(), panel, columns, sum, i > 0);
        }
        vectorized(
            #[inline(always)]
            || {
                for ((out, sum), row) in rows_mut(out).iter_mut().zip(rows(sum)).zip(range.clone()) {
                    let (scale, bias) = affine(row);
                    for (out, sum) in out.iter_mut().zip(sum) {
                        *out += sum * scale + bias;
                    }
                }
            },
        );
    });
}

/// Calls `compute(rows, panel, columns, out)` for every block of rows of every panel; `columns` is the panel's tokens.
fn for_each_block(
    layout: &PanelLayout,
    first: usize,
    matmuls: &[Matmul],
    out: &mut [f32],
    unit: usize,
    compute: impl Fn(Range<usize>, usize, usize, &mut [f32]) + Sync,
) {
    let out_features = matmuls[0].out_features;
    let depth = matmuls.iter().map(|m| m.in_features).max().unwrap_or(1);
    let block = block_rows(depth, unit).min(out_features);
    let tasks = tasks(out, out_features, block).into_par_iter();
    tasks.with_max_len(1).for_each(|(rows, pieces)| {
        for (panel, out) in pieces {
            compute(rows.clone(), panel, layout.panels[first + panel].tokens, out);
        }
    });
}

/// Rows that a block takes of a weight with `in_features` columns.
fn block_rows(in_features: usize, unit: usize) -> usize {
    (WEIGHT_BLOCK / in_features / unit).clamp(1, (MAX_ROWS / unit).max(1)) * unit
}

/// A block of rows, and these rows of each of some panels.
type Task<'a> = (Range<usize>, Vec<(usize, &'a mut [f32])>);

/// Cuts panels into blocks of rows, and each block's panels into groups where there would be too few tasks for the
/// cores.
fn tasks(out: &mut [f32], out_features: usize, block: usize) -> Vec<Task<'_>> {
    let panels = out.len() / (out_features * TILE);
    let blocks = out_features.div_ceil(block);
    let groups = (8 * rayon::current_num_threads()).div_ceil(blocks).min(panels).max(1);
    let group = panels.div_ceil(groups).max(1);
    let mut tasks: Vec<Task> = Vec::with_capacity(blocks * groups);
    for _ in (0..panels).step_by(group) {
        tasks.extend((0..blocks).map(|b| {
            let rows = b * block..out_features.min((b + 1) * block);
            (rows, Vec::with_capacity(group))
        }));
    }
    for (panel, values) in out.chunks_mut(out_features * TILE).enumerate() {
        let first = panel / group * blocks;
        for (b, piece) in values.chunks_mut(block * TILE).enumerate() {
            tasks[first + b].1.push((panel, piece));
        }
    }
    tasks
}

/// Tokens that a weight's gradient is summed over at once; whole panels.
const TOKEN_BLOCK: usize = 8 * TILE;

/// Panels transposed, for products that sum over tokens: `[tokens][TILE]` for every [`TILE`] features, with zeros where
/// a panel has no token.
pub struct TransposedPanels {
    values: Vec<f32>,
    features: usize,
    /// Lanes of all panels: tokens, and zeros past the last of a sequence.
    tokens: usize,
}

impl TransposedPanels {
    /// Transposes panels of `features` features.
    pub fn new(x: &[f32], features: usize) -> Self {
        let tokens = x.len() / features;
        let mut values = zeros(features.div_ceil(TILE) * TILE * tokens);
        let chunks = values.par_chunks_mut(TILE * tokens).enumerate();
        chunks.for_each(|(chunk, values)| {
            let first = chunk * TILE;
            let count = TILE.min(features - first);
            let mut panels = x.chunks(features * TILE).zip(values.chunks_mut(TILE * TILE));
            vectorized(
                #[inline(always)]
                || {
                    for (panel, out) in &mut panels {
                        transpose(&panel[first * TILE..], TILE, out, TILE, count, TILE);
                    }
                },
            );
        });
        Self {
            values,
            features,
            tokens,
        }
    }

    /// `dy x^T` `[out_features, features]`: the gradient of the weight of the linear layer that has these panels as its
    /// input x, from the gradient `dy` of its output, panels of `out_features` features.
    pub fn weight_gradient(&self, dy: &[f32], out_features: usize) -> Vec<f32> {
        let mut gradient = zeros(out_features * self.features);
        let block = block_rows(TOKEN_BLOCK, ROWS);
        let blocks = gradient.par_chunks_mut(block * self.features).enumerate();
        blocks.with_max_len(1).for_each(|(b, out)| {
            // So many tokens at a time that what is read of both sides stays in the cache.
            for start in (0..self.tokens).step_by(TOKEN_BLOCK) {
                let depth = TOKEN_BLOCK.min(self.tokens - start);
                let lhs = Lhs {
                    values: &dy[(start * out_features) + b * block * TILE..],
                    row_stride: TILE,
                    column_stride: 1,
                    segment: TILE,
                    segment_stride: out_features * TILE,
                };
                for (chunk, rhs) in self.values.chunks(TILE * self.tokens).enumerate() {
                    Gemm {
                        lhs,
                        rows: out.len() / self.features,
                        depth,
                        rhs: &rhs[start * TILE..][..depth * TILE],
                        out: &mut out[chunk * TILE..],
                        out_stride: self.features,
                        columns: TILE.min(self.features - chunk * TILE),
                        accumulate: start > 0,
                    }
                    .run();
                }
            }
        });
        gradient
    }
}
