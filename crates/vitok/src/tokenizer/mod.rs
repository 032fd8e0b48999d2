//! Tokenizers: what turns clips into compact latents and back.
//!
//! ```text
//! Clip -> encode -> Latents -> decode -> Clip      Tokenizer: the ViT, PCA
//! Clip -> reconstruct -> Reconstruction            Codec: these, and JPEG, bicubic
//! ```
//!
//! [`load`] opens whatever tokenizer a path holds. [`vit`] is the ViTok auto-encoder; [`baselines`] is what it must
//! beat; [`batching`] is the one rule of which clips go through a network together.

pub mod baselines;
pub mod batching;
mod codec;
mod info;
mod latents;
mod load;
pub mod vit;

pub use codec::{Codec, Reconstruction, Tokenizer};
pub use info::TokenizerInfo;
pub use latents::{ChannelStatistics, Latents, LatentsInfo};
pub use load::{LoadPart, load};
