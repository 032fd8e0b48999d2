//! Whether a file reaches the end its format marks.
//!
//! The JPEG decoder fills in gray for lost data without a word, and the others do not look beyond
//! the last pixel they need. What follows the end mark is nobody's business: cameras and phones
//! append whole videos there. A GIF may do without its mark, a single byte behind whole images.

use image::ImageFormat;

/// Whether `bytes` stop before the end mark of `format`. False for BMP and TIFF, which have none
/// and whose decoders miss lost data by themselves.
pub(super) fn ends_early(format: ImageFormat, bytes: &[u8]) -> bool {
    let end = match format {
        ImageFormat::Jpeg => jpeg_end(bytes),
        ImageFormat::Png => png_end(bytes),
        ImageFormat::Gif => gif_end(bytes),
        ImageFormat::WebP => webp_end(bytes),
        _ => Some(0),
    };
    end.is_none_or(|end| end > bytes.len())
}

/// Walks from marker to marker. Segments are stepped over by their length, so that the end mark
/// of a thumbnail inside one is not taken for the image's.
fn jpeg_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        // Between markers there is compressed data, in which 0xFF is always followed by 0.
        at += bytes.get(at..)?.iter().position(|&byte| byte == 0xFF)?;
        match *bytes.get(at + 1)? {
            // Fill bytes; a literal 0xFF; a marker of no length.
            0xFF => at += 1,
            0x00 | 0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 => return Some(at + 2),
            _ => {
                let length = u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]);
                at += 2 + usize::from(length);
            }
        }
    }
}

fn png_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 8;
    loop {
        let head: [u8; 8] = bytes.get(at..at + 8)?.try_into().ok()?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        // The length counts neither itself nor the type nor the checksum.
        at = at.checked_add(12)?.checked_add(length as usize)?;
        if head.ends_with(b"IEND") {
            return Some(at);
        }
    }
}

fn gif_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 13 + color_table(*bytes.get(10)?);
    let mut after_image = false;
    loop {
        match bytes.get(at) {
            None if after_image => return Some(at),
            None => return None,
            // An extension: its kind, then blocks.
            Some(0x21) => {
                at = after_blocks(bytes, at + 2)?;
                after_image = false;
            }
            // A frame: its place, a palette, the code size, then blocks.
            Some(0x2C) => {
                let palette = color_table(*bytes.get(at + 9)?);
                at = after_blocks(bytes, at + 11 + palette)?;
                after_image = true;
            }
            // The trailer, or something only the decoder can judge.
            Some(_) => return Some(at + 1),
        }
    }
}

/// Bytes of the palette that the packed field of a GIF screen or frame announces.
fn color_table(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << ((packed & 7) + 1) }
}

/// Past the blocks at `at`, each led by its length, the last empty.
fn after_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1 + length;
        if length == 0 {
            return Some(at);
        }
    }
}

/// The container's own length, which does not count its first 8 bytes.
fn webp_end(bytes: &[u8]) -> Option<usize> {
    let length: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
    (u32::from_le_bytes(length) as usize).checked_add(8)
}
