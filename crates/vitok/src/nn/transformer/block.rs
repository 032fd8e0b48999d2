//! One transformer block, wired as the paper's or as v2's.

use std::slice;

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

use super::attention::SelfAttention;
use super::config::{BlockKind, StackConfig};
use super::context::AttentionContext;
use crate::nn::kernels;
use crate::nn::params::uninitialized;
use crate::nn::{GatedMlp, Norm};

/// Attention and MLP around a residual stream.
#[derive(Module, Debug)]
pub struct Block {
    /// LayerNorm (sequential) or RMSNorm (parallel) before attention.
    pub norm1: Norm,
    /// Attention.
    pub attn: SelfAttention,
    /// LayerNorm before the MLP; sequential blocks only.
    pub norm2: Option<Norm>,
    /// Gated MLP.
    pub ffn: GatedMlp,
    /// Scale of the branch; parallel blocks only.
    pub layer_scale: Option<LayerScale>,
}

/// A learned scale for each channel.
#[derive(Module, Debug)]
pub struct LayerScale {
    /// `[C]`.
    pub gamma: Param<Tensor<1>>,
}

impl Block {
    /// An uninitialized block.
    pub fn new(stack: &StackConfig, kind: BlockKind, device: &Device) -> Self {
        let width = stack.width;
        let sequential = kind == BlockKind::Sequential;
        Self {
            norm1: match kind {
                BlockKind::Sequential => Norm::layer(width, device),
                BlockKind::Parallel => Norm::rms(width, device),
            },
            attn: SelfAttention::new(stack, kind, device),
            norm2: sequential.then(|| Norm::layer(width, device)),
            ffn: GatedMlp::new(width, stack.hidden, sequential, device),
            layer_scale: (!sequential).then(|| LayerScale {
                gamma: uninitialized([width], device),
            }),
        }
    }

    /// `[B, N, C]` -> `[B, N, C]`.
    ///
    /// # Panics
    /// If `context` is fused and the block or `x` is not in memory; [`AttentionContext`] is made for the device
    /// of both.
    pub fn forward(&self, x: Tensor<3>, heads: usize, context: &AttentionContext) -> Tensor<3> {
        let (rope, attn_mask) = match context {
            AttentionContext::Composed { rope, attn_mask } => (rope, attn_mask.as_ref()),
            AttentionContext::Fused(geometry) => {
                let fused = kernels::forward_blocks(slice::from_ref(self), heads, geometry, &x);
                return fused.expect("a fused context is for tensors in memory");
            }
        };
        let h = self.norm1.forward(x.clone());
        match &self.norm2 {
            Some(norm2) => {
                let x = x + self.attn.forward(h, heads, rope, attn_mask);
                x.clone() + self.ffn.forward(norm2.forward(x))
            }
            None => {
                let branch = self.attn.forward(h.clone(), heads, rope, attn_mask) + self.ffn.forward(h);
                match &self.layer_scale {
                    Some(scale) => x + branch * scale.gamma.val().unsqueeze(),
                    None => x + branch,
                }
            }
        }
    }
}
