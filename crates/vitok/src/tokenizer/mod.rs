//! Tokenizers: what turns clips into compact latents and back.
//!
//! ```text
//! Clip -> encode -> Latents -> decode -> Clip      Tokenizer: the ViT, PCA
//! Clip -> reconstruct -> Reconstruction            Codec: every Tokenizer, JPEG, bicubic down and up
//! ```
//!
//! [`load`] opens whatever tokenizer a path holds. [`vit`] is the ViTok auto-encoder; [`baselines`] are
//! simple methods to compare it with; [`batching`] groups clips into batches under a limit of tokens.

pub mod baselines;
pub mod batching;
mod codec;
mod estimate;
mod info;
mod latents;
mod load;
pub mod vit;

pub use codec::{Codec, Reconstruction, Tokenizer};
pub use estimate::Estimator;
pub use info::TokenizerInfo;
pub use latents::{ChannelStatistics, Latents, LatentsInfo};
pub use load::{LoadPart, load};
