//! An image file in memory, its format known, and the checks that come before decoding.

use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::tiff::TiffDecoder;
use image::codecs::webp::WebPDecoder;
use image::{ImageDecoder, ImageError, ImageFormat, ImageResult, Limits};

use super::{ReadOptions, truncation};
use crate::{Error, Result};

const SUPPORTED: &str = "supported are JPEG, PNG, WebP, GIF, BMP and TIFF";

/// Bytes of a file needed to tell its format.
const HEAD: u64 = 64;

/// Memory that decoding may take beside what grows with the image: palettes, profiles, text.
const SLACK: u64 = 64 << 20;

/// No format here takes more for a pixel: RGBA in f32.
const LARGEST_PIXEL: u64 = 16;

/// The WebP decoder counts the bytes of an RGBA canvas in 32 bits.
const LARGEST_WEBP: u64 = (1 << 30) - 1;

/// An image file in memory.
pub(super) struct EncodedImage<'a> {
    pub(super) path: &'a Path,
    pub(super) format: ImageFormat,
    pub(super) bytes: Vec<u8>,
    max_pixels: u64,
}

impl<'a> EncodedImage<'a> {
    /// Reads `path` if its first bytes are those of a supported format.
    pub(super) fn read(path: &'a Path, options: &ReadOptions) -> Result<Self> {
        let failed = |e| Error::io(path, "read", e);
        let refused = |reason| Error::Image {
            path: path.to_owned(),
            reason,
        };
        let mut file = File::open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        // A file given by mistake may be of any size: look before reading it all.
        (&mut file).take(HEAD).read_to_end(&mut bytes).map_err(failed)?;
        let format = recognize(&bytes).map_err(refused)?;
        let limit = options.max_pixels.saturating_mul(LARGEST_PIXEL).saturating_add(SLACK);
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(Error::ImageFileTooLarge {
                path: path.to_owned(),
                bytes: limit,
                limit: options.max_pixels,
            });
        }
        Ok(Self::known(path, format, bytes, options))
    }

    /// A file that is in memory already.
    pub(super) fn of_bytes(path: &'a Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Self> {
        let format = recognize(&bytes[..bytes.len().min(HEAD as usize)]);
        let format = format.map_err(|reason| Error::Image {
            path: path.to_owned(),
            reason,
        })?;
        Ok(Self::known(path, format, bytes, options))
    }

    fn known(path: &'a Path, format: ImageFormat, bytes: Vec<u8>, options: &ReadOptions) -> Self {
        let mut max_pixels = options.max_pixels;
        if format == ImageFormat::WebP {
            max_pixels = max_pixels.min(LARGEST_WEBP);
        }
        Self {
            path,
            format,
            bytes,
            max_pixels,
        }
    }

    /// A decoder that has read the header.
    pub(super) fn decoder(&self) -> Result<Box<dyn ImageDecoder + '_>> {
        fn boxed<'d>(decoder: ImageResult<impl ImageDecoder + 'd>) -> ImageResult<Box<dyn ImageDecoder + 'd>> {
            decoder.map(|d| Box::new(d) as Box<dyn ImageDecoder>)
        }
        let bytes = Cursor::new(self.bytes.as_slice());
        match self.format {
            ImageFormat::Jpeg => boxed(JpegDecoder::new(bytes)),
            ImageFormat::Png => Ok(Box::new(self.png()?) as Box<dyn ImageDecoder>),
            ImageFormat::WebP => boxed(WebPDecoder::new(bytes)),
            ImageFormat::Gif => boxed(GifDecoder::new(bytes)),
            ImageFormat::Bmp => boxed(BmpDecoder::new(bytes)),
            _ => boxed(TiffDecoder::new(bytes)),
        }
        .map_err(|e| self.decoding_error(e))
    }

    /// The PNG decoder takes its limits when it is made, and reads past the header then; so the
    /// size is looked up before.
    pub(super) fn png(&self) -> Result<PngDecoder<Cursor<&[u8]>>> {
        let side = |at: usize| {
            let bytes: [u8; 4] = self.bytes.get(at..at + 4)?.try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        let size = side(16).zip(side(20)).unwrap_or((1, 1));
        self.check_size(size)?;
        PngDecoder::with_limits(Cursor::new(self.bytes.as_slice()), self.limits(size))
            .map_err(|e| self.decoding_error(e))
    }

    /// Refuses an image without pixels or with more than allowed.
    pub(super) fn check_size(&self, (width, height): (u32, u32)) -> Result<()> {
        if width == 0 || height == 0 {
            return Err(self.refused(format!("{width} x {height}: an image without pixels")));
        }
        if u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(Error::ImageTooLarge {
                path: self.path.to_owned(),
                width,
                height,
                frames: 1,
                limit: self.max_pixels,
            });
        }
        Ok(())
    }

    /// Refuses a file that stops before the end its format marks. Some decoders would fill in
    /// gray for what is missing.
    pub(super) fn check_whole(&self) -> Result<()> {
        if truncation::ends_early(self.format, &self.bytes) {
            return Err(self.refused(self.cut_short()));
        }
        Ok(())
    }

    /// Runs a decoder so that its panic is an error like any other. The decoders are other people's
    /// and some damage does make them panic (an animated WebP whose frames lie about their size);
    /// one bad file must not end a run over thousands.
    pub(super) fn guarded<T>(&self, decode: impl FnOnce() -> Result<T>) -> Result<T> {
        // Nothing the decoder has touched is used after a panic.
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
            let name = name_of(self.format);
            Err(self.refused(format!("damaged {name} data: the decoder broke down on it")))
        })
    }

    /// Most pixels allowed over all frames.
    pub(super) fn max_pixels(&self) -> u64 {
        self.max_pixels
    }

    /// Memory limits for an image of that size: several copies of it, not what a lying frame or
    /// chunk header asks for.
    pub(super) fn limits(&self, (width, height): (u32, u32)) -> Limits {
        let pixels = u64::from(width) * u64::from(height);
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(pixels.saturating_mul(LARGEST_PIXEL).saturating_add(SLACK));
        limits
    }

    /// The error for a file the decoder gave up on.
    pub(super) fn decoding_error(&self, error: ImageError) -> Error {
        let name = name_of(self.format);
        if truncation::ends_early(self.format, &self.bytes) {
            return self.refused(self.cut_short());
        }
        self.refused(match error {
            ImageError::Unsupported(e) => format!("a kind of {name} that is not supported: {e}"),
            ImageError::Limits(e) => format!("the {name} data ask for too much memory: {e}"),
            ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => self.cut_short(),
            e => format!("damaged {name} data: {e}"),
        })
    }

    fn cut_short(&self) -> String {
        format!(
            "the {} data end early, after {} bytes: the file was cut short",
            name_of(self.format),
            self.bytes.len()
        )
    }
}

