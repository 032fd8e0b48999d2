//! A transformer block over panels, backward. Matrix products are computed once, as in the forward pass; norms, RoPE,
//! the gate and attention's weights are computed again, which is cheaper than keeping them.

use rayon::prelude::*;

use super::attention_backward::attention_backward;
use super::block::{FusedBlock, SavedActivations};
use super::block_params::{AttentionParams, BlockParams, MlpParams, WeightBias};
use super::buffers::zeros;
use super::elementwise::{rows, rows_mut};
use super::gemm::{ROWS, TILE};
use super::linear::{Matmul, TransposedPanels, linear};
use super::norm::{norm_backward, normalize};
use super::panels::PanelLayout;
use super::simd::vectorized;
use super::swiglu::swiglu_backward;

impl FusedBlock<'_> {
    /// The gradients of the block's input `x` and of its parameters, from `dy`, that of its output; all in panels.
    pub fn backward(
        &self,
        layout: &PanelLayout,
        x: &[f32],
        saved: SavedActivations,
        dy: &[f32],
    ) -> (Vec<f32>, BlockParams<Vec<f32>>) {
        let (width, hidden) = (self.width, self.hidden);
        let BlockParams {
            norm1,
            attn,
            norm2,
            ffn,
            layer_scale,
        } = self.params;
        let SavedActivations {
            qkv,
            attended,
            lse,
            middle,
            mut fc1,
        } = saved;
        // The gradient of the branches' sum, where it differs from that of the output.
        let scaled = layer_scale.map(|gamma| scaled_rows(dy, gamma));
        let d_branches = scaled.as_deref().unwrap_or(dy);

        // The MLP's second layer and its gate; `fc1` becomes its own gradient.
        let mut gated = sum_of(layout, &[Matmul::transposed(ffn.fc2.weight, width, hidden, d_branches)]);
        swiglu_backward(hidden, &mut fc1, &mut gated);
        let d_fc1 = fc1;
        let mut fc2_weight = TransposedPanels::new(&gated, hidden).weight_gradient(dy, width);
        drop(gated);
        let fc2_bias = ffn.fc2.bias.map(|_| sum_of_tokens(dy, width));
        let mut normed = zeros(x.len());
        let fc1_bias = ffn.fc1.bias.map(|_| sum_of_tokens(&d_fc1, 2 * hidden));
        let through_fc1 = Matmul::transposed(ffn.fc1.weight, 2 * hidden, width, &d_fc1);

        // In a sequential block the MLP's gradient joins the residual stream before attention's backward begins.
        let (d_middle, fc1_weight, norm2) = match (norm2, middle) {
            (Some(norm2), Some(middle)) => {
                normalize(norm2, &middle, &mut normed);
                let fc1_weight = TransposedPanels::new(&normed, width).weight_gradient(&d_fc1, 2 * hidden);
                let mut d_middle = sum_of(layout, &[through_fc1]);
                let norm2 = norm_backward(norm2, &middle, &mut d_middle, dy);
                (Some(d_middle), Some(fc1_weight), Some(norm2))
            }
            _ => (None, None, None),
        };
        let d_projected = d_middle.as_deref().unwrap_or(d_branches);
        let residual = d_middle.as_deref().unwrap_or(dy);

        // Attention.
        let d_attended = sum_of(
            layout,
            &[Matmul::transposed(attn.out_proj.weight, width, width, d_projected)],
        );
        let mut out_weight = TransposedPanels::new(&attended, width).weight_gradient(residual, width);
        let out_bias = attn.out_proj.bias.map(|_| sum_of_tokens(residual, width));
        let rotated = self.rotated(layout, &qkv);
        let mut d_qkv = attention_backward(layout, self.heads, &rotated, &attended, &lse, &d_attended);
        drop((rotated, d_attended, attended));
        let [norm_q, norm_k] = self.qk_norm_rope_backward(layout, &qkv, &mut d_qkv);
        drop(qkv);

        // The input's norm and the layers that read it.
        normalize(norm1, x, &mut normed);
        let transposed = TransposedPanels::new(&normed, width);
        drop(normed);
        let qkv_proj = transposed.weight_gradient(&d_qkv, 3 * width);
        let fc1_weight = fc1_weight.unwrap_or_else(|| transposed.weight_gradient(&d_fc1, 2 * hidden));
        drop(transposed);
        let through_qkv = Matmul::transposed(attn.qkv_proj, 3 * width, width, &d_qkv);
        let mut dx = match norm2 {
            Some(_) => sum_of(layout, &[through_qkv]),
            None => sum_of(layout, &[through_qkv, through_fc1]),
        };
        let norm1 = norm_backward(norm1, x, &mut dx, residual);

        // The gradients of these two weights were taken from `dy`, before its scale; that of the scale follows from
        // them: y = gamma * (W a), so d gamma = sum of dy * (W a) = W . (dy a^T).
        let layer_scale = layer_scale.map(|gamma| {
            let layers = [
                (&mut out_weight, attn.out_proj.weight, width),
                (&mut fc2_weight, ffn.fc2.weight, hidden),
            ];
            scale_gradients(gamma, layers)
        });
        let gradients = BlockParams {
            norm1,
            attn: AttentionParams {
                norm_q,
                norm_k,
                qkv_proj,
                out_proj: WeightBias {
                    weight: out_weight,
                    bias: out_bias,
                },
            },
            norm2,
            ffn: MlpParams {
                fc1: WeightBias {
                    weight: fc1_weight,
                    bias: fc1_bias,
                },
                fc2: WeightBias {
                    weight: fc2_weight,
                    bias: fc2_bias,
                },
            },
            layer_scale,
        };
        (dx, gradients)
    }

    /// The gradient of RoPE and norms of queries and keys: `d_qkv`, that of their output, becomes that of `qkv`. Returns
    /// those of the norms' weights.
    fn qk_norm_rope_backward(&self, layout: &PanelLayout, qkv: &[f32], d_qkv: &mut [f32]) -> [Option<Vec<f32>>; 2] {
        let dim = self.heads.dim;
        let qk_norm_rope = self.qk_norm_rope(layout);
        let size = self.heads.panel_size();
        let mut sums = zeros(layout.panels.len() * 2 * dim);
        let panels = d_qkv.par_chunks_mut(size).zip(qkv.par_chunks(size)).enumerate();
        panels
            .zip(sums.par_chunks_mut(2 * dim))
            .for_each(|((panel, (gradient, qkv)), sums)| {
                qk_norm_rope.backward(panel, qkv, gradient, sums);
            });
        let sum = |part: usize| {
            let each = (0..dim).map(|i| {
                let panels = sums.chunks(2 * dim);
                panels.map(|sums| sums[part * dim + i]).sum()
            });
            each.collect()
        };
        let [norm_q, norm_k] = qk_norm_rope.norms;
        [norm_q.map(|_| sum(0)), norm_k.map(|_| sum(1))]
    }
}

