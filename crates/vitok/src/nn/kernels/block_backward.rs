//! The way back through a block. Products are computed once, as in the forward pass; norms, turns,
//! the gate and attention's weights are computed again, which is cheaper than keeping them.

use rayon::prelude::*;

use super::attention::{attend_backward, rms_backward};
use super::block::{NormWeights, Saved, Weights, mean_and_inverse, normalize};
use super::buffers::zeros;
use super::elementwise::{Row, rows, rows_mut};
use super::gemm::{ROWS, TILE, dispatch, vectorized};
use super::linear::{Term, Turned, products};
use super::panels::PanelLayout;
use super::softmax::GateBack;

/// Gradients of a block's parameters; those it does not have are absent.
pub struct Gradients {
    pub norm1: NormGradients,
    pub qk_norms: Option<[Vec<f32>; 2]>,
    pub qkv: Vec<f32>,
    pub out: Vec<f32>,
    pub out_bias: Option<Vec<f32>>,
    pub norm2: Option<NormGradients>,
    pub fc1: Vec<f32>,
    pub fc1_bias: Option<Vec<f32>>,
    pub fc2: Vec<f32>,
    pub fc2_bias: Option<Vec<f32>>,
    pub gamma: Option<Vec<f32>>,
}

/// Gradients of a norm's weight and bias.
pub struct NormGradients {
    pub weight: Vec<f32>,
    pub bias: Option<Vec<f32>>,
}

impl Gradients {
    /// The gradients in the order of the parameters.
    pub fn into_list(self) -> Vec<Vec<f32>> {
        let (qk_norms, norm2) = (self.qk_norms.map(Vec::from), self.norm2);
        let (norm2, norm2_bias) = norm2.map_or((None, None), |n| (Some(n.weight), n.bias));
        let mut list = vec![self.norm1.weight];
        list.extend(self.norm1.bias);
        list.extend(qk_norms.into_iter().flatten());
        list.extend([self.qkv, self.out]);
        list.extend(self.out_bias);
        list.extend(norm2);
        list.extend(norm2_bias);
        list.push(self.fc1);
        list.extend(self.fc1_bias);
        list.push(self.fc2);
        list.extend(self.fc2_bias);
        list.extend(self.gamma);
        list
    }
}

