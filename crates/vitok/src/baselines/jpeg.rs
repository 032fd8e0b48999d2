//! JPEG at a number of bytes.

use std::path::Path;

use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

use crate::pixels::{Picture, ReadOptions, picture_from_bytes};
use crate::{Error, Result};

/// A picture after JPEG.
#[derive(Clone, Debug)]
pub struct Jpeg {
    /// The picture as decoded.
    pub picture: Picture,
    /// Quality, 1 to 100.
    pub quality: u8,
    /// Size of the whole file, headers included.
    pub bytes: usize,
}

/// The picture at the highest quality whose file has at most `bytes` bytes, or at quality 1 if none
/// has. The encoder is the `image` crate's: baseline, without chroma subsampling, standard tables.
///
/// # Errors
/// [`Error::Input`] for pictures JPEG cannot hold.
pub fn jpeg(picture: &Picture, bytes: usize) -> Result<Jpeg> {
    let mut best = encode(picture, 1)?;
    let (mut low, mut high) = (1u8, 100u8);
    while low < high {
        let middle = (low + high).div_ceil(2);
        let file = encode(picture, middle)?;
        if file.len() <= bytes {
            (low, best) = (middle, file);
        } else {
            high = middle - 1;
        }
    }
    Ok(Jpeg {
        quality: low,
        bytes: best.len(),
        picture: picture_from_bytes(Path::new("a JPEG"), best, &ReadOptions::default())?,
    })
}

fn encode(picture: &Picture, quality: u8) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (width, height) = (side(picture.width()), side(picture.height()));
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(picture.rgb(), width, height, ExtendedColorType::Rgb8)
        .map_err(|e| Error::Input(format!("JPEG cannot hold {}: {e}", picture.size())))?;
    Ok(file)
}
