//! JPEG at a number of bytes.

use std::path::Path;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use super::CodeSize;
use crate::media::{Clip, ClipShape, Image, ReadOptions, decode_image};
use crate::tokenizer::{Codec, Reconstruction};
use crate::{Error, Result};

/// Every frame as the JPEG of highest quality whose file has at most the bytes of the latents in 16-bit floats, or of
/// quality 1 if none has. The encoder is the `image` crate's: baseline, without chroma subsampling, standard tables.
#[derive(Clone, Copy, Debug)]
pub struct Jpeg {
    /// How many values the latents have that it stands beside.
    pub size: CodeSize,
}

/// Bytes of a latent value in 16-bit floats.
const BYTES: usize = 2;

impl Codec for Jpeg {
    fn name(&self) -> String {
        "JPEG".into()
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        let one = |clip: &Clip| -> Result<Reconstruction> {
            let shape = clip.shape();
            let most = BYTES * self.size.values(shape) / shape.frames;
            let (mut bytes, mut lowest) = (0, 100);
            let frame = |frame: Image| {
                let (quality, file) = encode_within(&frame, most)?;
                bytes += file.len();
                lowest = lowest.min(quality);
                decode_image(Path::new("a JPEG"), file, &ReadOptions::default())
            };
            let clip = clip.clone().map(frame)?;
            Ok(Reconstruction {
                clip,
                values: None,
                bytes,
                quality: Some(lowest),
            })
        };
        clips.iter().map(one).collect()
    }

    fn tokens(&self, shape: ClipShape) -> usize {
        self.size.tokens(shape)
    }
}

/// The highest quality whose file has at most `bytes` bytes, found by bisection, and that file.
fn encode_within(image: &Image, bytes: usize) -> Result<(u8, Vec<u8>)> {
    let mut best = encode(image, 1)?;
    let (mut low, mut high) = (1u8, 100u8);
    while low < high {
        let middle = (low + high).div_ceil(2);
        let file = encode(image, middle)?;
        if file.len() <= bytes {
            (low, best) = (middle, file);
        } else {
            high = middle - 1;
        }
    }
    Ok((low, best))
}

fn encode(image: &Image, quality: u8) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (width, height) = (side(image.width()), side(image.height()));
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(image.rgb(), width, height, ExtendedColorType::Rgb8)
        .map_err(|e| Error::InvalidArgument(format!("JPEG cannot hold {}: {e}", image.size())))?;
    Ok(file)
}
