//! JPEG, by libjpeg-turbo's decoder: Pillow and torchvision have its bits, and another rounding of chroma moves a Frechet
//! distance by percents.

use image::metadata::Orientation;

use super::decoder::{Channels, Decoder, Flaw, Frames, Pixels, Samples, one_frame};
use super::libjpeg::JpegReader;
use super::orientation::of_metadata;

/// A JPEG file whose header has been read.
pub(super) struct Jpeg<'a> {
    bytes: &'a [u8],
    reader: JpegReader<'a>,
}

impl<'a> Jpeg<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let reader = JpegReader::open(bytes)?;
        Ok(Self { bytes, reader })
    }
}

impl<'a> Decoder<'a> for Jpeg<'a> {
    fn size(&self) -> (u32, u32) {
        self.reader.size()
    }

    /// Of several blocks the first counts.
    fn orientation(&self) -> Orientation {
        let find = |start: &[u8]| app1_segments(self.bytes).find_map(|content| content.strip_prefix(start));
        of_metadata(find(b"Exif\0\0"), find(b"http://ns.adobe.com/xap/1.0/\0"))
    }

    fn still(self: Box<Self>) -> Result<Pixels, Flaw> {
        let mut pixels = self.reader.decode(None)?;
        // Programs write CMYK as Adobe's do: inverted.
        if let (Channels::Cmyk, Samples::Bytes(bytes)) = (pixels.channels, &mut pixels.samples) {
            bytes.iter_mut().for_each(|ink| *ink = 255 - *ink);
        }
        Ok(pixels)
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        self.still().map(one_frame)
    }
}

/// What the APP1 segments before the image hold.
fn app1_segments(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(2..).unwrap_or_default();
    let segments = std::iter::from_fn(move || {
        let &[0xFF, marker] = rest.first_chunk()? else {
            return None;
        };
        let length = match marker {
            // A fill byte before the marker.
            0xFF => {
                rest = &rest[1..];
                return Some((marker, &rest[..0]));
            }
            // The first scan: the image.
            0xDA => return None,
            _ => usize::from(u16::from_be_bytes(*rest.get(2..)?.first_chunk()?)),
        };
        let (segment, after) = rest.split_at_checked(2 + length)?;
        rest = after;
        Some((marker, segment.get(4..)?))
    });
    segments
        .filter(|(marker, _)| *marker == 0xE1)
        .map(|(_, content)| content)
}
