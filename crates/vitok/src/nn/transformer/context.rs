//! What attention needs besides the tokens: RoPE tables and the attention mask of a batch.

use std::sync::Arc;

use burn::tensor::{Bool, Tensor};

use super::config::{Attention, Rope};
use super::mask::{attn_mask, visible_keys};
use super::rope::{RopeTable, rotations};
use crate::env;
use crate::nn::kernels::{self, PanelLayout, SequenceContext};
use crate::patches::{BatchLayout, TokenGrid};

/// Token positions and attention masks of a batch; the same for every block of a stack.
#[derive(Clone, Debug)]
pub struct AttentionContext(pub(super) Kind);

#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a whole stack, and it is never moved"
)]
pub(super) enum Kind {
    /// As tensors, for the composition of Burn's operations on any device.
    Composed {
        rope: RopeTable,
        /// `[B or 1, 1, N, N]`, true where a query must not attend to a key.
        attn_mask: Option<Tensor<4, Bool>>,
    },
    /// As the fused kernels on the CPU take them.
    Fused(Arc<PanelLayout>),
}

impl AttentionContext {
    /// For tokens `x` `[B, N, C]` of `layout` and heads of `head_dim` features: fused where the CPU kernels support `x`,
    /// unless [`VITOK_COMPOSED`](crate::env::COMPOSED) is set.
    pub fn new(x: &Tensor<3>, layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        if kernels::supports(x) && !env::composed() {
            let layout = panel_layout(layout, attention, rope, head_dim);
            return Self(Kind::Fused(Arc::new(layout)));
        }
        Self::composed(x, layout, attention, rope, head_dim)
    }

    /// For the composition of Burn's operations, on the device of `x`.
    pub fn composed(x: &Tensor<3>, layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        Self(Kind::Composed {
            rope: RopeTable::new(rope, layout, head_dim, &x.device()),
            attn_mask: attn_mask(layout, attention, &x.device()),
        })
    }

    /// Whether blocks run as the CPU's fused kernels.
    pub fn is_fused(&self) -> bool {
        matches!(self.0, Kind::Fused(_))
    }
}

/// The batch in panels. Sequences of one token grid share their positions and visible keys.
fn panel_layout(layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> PanelLayout {
    let mut grids: Vec<TokenGrid> = Vec::new();
    let sequences = layout.sequences().iter().map(|sequence| {
        let known = grids.iter().position(|grid| *grid == sequence.grid);
        known.unwrap_or_else(|| {
            grids.push(sequence.grid);
            grids.len() - 1
        })
    });
    let sequences: Vec<usize> = sequences.collect();
    let contexts = grids.into_iter().map(|grid| SequenceContext {
        visible_keys: (0..grid.tokens())
            .map(|query| visible_keys(attention, grid, query))
            .collect(),
        rope: rotations(rope, grid, head_dim),
    });
    let contexts: Vec<SequenceContext> = contexts.collect();
    PanelLayout::new(&contexts, &sequences, layout.length(), head_dim)
}
