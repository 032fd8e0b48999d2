//! What the numbers in the tags of a TIFF file mean, and the names of those that are not supported.

use super::super::decoder::Flaw;
use super::super::ifd::Directory;
use super::tags;

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

pub(super) fn photometric(code: u64) -> Result<Photometric, Flaw> {
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

pub(super) fn compression(code: u64, directory: &Directory<'_>) -> Result<Compression, Flaw> {
    let name = match code {
        1 => return Ok(Compression::None),
        2 => return Ok(Compression::ModifiedHuffman),
        3 => {
            let two_dimensional = directory.integer(tags::T4_OPTIONS)?.unwrap_or(0) & 1 == 1;
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

pub(super) fn predictor(code: u64) -> Result<Predictor, Flaw> {
    match code {
        1 => Ok(Predictor::None),
        2 => Ok(Predictor::Horizontal),
        3 => Ok(Predictor::Float),
        _ => Err(Flaw::Unsupported(format!("a predictor of kind {code}"))),
    }
}

/// Bits a sample, if all samples have as many, and those are integers of up to 16 bits or floats of 32.
pub(super) fn bits(directory: &Directory<'_>) -> Result<usize, Flaw> {
    let all = directory.integers(tags::BITS_PER_SAMPLE)?;
    let bits = all.first().copied().unwrap_or(1);
    let formats = directory.integers(tags::SAMPLE_FORMAT)?;
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