impl Weights<'_> {
    /// The gradients of the block's input and parameters, from `dy`, that of its result.
    pub fn backward(&self, geometry: &PanelLayout, x: &[f32], saved: Saved, dy: &[f32]) -> (Vec<f32>, Gradients) {
        let (width, hidden) = (self.width, self.hidden);
        let Saved {
            qkv,
            attended,
            lse,
            middle,
            mut fc1,
        } = saved;
        // The gradient of the branches' sum, where it differs from that of the result.
        let scaled = self.gamma.map(|gamma| scaled_rows(dy, gamma));
        let d_branch = scaled.as_deref().unwrap_or(dy);

        // The MLP's second layer and its gate; `fc1` becomes its own gradient.
        let mut gated = back(geometry, &[Term::back(self.fc2.weight, width, hidden, d_branch)]);
        gate_backward(hidden, &mut fc1, &mut gated);
        let d_fc1 = fc1;
        let mut fc2 = Turned::new(&gated, hidden).weight_gradient(dy, width);
        drop(gated);
        let fc2_bias = self.fc2.bias.map(|_| sums_of_rows(dy, width));
        let mut normed = zeros(x.len());
        let fc1_bias = self.fc1.bias.map(|_| sums_of_rows(&d_fc1, 2 * hidden));
        let mlp_back = Term::back(self.fc1.weight, 2 * hidden, width, &d_fc1);

        // In a sequential block the MLP's gradient joins before attention's way back begins.
        let (d_middle, fc1, norm2) = match (self.norm2, middle) {
            (Some(norm2), Some(middle)) => {
                normalize(norm2, &middle, &mut normed);
                let fc1 = Turned::new(&normed, width).weight_gradient(&d_fc1, 2 * hidden);
                let mut d_middle = back(geometry, &[mlp_back]);
                let norm2 = norm_backward(norm2, &middle, &mut d_middle, dy);
                (Some(d_middle), Some(fc1), Some(norm2))
            }
            _ => (None, None, None),
        };
        let d_projected = d_middle.as_deref().unwrap_or(d_branch);
        let residual = d_middle.as_deref().unwrap_or(dy);

        // Attention.
        let d_attended = back(geometry, &[Term::back(self.out.weight, width, width, d_projected)]);
        let mut out = Turned::new(&attended, width).weight_gradient(residual, width);
        let out_bias = self.out.bias.map(|_| sums_of_rows(residual, width));
        let turned = self.turned(geometry, &qkv);
        let mut d_qkv = attend_backward(geometry, self.heads, &turned, &attended, &lse, &d_attended);
        drop((turned, d_attended, attended));
        let qk_norms = self.turn_back(geometry, &qkv, &mut d_qkv);
        drop(qkv);

        // The input's norm and the layers that read it.
        normalize(self.norm1, x, &mut normed);
        let turned = Turned::new(&normed, width);
        drop(normed);
        let qkv = turned.weight_gradient(&d_qkv, 3 * width);
        let fc1 = fc1.unwrap_or_else(|| turned.weight_gradient(&d_fc1, 2 * hidden));
        drop(turned);
        let qkv_back = Term::back(self.qkv, 3 * width, width, &d_qkv);
        let mut dx = match self.norm2 {
            Some(_) => back(geometry, &[qkv_back]),
            None => back(geometry, &[qkv_back, mlp_back]),
        };
        let norm1 = norm_backward(self.norm1, x, &mut dx, residual);

        // The two weights' gradients were taken from `dy`, before its scale; that of the scale
        // follows from them: y = gamma * (W a), so d gamma = sum of dy * (W a) = W . (dy a^T).
        let gamma = self.gamma.map(|gamma| {
            let layers = [(&mut out, self.out.weight, width), (&mut fc2, self.fc2.weight, hidden)];
            scale_gradients(gamma, layers)
        });
        let gradients = Gradients {
            norm1,
            qk_norms,
            qkv,
            out,
            out_bias,
            norm2,
            fc1,
            fc1_bias,
            fc2,
            fc2_bias,
            gamma,
        };
        (dx, gradients)
    }

    /// Back through the turns and norms of queries and keys, in place.
    fn turn_back(&self, geometry: &PanelLayout, qkv: &[f32], d_qkv: &mut [f32]) -> Option<[Vec<f32>; 2]> {
        let dim = self.heads.dim;
        let turn = self.turn(geometry);
        let size = 3 * self.width * TILE;
        let mut sums = zeros(geometry.panels.len() * 2 * dim);
        let panels = d_qkv.par_chunks_mut(size).zip(qkv.par_chunks(size)).enumerate();
        panels
            .zip(sums.par_chunks_mut(2 * dim))
            .for_each(|((panel, (gradient, raw)), sums)| {
                turn.backward(panel, raw, gradient, sums);
            });
        self.qk_norms.map(|_| {
            let sum = |part: usize| {
                let each = (0..dim).map(|i| {
                    let panels = sums.chunks(2 * dim);
                    panels.map(|sums| sums[part * dim + i]).sum()
                });
                each.collect()
            };
            [sum(0), sum(1)]
        })
    }
}

/// The sum of products, as new panels.
fn back(geometry: &PanelLayout, terms: &[Term]) -> Vec<f32> {
    let mut out = zeros(geometry.size(terms[0].outputs));
    products(geometry, 0, terms, &mut out, ROWS, |_, _, _| ());
    out
}

fn scaled_rows(x: &[f32], scale: &[f32]) -> Vec<f32> {
    let mut out = zeros(x.len());
    let size = scale.len() * TILE;
    out.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(out, x)| {
        vectorized(
            #[inline(always)]
            || {
                for ((out, x), scale) in rows_mut(out).iter_mut().zip(rows(x)).zip(scale) {
                    for lane in 0..TILE {
                        out[lane] = x[lane] * scale;
                    }
                }
            },
        );
    });
    out
}

/// From the gradient of `silu(gate) * value` in `gated`, and value and gate in `both`, to their
/// gradients in `both`, and the product itself in `gated`.
fn gate_backward(hidden: usize, both: &mut [f32], gated: &mut [f32]) {
    let size = hidden * TILE;
    let panels = both.par_chunks_mut(2 * size).zip(gated.par_chunks_mut(size));
    panels.for_each(|(both, gated)| {
        let (values, gates) = both.split_at_mut(size);
        dispatch(GateBack { values, gates, gated });
    });
}

