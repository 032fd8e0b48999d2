//! Reading picture files.
//!
//! The content decides the format, not the name. Everything becomes 8-bit RGB: grey and palettes are
//! expanded, 16-bit values are rounded, alpha is dropped or put over a colour. EXIF orientation is
//! applied, so a picture is as its viewer shows it. The header's size is checked before any pixel
//! is allocated.

use std::io::Cursor;
use std::path::Path;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::Picture;
use crate::{Error, Result};

/// What becomes of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// Colours are taken as stored (what Pillow's `convert("RGB")` does).
    Drop,
    /// The picture is put over this colour.
    Over([u8; 3]),
}

/// How pictures are read.
#[derive(Clone, Copy, Debug)]
pub struct ReadOptions {
    /// Largest allowed number of pixels; of all frames together for animations.
    pub max_pixels: u64,
    /// What becomes of transparency.
    pub alpha: Alpha,
}

impl Default for ReadOptions {
    /// 2^28 pixels (16,384 x 16,384), alpha over white.
    fn default() -> Self {
        Self {
            max_pixels: 1 << 28,
            alpha: Alpha::Over([255; 3]),
        }
    }
}

/// Reads a picture; of an animation, the first frame.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::PictureTooLarge`] before anything is
/// allocated for it, [`Error::Picture`] if it is no picture, cut short or otherwise damaged.
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<Picture> {
    let source = Source::open(path, options)?;
    let mut decoder = source.decoder()?;
    source.check_size(decoder.dimensions(), 1)?;
    let orientation = decoder.orientation().map_err(|e| source.damaged(&e))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(|e| source.damaged(&e))?;
    image.apply_orientation(orientation);
    to_picture(image, options.alpha)
}

/// Reads up to `max_frames` frames of a GIF, APNG or WebP animation; a still has one.
///
/// # Errors
/// As [`read_picture`].
pub fn read_frames(path: &Path, options: &ReadOptions, max_frames: usize) -> Result<Vec<Picture>> {
    let source = Source::open(path, options)?;
    source.check_size(source.decoder()?.dimensions(), 1)?;
    let bytes = || Cursor::new(source.bytes.as_slice());
    let damaged = |e: &image::ImageError| source.damaged(e);
    let frames = match source.format {
        ImageFormat::Gif => GifDecoder::new(bytes()).map_err(|e| damaged(&e))?.into_frames(),
        ImageFormat::WebP => {
            let decoder = WebPDecoder::new(bytes()).map_err(|e| damaged(&e))?;
            if !decoder.has_animation() {
                return Ok(vec![read_picture(path, options)?]);
            }
            decoder.into_frames()
        }
        ImageFormat::Png => {
            let decoder = PngDecoder::new(bytes()).map_err(|e| damaged(&e))?;
            if !decoder.is_apng().map_err(|e| damaged(&e))? {
                return Ok(vec![read_picture(path, options)?]);
            }
            decoder.apng().map_err(|e| damaged(&e))?.into_frames()
        }
        _ => return Ok(vec![read_picture(path, options)?]),
    };
    let mut pictures = Vec::new();
    for frame in frames.take(max_frames) {
        let frame = frame.map_err(|e| damaged(&e))?.into_buffer();
        source.check_size(frame.dimensions(), pictures.len() as u64 + 1)?;
        pictures.push(to_picture(DynamicImage::ImageRgba8(frame), options.alpha)?);
    }
    if pictures.is_empty() {
        return Err(source.bad("it has no frames".into()));
    }
    Ok(pictures)
}

/// A file's bytes and what they are.
struct Source<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
    format: ImageFormat,
    max_pixels: u64,
}

impl<'a> Source<'a> {
    fn open(path: &'a Path, options: &ReadOptions) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, "read", e))?;
        let bad = |reason: &str| Error::Picture {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        if bytes.is_empty() {
            return Err(bad("the file is empty"));
        }
        let supported = "not a picture in a supported format (JPEG, PNG, WebP, GIF, BMP, TIFF)";
        let format = image::guess_format(&bytes).map_err(|_| bad(supported))?;
        if !format.reading_enabled() {
            return Err(bad(supported));
        }
        if format == ImageFormat::Jpeg && !jpeg_is_whole(&bytes) {
            return Err(bad(
                "the JPEG is cut short: its end is missing (an incomplete download or copy?)",
            ));
        }
        Ok(Self {
            path,
            bytes,
            format,
            max_pixels: options.max_pixels,
        })
    }

    fn decoder(&self) -> Result<impl ImageDecoder + '_> {
        let mut reader = ImageReader::with_format(Cursor::new(self.bytes.as_slice()), self.format);
        let mut limits = Limits::default();
        // 16-bit RGBA of the largest allowed picture, and room for a decoder's own tables.
        limits.max_alloc = Some(self.max_pixels.saturating_mul(8).saturating_add(64 << 20));
        reader.limits(limits);
        reader.into_decoder().map_err(|e| self.damaged(&e))
    }

    fn check_size(&self, (width, height): (u32, u32), frames: u64) -> Result<()> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels.saturating_mul(frames) > self.max_pixels {
            return Err(Error::PictureTooLarge {
                path: self.path.to_owned(),
                width,
                height,
                limit: self.max_pixels,
            });
        }
        if pixels == 0 {
            return Err(self.bad("it has no pixels".into()));
        }
        Ok(())
    }

    fn bad(&self, reason: String) -> Error {
        Error::Picture {
            path: self.path.to_owned(),
            reason,
        }
    }

    fn damaged(&self, error: &image::ImageError) -> Error {
        let format = self.format.extensions_str().first().unwrap_or(&"picture");
        self.bad(format!("cannot decode this {}: {error}", format.to_uppercase()))
    }
}

fn to_picture(image: DynamicImage, alpha: Alpha) -> Result<Picture> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let rgb = match alpha {
        Alpha::Over(background) if image.color().has_alpha() => {
            let rgba = image.into_rgba8().into_raw();
            let over = rgba.chunks_exact(4).flat_map(|p| {
                let a = u32::from(p[3]);
                let blend = |c: usize| {
                    let sum = u32::from(p[c]) * a + u32::from(background[c]) * (255 - a);
                    ((sum + 127) / 255) as u8
                };
                [blend(0), blend(1), blend(2)]
            });
            over.collect()
        }
        _ => image.into_rgb8().into_raw(),
    };
    Picture::new(width, height, rgb)
}

/// Whether a JPEG reaches its end-of-image marker.
///
/// Decoders fill what is missing with grey, so a picture cut short would pass as whole. Bytes after
/// the end (as some cameras leave) are fine.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    let mut at = 2; // after the start-of-image marker
    loop {
        // Find the next marker; inside entropy-coded data FF00 is a value and FFD0-D7 restarts.
        let Some(gap) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xFF)) else {
            return false;
        };
        at += gap + 1;
        match bytes.get(at) {
            None => return false,
            Some(0xD9) => return true,
            Some(0x00 | 0x01 | 0xD0..=0xD8) => at += 1,
            Some(0xFF) => {} // fill byte
            Some(_) => {
                let Some(length) = bytes.get(at + 1..at + 3) else {
                    return false;
                };
                // The segment's length counts itself but not the marker.
                at += 1 + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
            }
        }
    }
}
