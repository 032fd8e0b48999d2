//! A transformer block over panels: forward, and what the way back needs to know of it.

use rayon::prelude::*;

use super::attention::{Heads, Turn, attend, inverse_rms};
use super::buffers::{copied, zeros};
use super::elementwise::{Row, rows, rows_mut, sum_rows};
use super::gemm::{ROWS, TILE, dispatch, vectorized};
use super::linear::{MOST_ROWS, Term, add_products, products};
use super::panels::PanelLayout;
use super::softmax::Gate;

/// Panels whose MLP is computed before the next panels': bounds the memory of long sequences.
const GROUP: usize = 64;

pub(super) const EPSILON: f32 = 1e-6;

/// A LayerNorm, or an RMSNorm without bias.
#[derive(Clone, Copy)]
pub struct NormWeights<'a> {
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

/// A linear layer.
#[derive(Clone, Copy)]
pub struct LinearWeights<'a> {
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
}

/// A block's parameters, as they are stored.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    pub width: usize,
    pub hidden: usize,
    pub heads: Heads,
    pub norm1: NormWeights<'a>,
    /// RMSNorms of queries and keys.
    pub qk_norms: Option<[&'a [f32]; 2]>,
    pub qkv: &'a [f32],
    pub out: LinearWeights<'a>,
    /// Sequential blocks only.
    pub norm2: Option<NormWeights<'a>>,
    pub fc1: LinearWeights<'a>,
    pub fc2: LinearWeights<'a>,
    /// Scale of the branch; parallel blocks only.
    pub gamma: Option<&'a [f32]>,
}

/// What the way back needs besides the block's input and the weights.
#[derive(Clone)]
pub struct Saved {
    /// Queries, keys and values before they are turned.
    pub qkv: Vec<f32>,
    /// Attention's result and its queries' log-sums.
    pub attended: Vec<f32>,
    pub lse: Vec<f32>,
    /// The MLP's input before its norm; sequential blocks only.
    pub middle: Option<Vec<f32>>,
    /// Value and gate of the MLP.
    pub fc1: Vec<f32>,
}

/// Buffers that a stack's blocks share.
#[derive(Default)]
pub struct Scratch {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gated: Vec<f32>,
}

