//! What attention needs besides the tokens: RoPE tables and the attention mask of a batch.

use std::sync::Arc;

use burn::tensor::{Bool, Tensor};

use super::config::{Attention, Rope};
use super::mask::attn_mask;
use super::rope::RopeTable;
use crate::env;
use crate::nn::kernels::{self, PanelLayout};
use crate::patches::BatchLayout;

/// Positions and masks; the same for every block of a stack.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a whole stack, and it is never moved"
)]
pub enum AttentionContext {
    /// As tensors, for the composition of Burn's operations on any device.
    Composed {
        /// RoPE cosines and sines.
        rope: RopeTable,
        /// `[B or 1, 1, N, N]`, true where a query must not attend to a key.
        attn_mask: Option<Tensor<4, Bool>>,
    },
    /// As the fused kernels on the CPU take them.
    Fused(Arc<PanelLayout>),
}

impl AttentionContext {
    /// For tokens `x` `[B, N, C]` of `layout` and heads of `head_dim` values: fused where the kernels support `x`,
    /// unless [`VITOK_COMPOSED`](crate::env::COMPOSED) is set.
    pub fn new(x: &Tensor<3>, layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        if kernels::supports(x) && !env::composed() {
            return Self::Fused(Arc::new(PanelLayout::new(layout, attention, rope, head_dim)));
        }
        Self::composed(x, layout, attention, rope, head_dim)
    }

    /// For the composition, on the device of `x`.
    pub fn composed(x: &Tensor<3>, layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        Self::Composed {
            rope: RopeTable::new(rope, layout, head_dim, &x.device()),
            attn_mask: attn_mask(layout, attention, &x.device()),
        }
    }
}
