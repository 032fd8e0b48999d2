//! How the pixels of a TIFF file are stored, from its tags.

use std::borrow::Cow;

use super::super::decoder::{Flaw, Samples};
use super::super::ifd::Directory;
use super::super::libjpeg::ColorSpace;

/// Samples of a pixel: colors, transparency, and some without a meaning.
const MOST_SAMPLES: u64 = 16;

/// What the tags say of the pixels.
pub(super) struct Layout<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Samples that a pixel has, those without a meaning included.
    pub(super) samples_per_pixel: usize,
    /// Bits of a sample: 1, 2, 4, 8, 12, 16 or 32.
    pub(super) bits: usize,
    /// Whether each sample has chunks of its own.
    pub(super) planar: bool,
    pub(super) photometric: Photometric,
    pub(super) alpha: Option<AlphaKind>,
    pub(super) compression: Compression,
    /// The color space of the components of JPEGs; unknown if they are samples as they are.
    pub(super) jpeg_space: ColorSpace,
    pub(super) predictor: Predictor,
    pub(super) big_endian: bool,
    /// Whether the first pixel is in the lowest bit of a byte.
    pub(super) lowest_bit_first: bool,
    /// Width and height of a tile, or of a strip.
    pub(super) chunk: (u32, u32),
    tiled: bool,
    /// The palette: reds, greens, blues, of 16 bits.
    pub(super) palette: Vec<u64>,
    /// Tables that the JPEGs of all chunks share.
    pub(super) jpeg_tables: &'a [u8],
}

/// What the color samples mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Photometric {
    WhiteIsZero,
    BlackIsZero,
    Rgb,
    Palette,
    Cmyk,
    YCbCr,
}

/// What the sample after the colors is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AlphaKind {
    /// The colors are multiplied by it.
    Associated,
    Unassociated,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzw,
    Deflate,
    PackBits,
    /// T.4's runs alone.
    ModifiedHuffman,
    /// T.4.
    Group3 {
        two_dimensional: bool,
    },
    /// T.6.
    Group4,
    Jpeg,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Predictor {
    None,
    /// Samples less those of the pixel before.
    Horizontal,
    /// The same by the bytes of floats.
    Float,
}

/// A tile, or a strip, of one sample or all.
pub(super) struct Chunk {
    /// Where its pixels belong.
    pub(super) x: u32,
    pub(super) y: u32,
    /// Rows that are stored; a strip at the end has fewer.
    pub(super) rows: u32,
    /// The sample, where each has its own.
    pub(super) plane: usize,
    offset: u64,
    length: u64,
}

impl<'a> Layout<'a> {
    pub(super) fn of(directory: &Directory<'a>) -> Result<Self, Flaw> {
        let number = |tag: u16| directory.integer(tag);
        let side = |tag: u16, name: &str| match number(tag)? {
            Some(value) => u32::try_from(value).map_err(|_| Flaw::Damaged(format!("its {name} is {value}"))),
            None => Err(Flaw::Damaged(format!("it has no {name}"))),
        };
        let (width, height) = (side(256, "width")?, side(257, "height")?);
        let planar = number(284)?.unwrap_or(1) == 2;
        let mut photometric = photometric(number(262)?.unwrap_or(0))?;
        let compression = compression(number(259)?.unwrap_or(1), directory)?;
        let mut jpeg_space = ColorSpace::JCS_UNKNOWN;
        if compression == Compression::Jpeg && photometric == Photometric::YCbCr {
            // libjpeg converts these.
            jpeg_space = ColorSpace::JCS_YCbCr;
            photometric = Photometric::Rgb;
        }
        if photometric == Photometric::YCbCr && directory.integers(530)? != [1, 1] {
            return Err(Flaw::Unsupported(
                "YCbCr with fewer chroma samples, other than as JPEG".into(),
            ));
        }

        let colors = photometric.samples();
        let samples_per_pixel = match number(277)?.unwrap_or(1) {
            samples if samples < colors as u64 => {
                return Err(Flaw::Damaged(format!("{samples} samples a pixel are too few")));
            }
            samples if samples > MOST_SAMPLES => {
                return Err(Flaw::Unsupported(format!("{samples} samples a pixel")));
            }
            samples => samples as usize,
        };
        let extra = directory.integers(338)?.first().copied();
        let alpha = match extra {
            Some(1) => Some(AlphaKind::Associated),
            // Corel Draw writes 999.
            Some(2 | 999) => Some(AlphaKind::Unassociated),
            None if photometric == Photometric::Rgb => Some(AlphaKind::Unassociated),
            _ => None,
        };
        let (tiled, chunk) = match directory.has(322) {
            true => (true, (side(322, "tile width")?, side(323, "tile height")?)),
            false => {
                let rows = number(278)?.unwrap_or(u64::MAX).min(height.into()) as u32;
                (false, (width, rows))
            }
        };
        if chunk.0 == 0 || chunk.1 == 0 {
            return Err(Flaw::Damaged("its tiles or strips have no pixels".into()));
        }
        let layout = Self {
            width,
            height,
            samples_per_pixel,
            bits: bits(directory)?,
            planar,
            photometric,
            alpha: alpha.filter(|_| samples_per_pixel > colors),
            compression,
            jpeg_space,
            predictor: predictor(number(317)?.unwrap_or(1))?,
            big_endian: directory.big_endian,
            lowest_bit_first: number(266)? == Some(2),
            chunk,
            tiled,
            palette: directory.integers(320)?,
            jpeg_tables: directory.bytes(347)?,
        };
        layout.check()?;
        Ok(layout)
    }