/// The sum of `matmuls`, as new panels.
fn sum_of(layout: &PanelLayout, matmuls: &[Matmul]) -> Vec<f32> {
    let mut out = zeros(layout.size(matmuls[0].out_features()));
    linear(layout, 0, matmuls, &mut out, ROWS, |_, _, _| ());
    out
}

/// Panels whose rows are those of `x` times `scale`.
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

/// The sum over tokens of each of `features` features: the gradient of a bias.
fn sum_of_tokens(x: &[f32], features: usize) -> Vec<f32> {
    let mut sums = vec![0.0; features];
    for panel in x.chunks(features * TILE) {
        for (sum, row) in sums.iter_mut().zip(rows(panel)) {
            *sum += row.iter().sum::<f32>();
        }
    }
    sums
}

/// Scales the rows of two weights' gradients by `gamma`, and returns the gradient of `gamma`. For each layer: the
/// gradient and the weight, both `[C, in_features]`, and `in_features`.
fn scale_gradients(gamma: &[f32], layers: [(&mut Vec<f32>, &[f32], usize); 2]) -> Vec<f32> {
    let mut d_gamma = vec![0.0; gamma.len()];
    for (gradient, weight, in_features) in layers {
        let rows = gradient.par_chunks_mut(in_features).zip(weight.par_chunks(in_features));
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
