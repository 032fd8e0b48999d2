//! Opening whatever tokenizer a path holds.

use std::path::Path;

use burn::tensor::Device;

use super::baselines::Pca;
use super::codec::Tokenizer;
use super::vit::VitTokenizer;
use crate::Result;

/// Which part of a tokenizer to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoadPart {
    /// Encoder and decoder.
    Both,
    /// The encoder alone.
    Encoder,
    /// The decoder alone.
    Decoder,
}

/// Loads a tokenizer: a model's folder or safetensors file ([`VitTokenizer::load`]), or a PCA ([`Pca::load`]).
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) or [`Error::Weights`](crate::Error::Weights), as these.
pub fn load(path: &Path, part: LoadPart, device: &Device) -> Result<Box<dyn Tokenizer>> {
    if path.is_file() && Pca::is_pca(path) {
        return Ok(Box::new(Pca::load(path)?));
    }
    Ok(Box::new(VitTokenizer::load(path, part, None, device)?))
}
