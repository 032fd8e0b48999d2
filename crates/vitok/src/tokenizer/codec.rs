//! The two traits that everything which encodes clips implements.

use super::info::TokenizerInfo;
use super::latents::Latents;
use crate::Result;
use crate::media::{Clip, ClipShape};
use crate::patches::TokenGrid;

/// A clip after a codec.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstruction {
    /// The clip as decoded, of the original's shape.
    pub clip: Clip,
    /// Numbers in the code, E = L * c for a tokenizer; none for a codec that has bytes only (JPEG).
    pub values: Option<usize>,
    /// Bytes of the code: 16-bit floats for a tokenizer's values.
    pub bytes: usize,
}

/// Gives back what it is given, more or less: everything that can be scored.
pub trait Codec: Send + Sync {
    /// Its name in tables, such as a variant or "bicubic".
    fn name(&self) -> String;

    /// Clips through the code and back, each of its original shape. Clips given together may be computed together.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for clips it cannot take or a code that is not finite; [`Error::Device`](crate::Error::Device).
    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>>;

    /// Work for a clip of this shape, in tokens, which bounds how many clips are batched.
    fn cost(&self, shape: ClipShape) -> usize;

    /// Fewest frames it makes sense for: a tubelet's q.
    fn min_frames(&self) -> usize {
        1
    }
}

/// A codec whose code is a grid of latents.
pub trait Tokenizer: Codec {
    /// What latent files say of it.
    fn info(&self) -> TokenizerInfo;

    /// The grid of latents for a clip of this shape, and their channels.
    fn latent_shape(&self, shape: ClipShape) -> (TokenGrid, usize);

    /// Side of a token in pixels: what a token budget is counted in.
    fn patch_size(&self) -> usize;

    /// Clips of any shapes to their latents, as one batch.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for a tokenizer without encoder, or one whose latents are not finite;
    /// [`Error::Device`](crate::Error::Device).
    fn encode(&self, clips: &[Clip]) -> Result<Vec<Latents>>;

    /// Latents of any shapes to clips of their original shapes, as one batch.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the latents do not fit this tokenizer, or it has no decoder; [`Error::Device`](crate::Error::Device).
    fn decode(&self, latents: &[Latents]) -> Result<Vec<Clip>>;

    /// Refuses latents that this tokenizer cannot decode.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument).
    fn check_latents(&self, latents: &Latents) -> Result<()> {
        latents.check_fits(&self.name(), self.latent_shape(latents.shape))
    }
}

/// A tokenizer reconstructs by encoding and decoding.
pub(super) fn reconstruct_by_latents(tokenizer: &dyn Tokenizer, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
    /// Bytes of a 16-bit float.
    const BYTES: usize = 2;
    let latents = tokenizer.encode(clips)?;
    let decoded = tokenizer.decode(&latents)?.into_iter();
    let reconstructions = decoded.zip(&latents).map(|(clip, latents)| Reconstruction {
        clip,
        values: Some(latents.values.len()),
        bytes: BYTES * latents.values.len(),
    });
    Ok(reconstructions.collect())
}
