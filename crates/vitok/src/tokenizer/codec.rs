//! The two traits: a [`Codec`] compresses and reconstructs clips, a [`Tokenizer`] also exposes its latents.

use super::info::TokenizerInfo;
use super::latents::Latents;
use crate::Result;
use crate::media::{Clip, ClipShape};
use crate::patches::TokenGrid;
use crate::weights::Dtype;

/// The result of compressing and decompressing a clip.
#[derive(Clone, Debug, PartialEq)]
pub struct Reconstruction {
    /// The clip as decoded, of the original's shape.
    pub clip: Clip,
    /// Values of the compressed representation: E = L * c for a tokenizer, L tokens of c channels (the paper's letters);
    /// none for a codec that has bytes only (JPEG).
    pub values: Option<usize>,
    /// Bytes of the compressed representation. For a tokenizer nominal: two for each value, which is not rounded to them.
    pub bytes: usize,
    /// The quality setting of a codec that has one and chooses it (JPEG, 1 to 100); of several frames the lowest.
    pub quality: Option<u8>,
}

/// A lossy round trip from clip to clip. Evaluation works on any.
pub trait Codec: Send + Sync {
    /// Its name in tables, such as "S-B/16" or "bicubic".
    fn name(&self) -> String;

    /// Clips compressed and decompressed, each of its original shape. All clips are one batch, whose size the
    /// caller bounds (`tokenizer::batching`).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) for clips it cannot take or values that are not finite; [`Error::Device`](crate::Error::Device).
    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>>;

    /// How many tokens a clip of this shape takes, which bounds how many clips are batched. A baseline without tokens
    /// answers with those of the tokenizer it stands beside.
    fn tokens(&self, shape: ClipShape) -> usize;

    /// Multiply-adds of a clip of this shape, encoding and decoding together; none where time does not follow from them.
    fn macs(&self, shape: ClipShape) -> Option<u64> {
        let _ = shape;
        None
    }

    /// Frames of a tubelet (the temporal patch size): shorter clips are padded. 1 for codecs of images.
    fn min_frames(&self) -> usize {
        1
    }
}

/// A codec whose compressed representation is a grid of latents.
pub trait Tokenizer: Codec {
    /// Which tokenizer it is and what it computes, as stored in latent files.
    fn info(&self) -> TokenizerInfo;

    /// A SHA-256 of all that its reconstructions depend on: settings, and every value of the encoder and the decoder. The
    /// fingerprint of [`info`](Self::info) tells encoders apart by samples of their weights; this is proof.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) if the weights cannot be read from their device.
    fn digest(&self) -> Result<String>;

    /// The token grid for a clip of this shape, and the channels of a token.
    fn latent_shape(&self, shape: ClipShape) -> (TokenGrid, usize);

    /// Side of a patch in pixels.
    fn patch_size(&self) -> usize;

    /// Clips to their latents. Their shapes may differ: all are one batch, whose size the caller bounds
    /// (`tokenizer::batching`).
    ///
    /// # Errors
    /// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if there is no encoder, or it gives NaN or infinity;
    /// [`Error::Device`](crate::Error::Device).
    fn encode(&self, clips: &[Clip]) -> Result<Vec<Latents>>;

    /// Latents to clips of their original shapes, as one batch like [`encode`](Self::encode)'s.
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

/// [`Codec::reconstruct`] of every tokenizer: encode, then decode.
pub(super) fn reconstruct_by_latents(tokenizer: &dyn Tokenizer, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
    let latents = tokenizer.encode(clips)?;
    let decoded = tokenizer.decode(&latents)?.into_iter();
    let reconstructions = decoded.zip(&latents).map(|(clip, latents)| Reconstruction {
        clip,
        values: Some(latents.values.len()),
        bytes: Dtype::F16.bytes() * latents.values.len(),
        quality: None,
    });
    Ok(reconstructions.collect())
}
