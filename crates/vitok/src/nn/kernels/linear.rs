//! Linear layers over panels, forward and backward, on all cores.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::elementwise::{rows, rows_mut, transpose};
use super::gemm::{Gemm, Left, ROWS, TILE, vectorized};
use super::panels::PanelLayout;

/// Values of a block of weights that should stay in a core's second-level cache beside a panel.
const WEIGHT_BLOCK: usize = 48 * 1024;

/// Most rows of a block whose unit is [`ROWS`].
pub const MOST_ROWS: usize = 16 * ROWS;

/// One of the products that are summed: `weight` times the panels `x`.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    /// `[outputs, inputs]`, or `[inputs, outputs]` to be transposed.
    pub weight: &'a [f32],
    pub transposed: bool,
    pub inputs: usize,
    pub outputs: usize,
    /// `[inputs][TILE]` for each panel.
    pub x: &'a [f32],
}

impl<'a> Term<'a> {
    /// `weight` `[outputs, inputs]` times `x`.
    pub fn new(weight: &'a [f32], inputs: usize, outputs: usize, x: &'a [f32]) -> Self {
        Self {
            weight,
            transposed: false,
            inputs,
            outputs,
            x,
        }
    }

    /// The transpose of `weight` `[inputs, outputs]` times `x`: the way back through a layer.
    pub fn back(weight: &'a [f32], inputs: usize, outputs: usize, x: &'a [f32]) -> Self {
        Self {
            weight,
            transposed: true,
            inputs,
            outputs,
            x,
        }
    }

    /// Some rows of the product for one panel.
    pub fn compute(&self, rows: Range<usize>, panel: usize, lanes: usize, out: &mut [f32], add: bool) {
        let left = match self.transposed {
            false => Left::new(&self.weight[rows.start * self.inputs..], self.inputs, 1, self.inputs),
            true => Left::new(&self.weight[rows.start..], 1, self.outputs, self.inputs),
        };
        let size = self.inputs * TILE;
        Gemm {
            left,
            rows: rows.len(),
            depth: self.inputs,
            right: &self.x[panel * size..][..size],
            out,
            stride: TILE,
            lanes,
            add,
        }
        .run();
    }
}

/// The sum of `terms`, written to the panels `out`, the first of which is panel `first` of the
/// batch. Each block of rows of a panel is handed to `finish` while it is in the cache; blocks have
/// a multiple of `unit` rows.
pub fn products(
    geometry: &PanelLayout,
    first: usize,
    terms: &[Term],
    out: &mut [f32],
    unit: usize,
    finish: impl Fn(Range<usize>, usize, &mut [f32]) + Sync,
) {
    blocks(geometry, first, terms, out, unit, |rows, panel, lanes, out| {
        for (i, term) in terms.iter().enumerate() {
            term.compute(rows.clone(), panel, lanes, out, i > 0);
        }
        finish(rows, panel, out);
    });
}

/// Adds to `out` the sum of `terms`, times the first value of `affine` for its row, plus the second.
pub fn add_products(
    geometry: &PanelLayout,
    first: usize,
    terms: &[Term],
    out: &mut [f32],
    affine: impl Fn(usize) -> (f32, f32) + Sync,
) {
    blocks(geometry, first, terms, out, ROWS, |range, panel, lanes, out| {
        let mut buffer = [0.0; MOST_ROWS * TILE];
        let sum = &mut buffer[..out.len()];
        for (i, term) in terms.iter().enumerate() {
            term.compute(range.clone(), panel, lanes, sum, i > 0);
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

/// Calls `compute(rows, panel, lanes, out)` for every block of rows of every panel.
fn blocks(
    geometry: &PanelLayout,
    first: usize,
    terms: &[Term],
    out: &mut [f32],
    unit: usize,
    compute: impl Fn(Range<usize>, usize, usize, &mut [f32]) + Sync,
) {
    let outputs = terms[0].outputs;
    let depth = terms.iter().map(|t| t.inputs).max().unwrap_or(1);
    let block = rows_at_once(depth, unit).min(outputs);
    let pieces = work(out, outputs, block).into_par_iter();
    pieces.with_max_len(1).for_each(|(rows, pieces)| {
        for (panel, out) in pieces {
            compute(rows.clone(), panel, geometry.panels[first + panel].tokens, out);
        }
    });
}

/// Rows of a weight with `inputs` columns to take at once.
fn rows_at_once(inputs: usize, unit: usize) -> usize {
    (WEIGHT_BLOCK / inputs / unit).clamp(1, (MOST_ROWS / unit).max(1)) * unit
}

/// Some rows, and their piece of each of some panels.
type Piece<'a> = (Range<usize>, Vec<(usize, &'a mut [f32])>);

/// Cuts panels into blocks of rows, and each block's panels into groups where there would be too
/// few pieces of work for the cores.
fn work(out: &mut [f32], outputs: usize, block: usize) -> Vec<Piece<'_>> {
    let panels = out.len() / (outputs * TILE);
    let blocks = outputs.div_ceil(block);
    let groups = (8 * rayon::current_num_threads()).div_ceil(blocks).min(panels).max(1);
    let group = panels.div_ceil(groups).max(1);
    let mut pieces: Vec<Piece> = Vec::with_capacity(blocks * groups);
    for _ in (0..panels).step_by(group) {
        pieces.extend((0..blocks).map(|b| {
            let rows = b * block..outputs.min((b + 1) * block);
            (rows, Vec::with_capacity(group))
        }));
    }
    for (panel, values) in out.chunks_mut(outputs * TILE).enumerate() {
        let first = panel / group * blocks;
        for (b, piece) in values.chunks_mut(block * TILE).enumerate() {
            pieces[first + b].1.push((panel, piece));
        }
    }
    pieces
}

/// Tokens that a weight's gradient is summed over at once; whole panels.
const STEPS: usize = 8 * TILE;

/// Panels turned round, for products that sum over tokens: `[tokens][TILE]` for every TILE
/// features, with zeros where a panel has no token.
pub struct Turned {
    values: Vec<f32>,
    features: usize,
    /// Tokens, those that fill up panels included.
    tokens: usize,
}

impl Turned {
    /// Turns panels of `features` features.
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

    /// The gradient `[outputs, features]` of the weight that made panels with the gradient `dy`
    /// from these.
    pub fn weight_gradient(&self, dy: &[f32], outputs: usize) -> Vec<f32> {
        let mut gradient = zeros(outputs * self.features);
        let block = rows_at_once(STEPS, ROWS);
        let blocks = gradient.par_chunks_mut(block * self.features).enumerate();
        blocks.with_max_len(1).for_each(|(b, out)| {
            // So many tokens at a time that what is read of both sides stays in the cache.
            for start in (0..self.tokens).step_by(STEPS) {
                let depth = STEPS.min(self.tokens - start);
                let left = Left {
                    values: &dy[(start * outputs) + b * block * TILE..],
                    row: TILE,
                    step: 1,
                    segment: TILE,
                    jump: outputs * TILE,
                };
                for (chunk, right) in self.values.chunks(TILE * self.tokens).enumerate() {
                    Gemm {
                        left,
                        rows: out.len() / self.features,
                        depth,
                        right: &right[start * TILE..][..depth * TILE],
                        out: &mut out[chunk * TILE..],
                        stride: self.features,
                        lanes: TILE.min(self.features - chunk * TILE),
                        add: start > 0,
                    }
                    .run();
                }
            }
        });
        gradient
    }
}
