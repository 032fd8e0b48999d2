//! An image file in memory, its format known, and the checks that come before decoding.

use std::fs::File;
use std::io::Read;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::ImageFormat;

use super::ReadOptions;
use super::bmp::Bmp;
use super::decoder::{DecodeResult, Decoder, Flaw, LARGEST_PIXEL, SLACK, check_size};
use super::format::{HEAD, name_of, recognize};
use super::gif::Gif;
use super::jpeg::Jpeg;
use super::png::Png;
use super::tiff::Tiff;
use super::truncation;
use super::webp::WebP;
use crate::{Error, Result};

/// An image file in memory.
pub(super) struct EncodedImage<'a> {
    path: &'a Path,
    pub(super) format: ImageFormat,
    bytes: Vec<u8>,
    pub(super) options: &'a ReadOptions,
}

impl<'a> EncodedImage<'a> {
    /// Reads `path` if its first bytes are those of a supported format.
    pub(super) fn read(path: &'a Path, options: &'a ReadOptions) -> Result<Self> {
        let failed = |e| Error::io(path, "read", e);
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        // A file given by mistake may be of any size: look before reading it all.
        (&mut file).take(HEAD as u64).read_to_end(&mut bytes).map_err(failed)?;
        let format = recognize(&bytes).map_err(|reason| refused(path, reason))?;
        let limit = options.max_pixels.saturating_mul(LARGEST_PIXEL).saturating_add(SLACK);
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(Error::ImageFileTooLarge {
                path: path.to_owned(),
                bytes: limit,
                limit: options.max_pixels,
            });
        }
        Ok(Self {
            path,
            format,
            bytes,
            options,
        })
    }

    /// A file that is in memory already.
    pub(super) fn of_bytes(path: &'a Path, bytes: Vec<u8>, options: &'a ReadOptions) -> Result<Self> {
        let format = recognize(&bytes[..bytes.len().min(HEAD)]).map_err(|reason| refused(path, reason))?;
        Ok(Self {
            path,
            format,
            bytes,
            options,
        })
    }

    /// The file's content.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// A decoder that has read the header.
    fn open<'s>(&'s self) -> DecodeResult<Box<dyn Decoder<'s> + 's>> {
        let (bytes, options) = (self.bytes.as_slice(), self.options);
        Ok(match self.format {
            ImageFormat::Jpeg => Box::new(Jpeg::open(bytes)?),
            ImageFormat::Png => Box::new(Png::open(bytes, options)?),
            ImageFormat::WebP => Box::new(WebP::open(bytes)?),
            ImageFormat::Gif => Box::new(Gif::open(bytes, options)?),
            ImageFormat::Bmp => Box::new(Bmp::open(bytes)?),
            _ => Box::new(Tiff::open(bytes)?),
        })
    }

    /// Hands a decoder over whose image has pixels, but not more than allowed.
    pub(super) fn with_header<'s, T>(
        &'s self,
        read: impl FnOnce(Box<dyn Decoder<'s> + 's>) -> DecodeResult<T>,
    ) -> Result<T> {
        self.guarded(|| {
            let decoder = self.open()?;
            check_size(decoder.size(), self.options)?;
            read(decoder)
        })
    }

    /// The same where the file is also whole. Some decoders would fill in gray for what is missing.
    pub(super) fn decode<'s, T>(
        &'s self,
        read: impl FnOnce(Box<dyn Decoder<'s> + 's>) -> DecodeResult<T>,
    ) -> Result<T> {
        self.with_header(|decoder| match truncation::ends_early(self.format, &self.bytes) {
            true => Err(Flaw::CutShort),
            false => read(decoder),
        })
    }

    /// Runs a decoder so that its panic is an error like any other. The decoders are other people's, and one bad file must
    /// not end a run over thousands.
    fn guarded<T>(&self, decode: impl FnOnce() -> DecodeResult<T>) -> Result<T> {
        // Nothing the decoder has touched is used after a panic.
        let result = catch_unwind(AssertUnwindSafe(decode));
        let result = result.unwrap_or_else(|_| Err(Flaw::Damaged("the decoder broke down on it".into())));
        result.map_err(|flaw| self.error(flaw))
    }

    fn error(&self, flaw: Flaw) -> Error {
        let name = name_of(self.format);
        let cut_short = || {
            let length = self.bytes.len();
            format!("the {name} data end early, after {length} bytes: the file was cut short")
        };
        let reason = match flaw {
            Flaw::Size { width, height, .. } if width == 0 || height == 0 => {
                format!("{width} x {height}: an image without pixels")
            }
            Flaw::Size { width, height, frames } => {
                return Error::ImageTooLarge {
                    path: self.path.to_owned(),
                    width,
                    height,
                    frames,
                    limit: self.options.max_pixels,
                };
            }
            _ if truncation::ends_early(self.format, &self.bytes) => cut_short(),
            Flaw::CutShort => cut_short(),
            Flaw::Unsupported(what) => format!("a kind of {name} that is not supported: {what}"),
            Flaw::Memory(why) => format!("the {name} data ask for too much memory: {why}"),
            Flaw::Damaged(how) => format!("damaged {name} data: {how}"),
        };
        refused(self.path, reason)
    }
}

fn refused(path: &Path, reason: String) -> Error {
    Error::Image {
        path: path.to_owned(),
        reason,
    }
}