fn name_of(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Avif => "AVIF",
        ImageFormat::Ico => "ICO",
        ImageFormat::Hdr => "Radiance HDR",
        ImageFormat::OpenExr => "OpenEXR",
        ImageFormat::Qoi => "QOI",
        ImageFormat::Dds => "DDS",
        ImageFormat::Pnm => "PNM",
        _ => "another image format",
    }
}

/// The format of a file by its first bytes, or what was found instead.
fn recognize(head: &[u8]) -> std::result::Result<ImageFormat, String> {
    if head.is_empty() {
        return Err(format!("the file is empty; {SUPPORTED}"));
    }
    let found = match image::guess_format(head) {
        Ok(
            format @ (ImageFormat::Jpeg
            | ImageFormat::Png
            | ImageFormat::WebP
            | ImageFormat::Gif
            | ImageFormat::Bmp
            | ImageFormat::Tiff),
        ) => return Ok(format),
        Ok(other) => name_of(other).to_owned(),
        Err(_) => describe(head),
    };
    Err(format!("not a supported image: found {found}; {SUPPORTED}"))
}

fn describe(head: &[u8]) -> String {
    if head.starts_with(b"version https://git-lfs") {
        return "a Git LFS pointer in place of the file (fetch it with git lfs pull)".to_owned();
    }
    if head.get(4..8) == Some(b"ftyp") {
        return "a video or HEIF file".to_owned();
    }
    let start = &head[..head.len().min(16)];
    let printable = |b: &u8| b.is_ascii_graphic() || b.is_ascii_whitespace();
    if start.iter().all(printable) {
        let text = String::from_utf8_lossy(start);
        return format!("text starting with {:?}", text.trim_end());
    }
    let hex: Vec<String> = start[..start.len().min(8)]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("unknown data starting with the bytes {}", hex.join(" "))
}
