//! BMP, by the `image` crate.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::{ColorType, ImageDecoder, ImageError, Limits};

use super::decoder::{Channels, Decoder, Flaw, Frames, Pixels, memory_limit, one_frame};

/// A BMP file whose header has been read.
pub(super) struct Bmp<'a>(BmpDecoder<Cursor<&'a [u8]>>);

impl<'a> Bmp<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let number = |at: usize| bytes.get(at..at + 2).and_then(|bytes| bytes.first_chunk());
        let number = |at: usize| number(at).map(|&bytes| u16::from_le_bytes(bytes));
        // The length of the header, then bits of a pixel: those of OS/2 have palettes or 24 bits.
        if (number(14), number(24)) == (Some(12), Some(16)) {
            return Err(Flaw::Unsupported("16 bits a pixel with an OS/2 header".into()));
        }
        BmpDecoder::new(Cursor::new(bytes)).map(Self).map_err(flaw)
    }
}

impl<'a> Decoder<'a> for Bmp<'a> {
    fn size(&self) -> (u32, u32) {
        self.0.dimensions()
    }

    fn still(mut self: Box<Self>) -> Result<Pixels, Flaw> {
        let (width, height) = self.size();
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(memory_limit((width, height)));
        self.0.set_limits(limits).map_err(flaw)?;
        let channels = match self.0.color_type() {
            ColorType::L8 => Channels::Gray,
            ColorType::Rgb8 => Channels::Rgb,
            ColorType::Rgba8 => Channels::Rgba,
            other => return Err(Flaw::Unsupported(format!("{other:?}"))),
        };
        let mut bytes = vec![0; width as usize * height as usize * channels.count()];
        self.0.read_image(&mut bytes).map_err(flaw)?;
        Ok(Pixels::bytes(width, height, channels, bytes))
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        self.still().map(one_frame)
    }
}

fn flaw(error: ImageError) -> Flaw {
    match error {
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Flaw::CutShort,
        ImageError::Unsupported(e) => Flaw::Unsupported(e.to_string()),
        ImageError::Limits(e) => Flaw::Memory(e.to_string()),
        e => Flaw::Damaged(e.to_string()),
    }
}
