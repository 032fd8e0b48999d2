//! Reading images from files.

mod clip;
mod color;
mod encoded;
mod find;
mod frames;
mod truncation;

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ExtendedColorType, ImageDecoder, ImageFormat, RgbImage};
use libjpeg_turbo_rs::PixelFormat;

use super::{Image, Size};
use crate::{Error, Result};
use encoded::EncodedImage;

pub use clip::{ClipOptions, ClipResize};
pub use color::Alpha;
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
    /// Whether to turn the image as its EXIF or TIFF orientation says.
    pub upright: bool,
}

impl ReadOptions {
    /// What Pillow's `Image.open(path).convert("RGB")` gives: transparency dropped, nothing turned.
    pub fn as_pillow() -> Self {
        Self {
            alpha: Alpha::Drop,
            upright: false,
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
            upright: true,
        }
    }
}

/// Reads a JPEG, PNG, WebP, GIF, BMP or TIFF image; its content decides which, not its name. Of
/// an animation this is the first frame, or the still image an animated PNG has for programs
/// that do not know animations.
///
/// The result is upright, unless `options` say otherwise: an EXIF or TIFF orientation is applied. Gray and palette images become
/// RGB. 16-bit channels are rounded to 8 bits. Transparency is dealt with as `options` say. RGB
/// float channels (TIFF) are taken for 0 to 1. Color profiles and gamma are ignored, so the bytes are
/// those of the file; CMYK is converted by the plain formula without a profile.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::ImageTooLarge`] if it announces more
/// pixels than `options` allow; [`Error::Image`] if it is no image, cut short, damaged or of a
/// kind that is not supported, such as a float TIFF with values beyond 0 to 1.
pub fn read_image(path: &Path, options: &ReadOptions) -> Result<Image> {
    EncodedImage::read(path, options)?.still(options)
}

/// The size an image file announces, before it is turned upright.
///
/// # Errors
/// As [`read_image`], as far as the header tells.
pub fn image_size(path: &Path, options: &ReadOptions) -> Result<Size> {
    let source = EncodedImage::read(path, options)?;
    source.guarded(|| {
        let (width, height) = source.decoder()?.dimensions();
        source.check_size((width, height))?;
        Ok(Size::new(width as usize, height as usize))
    })
}

/// The bytes of an image file, for [`decode_image`] and [`decode_clip`]: who must know which bytes an image was made of
/// reads in these two steps.
///
/// # Errors
/// As [`read_image`], as far as the first bytes and the size of the file tell.
pub fn read_encoded(path: &Path, options: &ReadOptions) -> Result<Vec<u8>> {
    Ok(EncodedImage::read(path, options)?.bytes)
}

/// [`read_image`] of a file that is in memory already; `name` is for messages.
///
/// # Errors
/// As [`read_image`].
pub fn decode_image(name: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Image> {
    EncodedImage::of_bytes(name, bytes, options)?.still(options)
}

impl EncodedImage<'_> {
    fn still(&self, options: &ReadOptions) -> Result<Image> {
        self.guarded(|| self.decode_still(self.decoder()?, options))
    }

    /// Decodes the one image of `decoder`, after checking its size and the end of the file.
    fn decode_still(&self, mut decoder: Box<dyn ImageDecoder + '_>, options: &ReadOptions) -> Result<Image> {
        self.check_size(decoder.dimensions())?;
        self.check_whole()?;
        let failed = |e| self.decoding_error(e);
        decoder.set_limits(self.limits(decoder.dimensions())).map_err(failed)?;
        let orientation = decoder.orientation().map_err(failed)?;
        let (width, height) = decoder.dimensions();
        let rgb = match self.format {
            // CMYK is left to the other decoder, which converts it.
            ImageFormat::Jpeg if decoder.original_color_type() != ExtendedColorType::Cmyk8 => {
                self.jpeg((width, height))?
            }
            _ => {
                let color = decoder.color_type();
                let bytes = usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX);
                let mut raw = vec![0; bytes];
                decoder.read_image_boxed(&mut raw).map_err(failed)?;
                color::to_rgb(raw, color, options.alpha).map_err(|r| self.refused(r))?
            }
        };
        self.turned(rgb, width, height, orientation, options)
    }

    /// The pixels of a JPEG, with the bits of libjpeg-turbo, which Pillow and torchvision decode with:
    /// another rounding of chroma moves a Frechet distance by percents.
    fn jpeg(&self, size: (u32, u32)) -> Result<Vec<u8>> {
        let decoded = libjpeg_turbo_rs::decompress_to(&self.bytes, PixelFormat::Rgb)
            .map_err(|e| self.refused(format!("a damaged JPEG: {e}")))?;
        match (decoded.width as u32, decoded.height as u32) == size {
            true => Ok(decoded.data),
            false => Err(self.refused("its headers disagree about its size".into())),
        }
    }

    /// An image of decoded bytes, turned the way its metadata say.
    fn turned(
        &self,
        rgb: Vec<u8>,
        width: u32,
        height: u32,
        orientation: Orientation,
        options: &ReadOptions,
    ) -> Result<Image> {
        let Some(buffer) = RgbImage::from_raw(width, height, rgb) else {
            return Err(self.refused("the decoder returned fewer pixels than announced".into()));
        };
        let mut image = DynamicImage::ImageRgb8(buffer);
        if options.upright {
            image.apply_orientation(orientation);
        }
        let (width, height) = (image.width() as usize, image.height() as usize);
        Image::new(width, height, image.into_rgb8().into_raw())
    }

    fn refused(&self, reason: String) -> Error {
        Error::Image {
            path: self.path.to_owned(),
            reason,
        }
    }
}
