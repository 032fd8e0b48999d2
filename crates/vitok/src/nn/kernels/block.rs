//! A transformer block over panels, forward.

use rayon::prelude::*;

use super::attention::attention;
use super::block_params::{BlockParams, WeightBias};
use super::buffers::{copied, zeros};
use super::elementwise::rows_mut;
use super::gemm::{ROWS, TILE};
use super::linear::{MAX_ROWS, Matmul, add_linear, linear};
use super::norm::normalize;
use super::panels::{Heads, PanelLayout};
use super::rope::QkNormRope;
use super::simd::vectorized;
use super::swiglu::{swiglu, swiglu_panels};

/// Panels that go through the MLP at once: bounds the memory of long sequences.
const GROUP_PANELS: usize = 64;

/// A block's sizes and the values of its parameters.
///
/// ```text
/// sequential (with norm2):    x += attn(norm1(x))    x += mlp(norm2(x))
/// parallel (without):         h = norm1(x)           x += gamma (attn(h) + mlp(h))
/// ```
#[derive(Clone, Copy, Debug)]
pub struct FusedBlock<'a> {
    /// Features C of a token.
    pub width: usize,
    /// Hidden width of the MLP.
    pub hidden: usize,
    pub heads: Heads,
    pub params: BlockParams<&'a [f32]>,
}

/// What the backward pass needs besides the block's input and parameters, in panels.
#[derive(Clone)]
pub struct SavedActivations {
    /// Queries, keys and values before their norms and RoPE.
    pub qkv: Vec<f32>,
    /// Attention's output.
    pub attended: Vec<f32>,
    /// `[panels][heads][TILE]`: log of the sum of exp(score) of each query.
    pub lse: Vec<f32>,
    /// The input of `norm2`; sequential blocks only.
    pub middle: Option<Vec<f32>>,
    /// The output of `fc1`: values and gates of the MLP.
    pub fc1: Vec<f32>,
}

/// Buffers that the blocks of a stack share.
#[derive(Default)]
pub struct Scratch {
    normed: Vec<f32>,
    qkv: Vec<f32>,
    attended: Vec<f32>,
    gated: Vec<f32>,
}

impl<'a> FusedBlock<'a> {
    /// A block with `heads` heads.
    ///
    /// # Panics
    /// If the parameters' sizes do not fit together, or if there are some that neither formula has.
    pub fn new(heads: usize, params: BlockParams<&'a [f32]>) -> Self {
        let width = params.norm1.weight.len();
        let hidden = params.ffn.fc2.weight.len() / width;
        let (attn, ffn) = (&params.attn, &params.ffn);
        let weights = [attn.qkv_proj, attn.out_proj.weight, ffn.fc1.weight, ffn.fc2.weight].map(<[f32]>::len);
        assert_eq!(
            weights,
            [3 * width, width, 2 * hidden, hidden].map(|features| features * width)
        );
        match params.norm2 {
            Some(_) => assert!(params.layer_scale.is_none(), "a sequential block with a layer scale"),
            None => {
                let biased = attn.out_proj.bias.is_some() || ffn.fc2.bias.is_some();
                assert!(!biased, "a parallel block with a bias after attention or MLP");
            }
        }
        Self {
            width,
            hidden,
            heads: Heads {
                count: heads,
                dim: width / heads,
            },
            params,
        }
    }

