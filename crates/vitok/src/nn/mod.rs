//! Layers of transformers and of the networks that compute features: compositions of Burn's operations that run on every
//! device, and CPU kernels beside them.
//!
//! Linear weights are kept `[out, in]` and every field is named as in the ViTok-v2 files, so a parameter's path in the
//! module tree is its name on disk and loading needs no table of names. Layers are made without values;
//! [`params::fill`] gives them some.

mod activation;
pub(crate) mod conv;
pub mod init;
pub(crate) mod kernels;
mod linear;
mod mlp;
mod norm;
pub mod params;
mod transformer;
pub(crate) mod window;

pub use linear::Linear;
pub use mlp::GatedMlp;
pub use norm::{Norm, layer_norm};
pub use transformer::{
    Attention, AttentionContext, Block, BlockKind, LayerScale, Rope, RopeTable, SelfAttention, StackConfig,
    forward_blocks,
};