    /// Refuses what the tags may say one by one, but not together.
    fn check(&self) -> Result<(), Flaw> {
        let unsupported = |what: String| Err(Flaw::Unsupported(what));
        let bits = self.bits;
        match (self.photometric, bits, self.predictor, self.compression) {
            (Photometric::Palette, 9.., ..) => unsupported(format!("a palette with {bits} bits a sample")),
            (Photometric::YCbCr, ..) if bits != 8 => unsupported(format!("YCbCr with {bits} bits a sample")),
            (Photometric::Palette, ..) if self.palette.len() < 3 << bits => {
                Err(Flaw::Damaged("a palette image without its palette".into()))
            }
            (_, _, Predictor::Horizontal, _) if !bits.is_multiple_of(8) => {
                unsupported(format!("a horizontal predictor with {bits} bits a sample"))
            }
            (_, _, Predictor::Float, _) if bits != 32 => unsupported(format!("a float predictor with {bits} bits")),
            (_, _, _, Compression::Jpeg) if bits != 8 => unsupported(format!("JPEG with {bits} bits a sample")),
            (_, _, _, Compression::Jpeg) if self.planar && self.jpeg_space == ColorSpace::JCS_YCbCr => {
                unsupported("JPEGs of Y, Cb and Cr apart".into())
            }
            (_, _, _, Compression::ModifiedHuffman | Compression::Group3 { .. } | Compression::Group4)
                if bits != 1 || self.chunk_samples() != 1 =>
            {
                unsupported("fax compression of other than black and white".into())
            }
            _ => Ok(()),
        }
    }

    /// Samples that lie side by side in a chunk.
    pub(super) fn chunk_samples(&self) -> usize {
        if self.planar { 1 } else { self.samples_per_pixel }
    }

    /// Bytes of a row of a chunk.
    pub(super) fn row_bytes(&self) -> usize {
        (self.chunk.0 as usize * self.chunk_samples() * self.bits).div_ceil(8)
    }

    /// Bytes of a whole chunk.
    pub(super) fn chunk_bytes(&self) -> u64 {
        (self.row_bytes() as u64).saturating_mul(self.chunk.1.into())
    }

    /// Bytes of all samples.
    pub(super) fn sample_bytes(&self) -> u64 {
        let pixels = u64::from(self.width) * u64::from(self.height);
        pixels.saturating_mul(self.samples_per_pixel as u64 * self.bits.div_ceil(8) as u64)
    }

    /// Room for all samples.
    pub(super) fn samples(&self) -> Samples {
        let count = self.width as usize * self.height as usize * self.samples_per_pixel;
        match self.bits {
            ..=8 => Samples::Bytes(vec![0; count]),
            9..=16 => Samples::Words(vec![0; count]),
            _ => Samples::Floats(vec![0.0; count]),
        }
    }

    /// The chunks, sample after sample if they have their own, from left to right and from top to bottom.
    pub(super) fn chunks(&self, directory: &Directory<'a>) -> Result<Vec<Chunk>, Flaw> {
        let (across, down) = (self.width.div_ceil(self.chunk.0), self.height.div_ceil(self.chunk.1));
        let planes = if self.planar { self.samples_per_pixel } else { 1 };
        let (offsets, lengths) = match self.tiled {
            true => (directory.integers(324)?, directory.integers(325)?),
            false => (directory.integers(273)?, directory.integers(279)?),
        };
        let in_plane = u64::from(across) * u64::from(down);
        let count = in_plane.saturating_mul(planes as u64);
        if (offsets.len() as u64) < count {
            return Err(Flaw::Damaged(format!(
                "{} parts of {count} are missing",
                count - offsets.len() as u64
            )));
        }
        let chunk = |index: u64| {
            let place = index % in_plane;
            let x = (place % u64::from(across)) as u32 * self.chunk.0;
            let y = (place / u64::from(across)) as u32 * self.chunk.1;
            let plane = (index / in_plane) as usize;
            let index = index as usize;
            let rows = match self.tiled {
                true => self.chunk.1,
                false => self.chunk.1.min(self.height - y),
            };
            // Uncompressed data are as long as they have to be, whatever the file says.
            let plain = self.compression == Compression::None;
            let stored = lengths.get(index).copied().filter(|_| !plain);
            let length = match plain {
                true => self.row_bytes() as u64 * u64::from(rows),
                false => stored.unwrap_or(u64::MAX),
            };
            Chunk {
                x,
                y,
                rows,
                plane,
                offset: offsets[index],
                length,
            }
        };
        Ok((0..count).map(chunk).collect())
    }
}

