//! Multi-head self-attention with rotary position embedding.

use burn::module::Module;
use burn::tensor::{Bool, Device, Tensor, module};

use super::config::{BlockKind, StackConfig};
use super::rope::RopeTable;
use crate::nn::linear::Linear;
use crate::nn::norm::Norm;

/// `softmax(q k^T / sqrt(d)) v`, its projections, and v2's RMSNorm of q and k.
#[derive(Module, Debug)]
pub struct SelfAttention {
    /// `[d]`, on every query head (v2).
    pub norm_q: Option<Norm>,
    /// `[d]`, on every key head (v2).
    pub norm_k: Option<Norm>,
    /// `[3C, C]`, in (q k v, head, d) order; no bias.
    pub qkv_proj: Linear,
    /// `[C, C]`; with a bias in sequential blocks.
    pub out_proj: Linear,
}

impl SelfAttention {
    /// An uninitialized layer.
    pub fn new(stack: &StackConfig, kind: BlockKind, device: &Device) -> Self {
        let width = stack.width;
        let qk_norm = kind == BlockKind::Parallel;
        let norm = || qk_norm.then(|| Norm::rms(stack.head_dim(), device));
        Self {
            norm_q: norm(),
            norm_k: norm(),
            qkv_proj: Linear::new(width, 3 * width, false, device),
            out_proj: Linear::new(width, width, kind == BlockKind::Sequential, device),
        }
    }

    /// `[B, N, C]` -> `[B, N, C]`.
    ///
    /// `attn_mask`: `[B or 1, 1, N, N]`, true where a query must not attend to a key.
    pub fn forward(
        &self,
        x: Tensor<3>,
        heads: usize,
        rope: &RopeTable,
        attn_mask: Option<&Tensor<4, Bool>>,
    ) -> Tensor<3> {
        let [b, n, width] = x.dims();
        let head_dim = width / heads;
        let qkv = self
            .qkv_proj
            .forward(x)
            .reshape([b, n, 3, heads, head_dim])
            .permute([2, 0, 3, 1, 4]); // [3, B, heads, N, d]
        let part = |i| qkv.clone().narrow(0, i, 1).squeeze_dim::<4>(0);
        let normed = |x, norm: &Option<Norm>| match norm {
            Some(norm) => norm.forward(x),
            None => x,
        };
        let q = rope.rotate(normed(part(0), &self.norm_q));
        let k = rope.rotate(normed(part(1), &self.norm_k));
        let mask = attn_mask.map(|attn_mask| attn_mask.clone().expand([b, heads, n, n]));
        let y = module::attention(q, k, part(2), mask, None, Default::default());
        self.out_proj.forward(y.swap_dims(1, 2).reshape([b, n, width]))
    }
}
