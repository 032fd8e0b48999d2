//! CPU kernels: slices in, slices out. They depend on neither modules nor tensors; `bridge` alone connects them to
//! Burn.
//!
//! A transformer block is computed in few passes over memory and on all cores:
//!
//! ```text
//! tokens [B, N, C] -> panels -> norm -> q k v -> norm, RoPE -> attention -> MLP -> + residual -> tokens [B, N, C]
//! ```
//!
//! Panels (`panels`) hold 64 tokens each and no padding; windows and causal masks are ranges of keys; scores exist for
//! one panel of queries and one of keys at a time. All matrix products are one (`gemm`). Inference keeps a whole stack
//! in panels; in training each block is one operation of the autodiff graph, with a backward pass written by hand
//! (`block_backward`). A test compares both with the composition of Burn's operations, values and gradients.
//!
//! Convolutions and pools (`conv`, `pool`) are for inference.

mod attention;
mod attention_backward;
mod block;
mod block_backward;
mod block_params;
mod bridge;
mod buffers;
mod conv;
mod elementwise;
mod exp;
mod gemm;
mod linear;
mod norm;
mod panels;
mod planes;
mod pool;
mod rope;
mod simd;
mod softmax;
mod swiglu;

pub use block_params::{AttentionParams, BlockParams, MlpParams, WeightBias};
pub use bridge::{forward_blocks, on_cpu, supports, to_tensor};
pub use conv::Conv;
pub use panels::{PanelLayout, SequenceContext};
pub use pool::{max_pool, sum_pool};
pub use simd::vectorized;
