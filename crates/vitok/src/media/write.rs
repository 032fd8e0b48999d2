//! Writing images to files.

use std::io::Cursor;
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

use super::Image;
use crate::files::write_atomically;
use crate::{Error, Result};

/// The extensions [`write_image`] knows, in lower case and without the dot.
pub const WRITABLE_EXTENSIONS: [&str; 7] = ["png", "jpg", "jpeg", "webp", "bmp", "tif", "tiff"];

const JPEG_QUALITY: u8 = 95;

/// Writes `image` in the format that the extension of `path` names, upper or lower case: PNG,
/// JPEG (quality 95), WebP (lossless), BMP or TIFF. Whoever reads `path` meanwhile sees the old
/// file or the new one, never half of either; missing folders are created.
///
/// # Errors
/// [`Error::Image`] for any other extension (GIF too: its 256 colors would change the image)
/// and for an image larger than the format allows; [`Error::Io`] if it cannot be written.
pub fn write_image(path: &Path, image: &Image) -> Result<()> {
    let encoded = encode_image(path, image)?;
    write_atomically(path, |file| file.write_all(&encoded))
}

/// Checks that [`write_image`] knows the extension of `path`, before any long work is done.
///
/// # Errors
/// [`Error::Image`] if it does not.
pub fn check_writable(path: &Path) -> Result<()> {
    format_of(path).map(|_| ())
}

/// The bytes [`write_image`] would put into `path`, which only gives the format.
///
/// # Errors
/// [`Error::Image`], as for [`write_image`].
pub fn encode_image(path: &Path, image: &Image) -> Result<Vec<u8>> {
    let format = format_of(path)?;
    let refused = |reason: String| Error::Image {
        path: path.to_owned(),
        reason,
    };
    let (Ok(width), Ok(height)) = (u32::try_from(image.width()), u32::try_from(image.height())) else {
        return Err(refused(format!("{} is too large to write", image.size())));
    };
    let mut encoded = Cursor::new(Vec::new());
    let result = match format {
        ImageFormat::Jpeg => JpegEncoder::new_with_quality(&mut encoded, JPEG_QUALITY).write_image(
            image.rgb(),
            width,
            height,
            ExtendedColorType::Rgb8,
        ),
        // The WebP encoder of the image crate is a lossless one.
        format => image::write_buffer_with_format(
            &mut encoded,
            image.rgb(),
            width,
            height,
            ExtendedColorType::Rgb8,
            format,
        ),
    };
    result.map_err(|e| refused(format!("cannot encode {}: {e}", image.size())))?;
    Ok(encoded.into_inner())
}

fn format_of(path: &Path) -> Result<ImageFormat> {
    let extension = path.extension().and_then(|e| e.to_str());
    let found = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("png") => return Ok(ImageFormat::Png),
        Some("jpg" | "jpeg") => return Ok(ImageFormat::Jpeg),
        Some("webp") => return Ok(ImageFormat::WebP),
        Some("bmp") => return Ok(ImageFormat::Bmp),
        Some("tif" | "tiff") => return Ok(ImageFormat::Tiff),
        Some(other) => format!("cannot write \".{other}\" images"),
        None => "the name has no extension to tell the image format".to_owned(),
    };
    Err(Error::Image {
        path: path.to_owned(),
        reason: format!("{found}; use one of .{}", WRITABLE_EXTENSIONS.join(", .")),
    })
}
