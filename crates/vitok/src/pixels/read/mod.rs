//! Reading pictures from files.

mod colour;
mod find;
mod frames;
mod source;
mod whole;

use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, RgbImage};

use super::{Picture, Size};
use crate::{Error, Result};
use source::Source;

pub use colour::Alpha;
pub use find::{READABLE_EXTENSIONS, find_pictures, is_picture_path};
pub use frames::{read_animation, read_frames};

/// What to do with a picture file beyond decoding it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Most pixels a picture may have, all frames of an animation together. It is checked against
    /// the header, before memory for the pixels is asked for.
    pub max_pixels: u64,
    /// What to do with transparency.
    pub alpha: Alpha,
}

/// Up to 2^28 pixels (16384 x 16384), transparency over white.
impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            max_pixels: 1 << 28,
            alpha: Alpha::default(),
        }
    }
}

/// Reads a JPEG, PNG, WebP, GIF, BMP or TIFF picture; its content decides which, not its name. Of
/// an animation this is the first frame, or the still picture an animated PNG has for programs
/// that do not know animations.
///
/// The result is upright: an EXIF or TIFF orientation is applied. Grey and palette pictures become
/// RGB. 16-bit channels are rounded to 8 bits. Transparency is dealt with as `options` say. RGB
/// float channels (TIFF) are taken for 0 to 1. Colour profiles and gamma are ignored, so the bytes are
/// those of the file; CMYK is converted by the plain formula without a profile.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::PictureTooLarge`] if it announces more
/// pixels than `options` allow; [`Error::Picture`] if it is no picture, cut short, damaged or of a
/// kind that is not supported, such as a float TIFF with values beyond 0 to 1.
pub fn read_picture(path: &Path, options: &ReadOptions) -> Result<Picture> {
    Source::read(path, options)?.still(options)
}

/// The size a picture file announces, before it is turned upright.
///
/// # Errors
/// As [`read_picture`], as far as the header tells.
pub fn picture_size(path: &Path, options: &ReadOptions) -> Result<Size> {
    let source = Source::read(path, options)?;
    source.guarded(|| {
        let (width, height) = source.decoder()?.dimensions();
        source.check_size((width, height))?;
        Ok(Size::new(width as usize, height as usize))
    })
}

/// [`read_picture`] of a file that is in memory already; `name` is for messages.
///
/// # Errors
/// As [`read_picture`].
pub fn picture_from_bytes(name: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Picture> {
    Source::of_bytes(name, bytes, options)?.still(options)
}

impl Source<'_> {
    fn still(&self, options: &ReadOptions) -> Result<Picture> {
        self.guarded(|| self.decode_still(self.decoder()?, options))
    }

    /// Decodes the one picture of `decoder`, after checking its size and the end of the file.
    fn decode_still(
        &self,
        mut decoder: Box<dyn ImageDecoder + '_>,
        options: &ReadOptions,
    ) -> Result<Picture> {
        self.check_size(decoder.dimensions())?;
        self.check_whole()?;
        let failed = |e| self.decoding_error(e);
        decoder
            .set_limits(self.limits(decoder.dimensions()))
            .map_err(failed)?;
        let orientation = decoder.orientation().map_err(failed)?;
        let (width, height) = decoder.dimensions();
        let colour = decoder.color_type();
        let mut raw = vec![0; usize::try_from(decoder.total_bytes()).unwrap_or(usize::MAX)];
        decoder.read_image_boxed(&mut raw).map_err(failed)?;
        let rgb = colour::to_rgb(raw, colour, options.alpha).map_err(|r| self.refused(r))?;
        self.upright(rgb, width, height, orientation)
    }

    /// A picture of decoded bytes, turned the way its metadata say.
    fn upright(
        &self,
        rgb: Vec<u8>,
        width: u32,
        height: u32,
        orientation: Orientation,
    ) -> Result<Picture> {
        let Some(buffer) = RgbImage::from_raw(width, height, rgb) else {
            return Err(self.refused("the decoder returned fewer pixels than announced".into()));
        };
        let mut image = DynamicImage::ImageRgb8(buffer);
        image.apply_orientation(orientation);
        let (width, height) = (image.width() as usize, image.height() as usize);
        Picture::new(width, height, image.into_rgb8().into_raw())
    }

    fn refused(&self, reason: String) -> Error {
        Error::Picture {
            path: self.path.to_owned(),
            reason,
        }
    }
}
