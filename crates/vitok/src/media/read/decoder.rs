//! What the decoders of all formats have in common.

use image::metadata::Orientation;

use super::ReadOptions;

/// Memory that decoding may take beside what grows with the image: palettes, profiles, text.
pub(super) const SLACK: u64 = 64 << 20;

/// No format here takes more for a pixel: RGBA in f32.
pub(super) const LARGEST_PIXEL: u64 = 16;

/// An image file whose header has been read.
pub(super) trait Decoder<'a> {
    /// Width and height, as the header has them: nothing is turned.
    fn size(&self) -> (u32, u32);

    /// How the file says it is to be turned.
    fn orientation(&self) -> Orientation {
        Orientation::NoTransforms
    }

    /// The one image, or the first.
    fn still(self: Box<Self>) -> Result<Pixels, Flaw>;

    /// The frames as they are shown one after the other; a still image has one.
    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw>;
}

/// Frames, decoded when asked for.
pub(super) type Frames<'a> = Box<dyn Iterator<Item = Result<Frame, Flaw>> + 'a>;

/// A frame of an animation, drawn over what the frames before leave in place.
pub(super) struct Frame {
    pub(super) pixels: Pixels,
    /// How long it is shown; 0 if the file does not say.
    pub(super) seconds: f64,
}

/// The frames of a still image.
pub(super) fn one_frame<'a>(pixels: Pixels) -> Frames<'a> {
    Box::new(std::iter::once(Ok(Frame { pixels, seconds: 0.0 })))
}

/// Decoded pixels, their channels side by side, rows from top to bottom.
pub(super) struct Pixels {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: Channels,
    /// Whether the colors have been multiplied by alpha ("associated alpha").
    pub(super) premultiplied: bool,
    pub(super) samples: Samples,
}

/// What a pixel is made of, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channels {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    /// Inks: 0 for none.
    Cmyk,
}

/// One number for each channel of each pixel; white or opaque is 255, 65535 or 1.
pub(super) enum Samples {
    Bytes(Vec<u8>),
    Words(Vec<u16>),
    Floats(Vec<f32>),
}

impl Pixels {
    /// Pixels of 8 bits a channel.
    pub(super) fn bytes(width: u32, height: u32, channels: Channels, bytes: Vec<u8>) -> Self {
        Self {
            width,
            height,
            channels,
            premultiplied: false,
            samples: Samples::Bytes(bytes),
        }
    }
}

impl Channels {
    /// How many numbers a pixel has.
    pub(super) fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }
}

/// What decoding gives.
pub(super) type DecodeResult<T> = Result<T, Flaw>;

/// Why there are no pixels.
#[derive(Debug)]
pub(super) enum Flaw {
    /// The file breaks the rules of its format.
    Damaged(String),
    /// It uses a feature, named here, that is not supported.
    Unsupported(String),
    /// It ends before its last pixel.
    CutShort,
    /// It would take more memory than an image of its size may.
    Memory(String),
    /// Without pixels, or with more than allowed.
    Size {
        width: u32,
        height: u32,
        /// Frames counted so far; 1 for a still image.
        frames: u64,
    },
}

/// Refuses an image without pixels or with more than allowed.
pub(super) fn check_size((width, height): (u32, u32), options: &ReadOptions) -> Result<(), Flaw> {
    let pixels = u64::from(width) * u64::from(height);
    match pixels > 0 && pixels <= options.max_pixels {
        true => Ok(()),
        false => Err(Flaw::Size {
            width,
            height,
            frames: 1,
        }),
    }
}

/// Bytes that decoding an image of that size may take: several copies of it, not what a lying chunk header asks for.
pub(super) fn memory_limit((width, height): (u32, u32)) -> u64 {
    let pixels = u64::from(width) * u64::from(height);
    pixels.saturating_mul(LARGEST_PIXEL).saturating_add(SLACK)
}