impl<'a> Weights<'a> {
    pub(super) fn turn(&self, geometry: &'a PanelLayout) -> Turn<'a> {
        Turn {
            heads: self.heads,
            norms: self.qk_norms,
            geometry,
        }
    }

    /// Sends `x` through the block, in place.
    pub fn forward(&self, geometry: &PanelLayout, x: &mut [f32], scratch: &mut Scratch) {
        let (width, hidden) = (self.width, self.hidden);
        let Scratch {
            normed,
            qkv,
            attended,
            gated,
        } = scratch;
        normed.resize(geometry.size(width), 0.0);
        qkv.resize(geometry.size(3 * width), 0.0);
        let group = GROUP.min(geometry.panels.len()).max(1);
        attended.resize(group * width * TILE, 0.0);
        gated.resize(group * hidden * TILE, 0.0);

        normalize(self.norm1, x, normed);
        let turn = self.turn(geometry);
        let term = Term::new(self.qkv, width, 3 * width, normed);
        products(geometry, 0, &[term], qkv, self.heads.dim, |rows, panel, out| {
            turn.forward(rows.start, panel, out);
        });
        let size = width * TILE;
        let groups = x.chunks_mut(group * size).zip(normed.chunks_mut(group * size));
        for (g, (x, normed)) in groups.enumerate() {
            let first = g * group;
            let attended = &mut attended[..x.len()];
            let gated = &mut gated[..x.len() / width * hidden];
            attend(geometry, self.heads, first, qkv, attended, None);
            if let Some(norm2) = self.norm2 {
                self.add_attended(geometry, first, attended, x);
                normalize(norm2, x, normed);
                self.gate(geometry, first, normed, gated);
                self.add_gated(geometry, first, gated, x);
            } else {
                self.gate(geometry, first, normed, gated);
                self.add_branch(geometry, first, attended, gated, x);
            }
        }
    }

    /// [`forward`](Self::forward), keeping what [`backward`](Self::backward) needs.
    pub fn forward_saving(&self, geometry: &PanelLayout, x: &[f32]) -> (Vec<f32>, Saved) {
        let (width, hidden) = (self.width, self.hidden);
        let mut normed = zeros(x.len());
        normalize(self.norm1, x, &mut normed);
        let mut qkv = zeros(geometry.size(3 * width));
        let term = Term::new(self.qkv, width, 3 * width, &normed);
        products(geometry, 0, &[term], &mut qkv, ROWS, |_, _, _| ());
        let turned = self.turned(geometry, &qkv);
        let mut attended = zeros(x.len());
        let mut lse = zeros(geometry.size(self.heads.heads));
        attend(geometry, self.heads, 0, &turned, &mut attended, Some(&mut lse));
        drop(turned);

        let mut y = copied(x);
        let middle = self.norm2.map(|norm2| {
            self.add_attended(geometry, 0, &attended, &mut y);
            normalize(norm2, &y, &mut normed);
            copied(&y)
        });
        let mut fc1 = zeros(geometry.size(2 * hidden));
        let term = Term::new(self.fc1.weight, width, 2 * hidden, &normed);
        products(geometry, 0, &[term], &mut fc1, ROWS, |rows, _, out| {
            if let Some(bias) = self.fc1.bias {
                vectorized(
                    #[inline(always)]
                    || add_bias(out, &bias[rows.clone()]),
                );
            }
        });
        let mut gated = zeros(geometry.size(hidden));
        let both = fc1.par_chunks(2 * hidden * TILE);
        gated.par_chunks_mut(hidden * TILE).zip(both).for_each(|(gated, both)| {
            let (value, gate) = both.split_at(hidden * TILE);
            gated.copy_from_slice(value);
            dispatch(Gate {
                values: gated,
                gates: gate,
            });
        });
        match self.norm2 {
            Some(_) => self.add_gated(geometry, 0, &gated, &mut y),
            None => self.add_branch(geometry, 0, &attended, &gated, &mut y),
        }
        (
            y,
            Saved {
                qkv,
                attended,
                lse,
                middle,
                fc1,
            },
        )
    }

    /// `qkv` with its queries and keys turned.
    pub(super) fn turned(&self, geometry: &PanelLayout, qkv: &[f32]) -> Vec<f32> {
        let mut turned = copied(qkv);
        let turn = self.turn(geometry);
        let panels = turned.par_chunks_mut(3 * self.width * TILE).enumerate();
        panels.for_each(|(panel, values)| turn.forward(0, panel, values));
        turned
    }

    /// Attention's projection, added to `x`.
    fn add_attended(&self, geometry: &PanelLayout, first: usize, attended: &[f32], x: &mut [f32]) {
        let term = Term::new(self.out.weight, self.width, self.width, attended);
        add(geometry, first, term, self.out.bias, x);
    }

    /// The MLP's second layer, added to `x`.
    fn add_gated(&self, geometry: &PanelLayout, first: usize, gated: &[f32], x: &mut [f32]) {
        let term = Term::new(self.fc2.weight, self.hidden, self.width, gated);
        add(geometry, first, term, self.fc2.bias, x);
    }

    /// `silu(gate) * value`, of the MLP's first layer.
    fn gate(&self, geometry: &PanelLayout, first: usize, normed: &[f32], gated: &mut [f32]) {
        let (width, hidden) = (self.width, self.hidden);
        let values = Term::new(self.fc1.weight, width, hidden, normed);
        let gates = Term::new(&self.fc1.weight[hidden * width..], width, hidden, normed);
        products(geometry, first, &[values], gated, ROWS, |range, panel, out| {
            let lanes = geometry.panels[first + panel].tokens;
            let mut buffer = [0.0; MOST_ROWS * TILE];
            let gate = &mut buffer[..out.len()];
            gates.compute(range.clone(), panel, lanes, gate, false);
            vectorized(
                #[inline(always)]
                || {
                    if let Some(bias) = self.fc1.bias {
                        add_bias(out, &bias[range.clone()]);
                        add_bias(gate, &bias[hidden + range.start..hidden + range.end]);
                    }
                },
            );
            dispatch(Gate {
                values: out,
                gates: gate,
            });
        });
    }

    /// Attention and MLP, scaled, added to `x`.
    fn add_branch(&self, geometry: &PanelLayout, first: usize, attended: &[f32], gated: &[f32], x: &mut [f32]) {
        let (width, hidden) = (self.width, self.hidden);
        let terms = [
            Term::new(self.out.weight, width, width, attended),
            Term::new(self.fc2.weight, hidden, width, gated),
        ];
        add_products(geometry, first, &terms, x, |row| {
            (self.gamma.map_or(1.0, |g| g[row]), 0.0)
        });
    }
}

fn add(geometry: &PanelLayout, first: usize, term: Term, bias: Option<&[f32]>, x: &mut [f32]) {
    add_products(geometry, first, &[term], x, |row| (1.0, bias.map_or(0.0, |b| b[row])));
}

/// Adds each row's bias.
#[inline(always)]
fn add_bias(values: &mut [f32], bias: &[f32]) {
    for (row, bias) in rows_mut(values).iter_mut().zip(bias) {
        for value in row {
            *value += bias;
        }
    }
}

/// LayerNorm or RMSNorm of every token of `x`, to `out`.
pub(super) fn normalize(norm: NormWeights, x: &[f32], out: &mut [f32]) {
    let size = norm.weight.len() * TILE;
    out.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(out, x)| {
        vectorized(
            #[inline(always)]
            || {
                let (x, out) = (rows(x), rows_mut(out));
                match norm.bias {
                    None => {
                        let inverse = inverse_rms(x);
                        for ((out, x), weight) in out.iter_mut().zip(x).zip(norm.weight) {
                            for lane in 0..TILE {
                                out[lane] = x[lane] * inverse[lane] * weight;
                            }
                        }
                    }
                    Some(bias) => {
                        let (mean, inverse) = mean_and_inverse(x);
                        let affine = norm.weight.iter().zip(bias);
                        for ((out, x), (weight, bias)) in out.iter_mut().zip(x).zip(affine) {
                            for lane in 0..TILE {
                                out[lane] = (x[lane] - mean[lane]) * inverse[lane] * weight + bias;
                            }
                        }
                    }
                }
            },
        );
    });
}

/// Mean and 1 / sqrt(variance + eps) of every token.
#[inline(always)]
pub(super) fn mean_and_inverse(x: &[Row]) -> (Row, Row) {
    let count = x.len() as f32;
    let mean = sum_rows(x, |_, x| x).map(|sum| sum / count);
    let squares = sum_rows(x, |lane, x| (x - mean[lane]) * (x - mean[lane]));
    (mean, squares.map(|sum| 1.0 / (sum / count + EPSILON).sqrt()))
}
