//! The format of a file, by its first bytes.

use image::ImageFormat;

const SUPPORTED: &str = "supported are JPEG, PNG, WebP, GIF, BMP and TIFF";

/// Bytes of a file needed to tell its format.
pub(super) const HEAD: usize = 64;

/// The name users know a format by.
pub(super) fn name_of(format: ImageFormat) -> &'static str {
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
pub(super) fn recognize(head: &[u8]) -> Result<ImageFormat, String> {
    if head.is_empty() {
        return Err(format!("the file is empty; {SUPPORTED}"));
    }
    // BigTIFF.
    if head.starts_with(b"II+\0") || head.starts_with(b"MM\0+") {
        return Ok(ImageFormat::Tiff);
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
