//! What a tokenizer must beat to be worth running: codecs of the same size that need no network.
//!
//! - [`Pca`]: patches of p x p pixels projected on their c principal components, the best that any linear codec of the
//!   shape does in squared error; a [`Tokenizer`];
//! - [`Bicubic`]: the image made small until it has about as many values as the latents, and large again;
//! - [`Jpeg`]: for orientation, JPEG at the bytes of the latents in 16-bit floats.

mod bicubic;
mod jpeg;
mod pca;

pub use bicubic::{Bicubic, bicubic_size};
pub use jpeg::Jpeg;
pub use pca::{Pca, PcaFit};

use super::codec::Tokenizer;
use crate::media::ClipShape;
use crate::patches::{TokenGrid, Tubelet};

/// How many values a baseline may keep of a clip: as many as a tokenizer of this tubelet and these channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeSize {
    /// Frames and pixels of a token.
    pub tubelet: Tubelet,
    /// Channels of a token.
    pub channels: usize,
}

impl CodeSize {
    /// That of a tokenizer.
    pub fn of(tokenizer: &dyn Tokenizer) -> Self {
        let (_, channels) = tokenizer.latent_shape(ClipShape::image(1, 1));
        Self {
            tubelet: Tubelet {
                frames: tokenizer.min_frames(),
                patch: tokenizer.patch_size(),
            },
            channels,
        }
    }

    /// L, the tokens of a clip of this shape.
    pub fn tokens(&self, shape: ClipShape) -> usize {
        TokenGrid::covering(shape, self.tubelet).tokens()
    }

    /// E = L * c for a clip of this shape.
    pub fn values(&self, shape: ClipShape) -> usize {
        self.tokens(shape) * self.channels
    }
}
