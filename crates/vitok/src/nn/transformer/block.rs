//! One transformer block, wired as the paper's or as v2's.

use std::slice;
use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Bool, Device, DispatchTensor, Tensor};

use super::attention::SelfAttention;
use super::config::{BlockKind, StackConfig};
use super::context::{AttentionContext, Kind};
use super::rope::RopeTable;
use crate::nn::kernels::{self, AttentionParams, BlockParams, MlpParams, PanelLayout, WeightBias};
use crate::nn::linear::Linear;
use crate::nn::mlp::GatedMlp;
use crate::nn::norm::Norm;
use crate::nn::params::uninitialized;

/// Attention and MLP, added to the residual stream.
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
    /// Scale of attention and MLP; parallel blocks only.
    pub layer_scale: Option<LayerScale>,
}

/// A learned scale of each channel.
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
    /// If `context` is fused and the block or `x` is not on the CPU; [`AttentionContext`] is made for the device of both.
    pub fn forward(&self, x: Tensor<3>, heads: usize, context: &AttentionContext) -> Tensor<3> {
        match &context.0 {
            Kind::Composed { rope, attn_mask } => self.composed(x, heads, rope, attn_mask.as_ref()),
            Kind::Fused(layout) => fused(slice::from_ref(self), heads, layout, &x),
        }
    }

    /// [`forward`](Self::forward), composed of Burn's operations.
    fn composed(&self, x: Tensor<3>, heads: usize, rope: &RopeTable, attn_mask: Option<&Tensor<4, Bool>>) -> Tensor<3> {
        let h = self.norm1.forward(x.clone());
        match &self.norm2 {
            Some(norm2) => {
                let x = x + self.attn.forward(h, heads, rope, attn_mask);
                x.clone() + self.ffn.forward(norm2.forward(x))
            }
            None => {
                let branches = self.attn.forward(h.clone(), heads, rope, attn_mask) + self.ffn.forward(h);
                match &self.layer_scale {
                    Some(scale) => x + branches * scale.gamma.val().unsqueeze(),
                    None => x + branches,
                }
            }
        }
    }

    /// The parameters as the kernels take them.
    fn kernel_params(&self) -> BlockParams<DispatchTensor> {
        let Block {
            norm1,
            attn,
            norm2,
            ffn,
            layer_scale,
        } = self;
        BlockParams {
            norm1: norm_params(norm1),
            attn: AttentionParams {
                norm_q: attn.norm_q.as_ref().map(|norm| tensor(&norm.weight)),
                norm_k: attn.norm_k.as_ref().map(|norm| tensor(&norm.weight)),
                qkv_proj: tensor(&attn.qkv_proj.weight),
                out_proj: linear_params(&attn.out_proj),
            },
            norm2: norm2.as_ref().map(norm_params),
            ffn: MlpParams {
                fc1: linear_params(&ffn.fc1),
                fc2: linear_params(&ffn.fc2),
            },
            layer_scale: layer_scale.as_ref().map(|scale| tensor(&scale.gamma)),
        }
    }
}

/// `x` `[B, N, C]` through the blocks of a stack. Fused blocks keep it in panels from the first to the last, so this is
/// faster than one [`Block::forward`] after the other.
///
/// # Panics
/// As [`Block::forward`].
pub fn forward_blocks(blocks: &[Block], heads: usize, context: &AttentionContext, x: Tensor<3>) -> Tensor<3> {
    match &context.0 {
        Kind::Composed { .. } => blocks.iter().fold(x, |x, block| block.forward(x, heads, context)),
        Kind::Fused(layout) => fused(blocks, heads, layout, &x),
    }
}

/// [`forward_blocks`] by the CPU kernels.
fn fused(blocks: &[Block], heads: usize, layout: &Arc<PanelLayout>, x: &Tensor<3>) -> Tensor<3> {
    let params: Vec<_> = blocks.iter().map(Block::kernel_params).collect();
    let y = kernels::forward_blocks(&params, heads, layout, x);
    y.expect("blocks with a fused context are on the CPU")
}

fn tensor<const D: usize>(param: &Param<Tensor<D>>) -> DispatchTensor {
    param.val().into_dispatch()
}

fn norm_params(norm: &Norm) -> WeightBias<DispatchTensor> {
    WeightBias {
        weight: tensor(&norm.weight),
        bias: norm.bias.as_ref().map(tensor),
    }
}

fn linear_params(linear: &Linear) -> WeightBias<DispatchTensor> {
    WeightBias {
        weight: tensor(&linear.weight),
        bias: linear.bias.as_ref().map(tensor),
    }
}