/// The sum over tokens of each of `count` features.
fn sums_of_rows(x: &[f32], count: usize) -> Vec<f32> {
    let mut sums = vec![0.0; count];
    for panel in x.chunks(count * TILE) {
        for (sum, row) in sums.iter_mut().zip(rows(panel)) {
            *sum += row.iter().sum::<f32>();
        }
    }
    sums
}

/// Back through a norm of `x`: the gradient of its result becomes that of `x`, plus `residual`.
fn norm_backward(norm: NormWeights, x: &[f32], gradient: &mut [f32], residual: &[f32]) -> NormGradients {
    let width = norm.weight.len();
    let size = width * TILE;
    let mut sums = zeros(x.len() / size * 2 * width);
    let panels = gradient
        .par_chunks_mut(size)
        .zip(x.par_chunks(size))
        .zip(residual.par_chunks(size));
    panels
        .zip(sums.par_chunks_mut(2 * width))
        .for_each(|(((gradient, x), residual), sums)| {
            let (d_weight, d_bias) = sums.split_at_mut(width);
            vectorized(
                #[inline(always)]
                || {
                    let (x, gradient) = (rows(x), rows_mut(gradient));
                    match norm.bias {
                        None => rms_backward(x, norm.weight, gradient, d_weight),
                        Some(_) => layer_backward(x, norm.weight, gradient, d_weight, d_bias),
                    }
                    for (gradient, residual) in gradient.iter_mut().zip(rows(residual)) {
                        for lane in 0..TILE {
                            gradient[lane] += residual[lane];
                        }
                    }
                },
            );
        });
    let sum = |from: usize| {
        let each = (from..from + width).map(|i| sums.chunks(2 * width).map(|s| s[i]).sum());
        each.collect()
    };
    NormGradients {
        weight: sum(0),
        bias: norm.bias.map(|_| sum(width)),
    }
}

/// As [`rms_backward`], for a LayerNorm.
#[inline(always)]
fn layer_backward(x: &[Row], weight: &[f32], gradient: &mut [Row], d_weight: &mut [f32], d_bias: &mut [f32]) {
    let (mean, inverse) = mean_and_inverse(x);
    let [mut plain, mut along] = [[0.0; TILE]; 2];
    let sums = d_weight.iter_mut().zip(d_bias);
    for (((x, gradient), weight), (d_weight, d_bias)) in x.iter().zip(&mut *gradient).zip(weight).zip(sums) {
        let [mut with, mut without] = [[0.0; TILE]; 2];
        for lane in 0..TILE {
            let normed = (x[lane] - mean[lane]) * inverse[lane];
            with[lane] = gradient[lane] * normed;
            without[lane] = gradient[lane];
            gradient[lane] *= weight;
            plain[lane] += gradient[lane];
            along[lane] += gradient[lane] * normed;
        }
        *d_weight += with.iter().sum::<f32>();
        *d_bias += without.iter().sum::<f32>();
    }
    let count = x.len() as f32;
    for (x, gradient) in x.iter().zip(gradient) {
        for lane in 0..TILE {
            let normed = (x[lane] - mean[lane]) * inverse[lane];
            let rest = (plain[lane] + normed * along[lane]) / count;
            gradient[lane] = inverse[lane] * (gradient[lane] - rest);
        }
    }
}

/// Scales the rows of two weights' gradients, and gives the gradient of the scale.
fn scale_gradients(gamma: &[f32], layers: [(&mut Vec<f32>, &[f32], usize); 2]) -> Vec<f32> {
    let mut d_gamma = vec![0.0; gamma.len()];
    for (gradient, weight, inputs) in layers {
        let rows = gradient.par_chunks_mut(inputs).zip(weight.par_chunks(inputs));
        rows.zip(d_gamma.par_iter_mut().zip(gamma))
            .for_each(|((gradient, weight), (d_gamma, gamma))| {
                vectorized(
                    #[inline(always)]
                    || {
                        // Sixteen sums side by side: a vector, where one sum would be a chain.
                        let mut sums = [0.0; 16];
                        for (gradient, weight) in gradient.chunks_mut(16).zip(weight.chunks(16)) {
                            for ((sum, gradient), weight) in sums.iter_mut().zip(gradient).zip(weight) {
                                *sum += *gradient * weight;
                                *gradient *= gamma;
                            }
                        }
                        *d_gamma += sums.iter().sum::<f32>();
                    },
                );
            });
    }
    d_gamma
}
