//! Reading images from files.

mod bmp;
mod canvas;
mod clip;
mod color;
mod decoder;
mod encoded;
mod find;
mod format;
mod frames;
mod gif;
mod ifd;
mod jpeg;
mod libjpeg;
mod libwebp;
mod orientation;
mod png;
mod tiff;
mod truncation;
mod webp;

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

use super::{Image, Size};
use crate::Result;
use decoder::{DecodeResult, Flaw, Pixels};
use encoded::EncodedImage;

pub use clip::{ClipOptions, ClipResize};
pub use find::{READABLE_EXTENSIONS, is_image_content, is_image_path, jumps_of_frames};
pub use frames::{decode_clip, read_clip};

/// What to do with an image file beyond decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Most pixels an image may have, all frames of an animation together. It is checked against
    /// the header, before memory for the pixels is asked for.
    pub max_pixels: u64,
    /// What to do with transparency.
    pub alpha: Alpha,
    /// Which orientations to turn an image by.
    pub upright: Upright,
    /// How to make 8 bits of 16.
    pub sixteen_bits: SixteenBits,
}

/// What becomes of transparency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// The color channels as they are stored, also where nothing of them would be seen.
    Drop,
    /// The image laid over this RGB color, blended in the file's own values.
    Over([u8; 3]),
}

/// Which images are turned as their metadata say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upright {
    /// Those with an orientation in EXIF, XMP or TIFF tags.
    All,
    /// TIFF files only: Pillow turns them while it loads them, and no others.
    TiffOnly,
}

/// How 16-bit channels become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SixteenBits {
    /// Rounded to the nearest of 255 steps.
    Round,
    /// The upper half, as Pillow reads color images.
    HighByte,
}

impl ReadOptions {
    /// What Pillow's `Image.open(path).convert("RGB")` gives: transparency dropped, nothing but TIFF turned, the upper half
    /// of 16 bits.
    ///
    /// Gray of 16 bits and of floats is scaled to 0 to 255 all the same; Pillow cuts it off there, and nearly all of such
    /// an image is white.
    pub fn as_pillow() -> Self {
        Self {
            alpha: Alpha::Drop,
            upright: Upright::TiffOnly,
            sixteen_bits: SixteenBits::HighByte,
            ..Self::default()
        }
    }
}

/// Up to 2^28 pixels (16384 x 16384), transparency over white, upright.
impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_pixels: 1 << 28,
            alpha: Alpha::default(),
            upright: Upright::All,
            sixteen_bits: SixteenBits::Round,
        }
    }
}

/// Over white, as a web page or a viewer would show it.
impl Default for Alpha {
    fn default() -> Self {
        Alpha::Over([255; 3])
    }
}

/// Reads a JPEG, PNG, WebP, GIF, BMP or TIFF image; its content decides which, not its name. Of
/// an animation this is the first frame, or the still image an animated PNG has for programs
/// that do not know animations.
///
/// The result is upright, unless `options` say otherwise: an EXIF, XMP or TIFF orientation is applied. Gray and palette
/// images become RGB. 16-bit channels are rounded to 8 bits. Transparency is dealt with as `options` say. Float channels
/// (TIFF) are taken for 0 to 1. Color profiles and gamma are ignored, so the bytes are those of the file; CMYK is converted
/// by the plain formula without a profile.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if the file cannot be read; [`Error::ImageTooLarge`](crate::Error::ImageTooLarge) if it
/// announces more pixels than `options` allow; [`Error::Image`](crate::Error::Image) if it is no image, cut short, damaged
/// or of a kind that is not supported, such as a float TIFF with values beyond 0 to 1.
pub fn read_image(path: &Path, options: &ReadOptions) -> Result<Image> {
    EncodedImage::read(path, options)?.still()
}

/// The size an image file announces, before it is turned upright.
///
/// # Errors
/// As [`read_image`], as far as the header tells.
pub fn image_size(path: &Path, options: &ReadOptions) -> Result<Size> {
    let source = EncodedImage::read(path, options)?;
    let (width, height) = source.with_header(|decoder| Ok(decoder.size()))?;
    Ok(Size::new(width as usize, height as usize))
}

/// The bytes of an image file, for [`decode_image`] and [`decode_clip`]: who must know which bytes an image was made of
/// reads in these two steps.
///
/// # Errors
/// As [`read_image`], as far as the first bytes and the size of the file tell.
pub fn read_encoded(path: &Path, options: &ReadOptions) -> Result<Vec<u8>> {
    Ok(EncodedImage::read(path, options)?.into_bytes())
}

/// [`read_image`] of a file that is in memory already; `name` is for messages.
///
/// # Errors
/// As [`read_image`].
pub fn decode_image(name: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Image> {
    EncodedImage::of_bytes(name, bytes, options)?.still()
}

impl EncodedImage<'_> {
    fn still(&self) -> Result<Image> {
        self.decode(|decoder| {
            let orientation = decoder.orientation();
            to_image(decoder.still()?, orientation, self)
        })
    }
}

/// An RGB image of decoded pixels, turned the way its metadata say.
fn to_image(pixels: Pixels, orientation: Orientation, source: &EncodedImage<'_>) -> DecodeResult<Image> {
    let options = source.options;
    let (width, height) = (pixels.width, pixels.height);
    let fewer = || Flaw::Damaged("the decoder returned fewer pixels than announced".into());
    let mut rgb = RgbImage::from_raw(width, height, color::to_rgb(pixels, options)?).ok_or_else(fewer)?;
    if orientation != Orientation::NoTransforms
        && (options.upright == Upright::All || source.format == ImageFormat::Tiff)
    {
        let mut image = DynamicImage::ImageRgb8(rgb);
        image.apply_orientation(orientation);
        rgb = image.into_rgb8();
    }
    let (width, height) = (rgb.width() as usize, rgb.height() as usize);
    Image::new(width, height, rgb.into_raw()).map_err(|_| fewer())
}
