//! Transformer blocks, wired as the paper's or as ViTok-v2's.

mod attention;
mod block;
mod config;
mod context;
mod mask;
pub(in crate::nn) mod rope;

pub use attention::SelfAttention;
pub use block::{Block, LayerScale};
pub use config::{Attention, BlockKind, Rope, StackConfig};
pub use context::AttentionContext;
pub use mask::{attn_mask, visible_keys};
pub use rope::RopeTable;