impl Photometric {
    /// Samples of a color.
    pub(super) fn samples(self) -> usize {
        match self {
            Self::WhiteIsZero | Self::BlackIsZero | Self::Palette => 1,
            Self::Rgb | Self::YCbCr => 3,
            Self::Cmyk => 4,
        }
    }
}

impl Chunk {
    /// The bytes of the chunk in the file; to the file's end where their length is not known.
    pub(super) fn of<'b>(&self, file: &'b [u8]) -> Result<Cow<'b, [u8]>, Flaw> {
        let start = usize::try_from(self.offset).map_err(|_| Flaw::CutShort)?;
        let rest = file.get(start..).ok_or(Flaw::CutShort)?;
        match self.length {
            u64::MAX => Ok(Cow::Borrowed(rest)),
            length => match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
                Some(bytes) => Ok(Cow::Borrowed(bytes)),
                None => Err(Flaw::CutShort),
            },
        }
    }
}

fn photometric(code: u64) -> Result<Photometric, Flaw> {
    let name = match code {
        0 => return Ok(Photometric::WhiteIsZero),
        1 => return Ok(Photometric::BlackIsZero),
        2 => return Ok(Photometric::Rgb),
        3 => return Ok(Photometric::Palette),
        5 => return Ok(Photometric::Cmyk),
        6 => return Ok(Photometric::YCbCr),
        4 => "a transparency mask",
        8..=10 => "CIE Lab colors",
        32803 => "the raw data of a camera's sensor",
        32844 | 32845 => "LogLuv colors",
        _ => return Err(Flaw::Unsupported(format!("colors of kind {code}"))),
    };
    Err(Flaw::Unsupported(name.into()))
}

fn compression(code: u64, directory: &Directory<'_>) -> Result<Compression, Flaw> {
    let name = match code {
        1 => return Ok(Compression::None),
        2 => return Ok(Compression::ModifiedHuffman),
        3 => {
            let two_dimensional = directory.integer(292)?.unwrap_or(0) & 1 == 1;
            return Ok(Compression::Group3 { two_dimensional });
        }
        4 => return Ok(Compression::Group4),
        5 => return Ok(Compression::Lzw),
        8 | 32946 => return Ok(Compression::Deflate),
        32773 => return Ok(Compression::PackBits),
        7 => return Ok(Compression::Jpeg),
        6 => "old-style JPEG compression",
        32809 => "ThunderScan compression",
        34676 | 34677 => "SGI LogLuv compression",
        34712 => "JPEG 2000 compression",
        34925 => "LZMA compression",
        50000 => "Zstandard compression",
        50001 => "WebP compression",
        _ => return Err(Flaw::Unsupported(format!("compression of kind {code}"))),
    };
    Err(Flaw::Unsupported(name.into()))
}

fn predictor(code: u64) -> Result<Predictor, Flaw> {
    match code {
        1 => Ok(Predictor::None),
        2 => Ok(Predictor::Horizontal),
        3 => Ok(Predictor::Float),
        _ => Err(Flaw::Unsupported(format!("a predictor of kind {code}"))),
    }
}

/// Bits a sample, if all samples have as many, and those are integers of up to 16 bits or floats of 32.
fn bits(directory: &Directory<'_>) -> Result<usize, Flaw> {
    let all = directory.integers(258)?;
    let bits = all.first().copied().unwrap_or(1);
    let formats = directory.integers(339)?;
    let format = formats.first().copied().unwrap_or(1);
    let unsupported = |what: String| Err(Flaw::Unsupported(what));
    match (format, bits) {
        _ if all.iter().any(|&other| other != bits) => unsupported(format!("samples of {all:?} bits")),
        _ if formats.iter().any(|&other| other != format) => unsupported("samples of several formats".into()),
        // 4 is "undefined".
        (1 | 4, 1 | 2 | 4 | 8 | 12 | 16) | (3, 32) => Ok(bits as usize),
        (1 | 4, _) => unsupported(format!("integers of {bits} bits")),
        (2, _) => unsupported("signed integers".into()),
        (3, _) => unsupported(format!("floats of {bits} bits")),
        _ => unsupported(format!("samples of format {format}")),
    }
}