    /// The norms and RoPE of queries and keys.
    pub(super) fn qk_norm_rope<'l>(&self, layout: &'l PanelLayout) -> QkNormRope<'l>
    where
        'a: 'l,
    {
        QkNormRope {
            heads: self.heads,
            norms: [self.params.attn.norm_q, self.params.attn.norm_k],
            layout,
        }
    }

    /// Panels `x` through the block, in place.
    pub fn forward(&self, layout: &PanelLayout, x: &mut [f32], scratch: &mut Scratch) {
        let (width, hidden) = (self.width, self.hidden);
        let Scratch {
            normed,
            qkv,
            attended,
            gated,
        } = scratch;
        normed.resize(layout.size(width), 0.0);
        qkv.resize(layout.size(3 * width), 0.0);
        let group = GROUP_PANELS.min(layout.panels.len()).max(1);
        attended.resize(group * width * TILE, 0.0);
        gated.resize(group * hidden * TILE, 0.0);

        normalize(self.params.norm1, x, normed);
        let qk_norm_rope = self.qk_norm_rope(layout);
        let matmul = Matmul::new(self.params.attn.qkv_proj, width, 3 * width, normed);
        linear(layout, 0, &[matmul], qkv, self.heads.dim, |rows, panel, out| {
            qk_norm_rope.forward(rows.start, panel, out);
        });
        let size = width * TILE;
        let groups = x.chunks_mut(group * size).zip(normed.chunks_mut(group * size));
        for (g, (x, normed)) in groups.enumerate() {
            let first = g * group;
            let attended = &mut attended[..x.len()];
            let gated = &mut gated[..x.len() / width * hidden];
            attention(layout, self.heads, first, qkv, attended, None);
            if let Some(norm2) = self.params.norm2 {
                self.add_out_proj(layout, first, attended, x);
                normalize(norm2, x, normed);
                self.fc1_swiglu(layout, first, normed, gated);
                self.add_fc2(layout, first, gated, x);
            } else {
                self.fc1_swiglu(layout, first, normed, gated);
                self.add_branches(layout, first, attended, gated, x);
            }
        }
    }

    /// [`forward`](Self::forward) to new panels, saving what the backward pass needs.
    pub fn forward_saving(&self, layout: &PanelLayout, x: &[f32]) -> (Vec<f32>, SavedActivations) {
        let (width, hidden) = (self.width, self.hidden);
        let mut normed = zeros(x.len());
        normalize(self.params.norm1, x, &mut normed);
        let mut qkv = zeros(layout.size(3 * width));
        let matmul = Matmul::new(self.params.attn.qkv_proj, width, 3 * width, &normed);
        linear(layout, 0, &[matmul], &mut qkv, ROWS, |_, _, _| ());
        let rotated = self.rotated(layout, &qkv);
        let mut attended = zeros(x.len());
        let mut lse = zeros(layout.size(self.heads.count));
        attention(layout, self.heads, 0, &rotated, &mut attended, Some(&mut lse));
        drop(rotated);

        let mut y = copied(x);
        let middle = self.params.norm2.map(|norm2| {
            self.add_out_proj(layout, 0, &attended, &mut y);
            normalize(norm2, &y, &mut normed);
            copied(&y)
        });
        let fc1 = self.fc1(layout, &normed);
        let mut gated = zeros(layout.size(hidden));
        swiglu_panels(hidden, &fc1, &mut gated);
        match self.params.norm2 {
            Some(_) => self.add_fc2(layout, 0, &gated, &mut y),
            None => self.add_branches(layout, 0, &attended, &gated, &mut y),
        }
        let saved = SavedActivations {
            qkv,
            attended,
            lse,
            middle,
            fc1,
        };
        (y, saved)
    }

    /// A copy of `qkv` with queries and keys normalized and rotated, and queries scaled.
    pub(super) fn rotated(&self, layout: &PanelLayout, qkv: &[f32]) -> Vec<f32> {
        let mut rotated = copied(qkv);
        let qk_norm_rope = self.qk_norm_rope(layout);
        let panels = rotated.par_chunks_mut(self.heads.panel_size()).enumerate();
        panels.for_each(|(panel, values)| qk_norm_rope.forward(0, panel, values));
        rotated
    }

    /// Adds attention's output projection to `x`.
    fn add_out_proj(&self, layout: &PanelLayout, first: usize, attended: &[f32], x: &mut [f32]) {
        let WeightBias { weight, bias } = self.params.attn.out_proj;
        let matmul = Matmul::new(weight, self.width, self.width, attended);
        add_linear(layout, first, &[matmul], x, |row| (1.0, bias.map_or(0.0, |b| b[row])));
    }

    /// Adds the MLP's second layer to `x`.
    fn add_fc2(&self, layout: &PanelLayout, first: usize, gated: &[f32], x: &mut [f32]) {
        let WeightBias { weight, bias } = self.params.ffn.fc2;
        let matmul = Matmul::new(weight, self.hidden, self.width, gated);
        add_linear(layout, first, &[matmul], x, |row| (1.0, bias.map_or(0.0, |b| b[row])));
    }

    /// The MLP's first layer, values and gates.
    fn fc1(&self, layout: &PanelLayout, normed: &[f32]) -> Vec<f32> {
        let WeightBias { weight, bias } = self.params.ffn.fc1;
        let mut fc1 = zeros(layout.size(2 * self.hidden));
        let matmul = Matmul::new(weight, self.width, 2 * self.hidden, normed);
        linear(layout, 0, &[matmul], &mut fc1, ROWS, |rows, _, out| {
            if let Some(bias) = bias {
                vectorized(
                    #[inline(always)]
                    || add_bias(out, &bias[rows.clone()]),
                );
            }
        });
        fc1
    }

    /// The MLP's first layer and gate, `silu(gate) * value`, without keeping values and gates.
    fn fc1_swiglu(&self, layout: &PanelLayout, first: usize, normed: &[f32], gated: &mut [f32]) {
        let (width, hidden) = (self.width, self.hidden);
        let WeightBias { weight, bias } = self.params.ffn.fc1;
        let values = Matmul::new(weight, width, hidden, normed);
        let gates = Matmul::new(&weight[hidden * width..], width, hidden, normed);
        linear(layout, first, &[values], gated, ROWS, |range, panel, out| {
            let tokens = layout.panels[first + panel].tokens;
            let mut buffer = [0.0; MAX_ROWS * TILE];
            let gate = &mut buffer[..out.len()];
            gates.compute(range.clone(), panel, tokens, gate, false);
            vectorized(
                #[inline(always)]
                || {
                    if let Some(bias) = bias {
                        add_bias(out, &bias[range.clone()]);
                        add_bias(gate, &bias[hidden + range.start..hidden + range.end]);
                    }
                },
            );
            swiglu(out, gate);
        });
    }

    /// Adds attention's output projection and the MLP's second layer, scaled by gamma, to `x`.
    fn add_branches(&self, layout: &PanelLayout, first: usize, attended: &[f32], gated: &[f32], x: &mut [f32]) {
        let (width, hidden) = (self.width, self.hidden);
        let BlockParams {
            attn, ffn, layer_scale, ..
        } = self.params;
        let matmuls = [
            Matmul::new(attn.out_proj.weight, width, width, attended),
            Matmul::new(ffn.fc2.weight, hidden, width, gated),
        ];
        add_linear(layout, first, &matmuls, x, |row| {
            (layer_scale.map_or(1.0, |gamma| gamma[row]), 0.0)
        });
    }
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
