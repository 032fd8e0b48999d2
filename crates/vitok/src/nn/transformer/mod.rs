//! Transformer blocks, wired as the paper's or as ViTok-v2's.

mod attention;
mod block;
mod config;
mod context;
mod mask;
mod rope;

pub use attention::SelfAttention;
pub use block::{Block, LayerScale, forward_blocks};
pub use config::{Attention, BlockKind, Rope, StackConfig};
pub use context::AttentionContext;
pub use rope::RopeTable;
