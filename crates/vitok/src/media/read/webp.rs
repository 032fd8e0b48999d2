//! WebP, animated or not, by libwebp.

use image::metadata::Orientation;

use super::decoder::{Channels, Decoder, Flaw, Frame, Frames, Pixels, one_frame};
use super::libwebp::{AnimationDecoder, Demuxer};
use super::orientation::of_metadata;

/// A WebP file whose parts are known.
pub(super) struct WebP<'a> {
    bytes: &'a [u8],
    demuxer: Demuxer<'a>,
}

impl<'a> WebP<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let demuxer = Demuxer::new(bytes).ok_or_else(|| Flaw::Damaged("its chunks do not fit together".into()))?;
        Ok(Self { bytes, demuxer })
    }

    fn animation(&self) -> Result<Animation<'a>, Flaw> {
        let decoder = AnimationDecoder::new(self.bytes);
        Ok(Animation {
            decoder: decoder.ok_or_else(|| Flaw::Damaged("its frames do not fit together".into()))?,
            size: self.demuxer.size(),
            opaque: !self.demuxer.has_alpha(),
            ended: 0,
            failed: false,
        })
    }
}

impl<'a> Decoder<'a> for WebP<'a> {
    fn size(&self) -> (u32, u32) {
        self.demuxer.size()
    }

    fn orientation(&self) -> Orientation {
        of_metadata(self.demuxer.metadata(b"EXIF"), self.demuxer.metadata(b"XMP "))
    }

    fn still(self: Box<Self>) -> Result<Pixels, Flaw> {
        if self.demuxer.is_animated() {
            let first = self.animation()?.next();
            return first.unwrap_or(Err(Flaw::CutShort)).map(|frame| frame.pixels);
        }
        let (width, height) = self.demuxer.size();
        let channels = match self.demuxer.has_alpha() {
            true => Channels::Rgba,
            false => Channels::Rgb,
        };
        let pixels = self.demuxer.decode();
        let pixels = pixels.ok_or_else(|| Flaw::Damaged("its pixels cannot be decoded".into()))?;
        Ok(Pixels::bytes(width, height, channels, pixels))
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        match self.demuxer.is_animated() {
            true => Ok(Box::new(self.animation()?)),
            false => self.still().map(one_frame),
        }
    }
}

struct Animation<'a> {
    decoder: AnimationDecoder<'a>,
    size: (u32, u32),
    /// Whether the file says that it has no transparency; then what is cleared is black.
    opaque: bool,
    /// When the frame before ended, in milliseconds.
    ended: i32,
    failed: bool,
}

impl Iterator for Animation<'_> {
    type Item = Result<Frame, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || !self.decoder.has_more() {
            return None;
        }
        let Some((mut rgba, end)) = self.decoder.next() else {
            self.failed = true;
            return Some(Err(Flaw::Damaged("a frame cannot be decoded".into())));
        };
        if self.opaque {
            rgba.iter_mut().skip(3).step_by(4).for_each(|alpha| *alpha = 255);
        }
        let (width, height) = self.size;
        let seconds = f64::from(end - self.ended) / 1000.0;
        self.ended = end;
        Some(Ok(Frame {
            pixels: Pixels::bytes(width, height, Channels::Rgba, rgba),
            seconds,
        }))
    }
}
