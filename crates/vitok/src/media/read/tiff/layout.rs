//! How the pixels of a TIFF file are stored, from its tags.

use super::super::decoder::{Flaw, Samples};
use super::super::ifd::Directory;
use super::super::libjpeg::ColorSpace;
use super::chunk::Chunk;
use super::codes::{AlphaKind, Compression, Photometric, Predictor, bits, compression, photometric, predictor};
use super::tags;

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

impl<'a> Layout<'a> {
    pub(super) fn of(directory: &Directory<'a>) -> Result<Self, Flaw> {
        let number = |tag: u16| directory.integer(tag);
        let side = |tag: u16, name: &str| match number(tag)? {
            Some(value) => u32::try_from(value).map_err(|_| Flaw::Damaged(format!("its {name} is {value}"))),
            None => Err(Flaw::Damaged(format!("it has no {name}"))),
        };
        let (width, height) = (side(tags::IMAGE_WIDTH, "width")?, side(tags::IMAGE_LENGTH, "height")?);
        let planar = number(tags::PLANAR_CONFIGURATION)?.unwrap_or(1) == 2;
        let mut photometric = photometric(number(tags::PHOTOMETRIC_INTERPRETATION)?.unwrap_or(0))?;
        let compression = compression(number(tags::COMPRESSION)?.unwrap_or(1), directory)?;
        let mut jpeg_space = ColorSpace::JCS_UNKNOWN;
        if compression == Compression::Jpeg && photometric == Photometric::YCbCr {
            // libjpeg converts these.
            jpeg_space = ColorSpace::JCS_YCbCr;
            photometric = Photometric::Rgb;
        }
        if photometric == Photometric::YCbCr && directory.integers(tags::YCBCR_SUB_SAMPLING)? != [1, 1] {
            return Err(Flaw::Unsupported(
                "YCbCr with fewer chroma samples, other than as JPEG".into(),
            ));
        }

        let colors = photometric.samples();
        let samples_per_pixel = match number(tags::SAMPLES_PER_PIXEL)?.unwrap_or(1) {
            samples if samples < colors as u64 => {
                return Err(Flaw::Damaged(format!("{samples} samples a pixel are too few")));
            }
            samples if samples > MOST_SAMPLES => {
                return Err(Flaw::Unsupported(format!("{samples} samples a pixel")));
            }
            samples => samples as usize,
        };
        let extra = directory.integers(tags::EXTRA_SAMPLES)?.first().copied();
        let alpha = match extra {
            Some(1) => Some(AlphaKind::Associated),
            // Corel Draw writes 999.
            Some(2 | 999) => Some(AlphaKind::Unassociated),
            None if photometric == Photometric::Rgb => Some(AlphaKind::Unassociated),
            _ => None,
        };
        let (tiled, chunk) = match directory.has(tags::TILE_WIDTH) {
            true => (
                true,
                (
                    side(tags::TILE_WIDTH, "tile width")?,
                    side(tags::TILE_LENGTH, "tile height")?,
                ),
            ),
            false => {
                let rows = number(tags::ROWS_PER_STRIP)?.unwrap_or(u64::MAX).min(height.into()) as u32;
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
            predictor: predictor(number(tags::PREDICTOR)?.unwrap_or(1))?,
            big_endian: directory.big_endian,
            lowest_bit_first: number(tags::FILL_ORDER)? == Some(2),
            chunk,
            tiled,
            palette: directory.integers(tags::COLOR_MAP)?,
            jpeg_tables: directory.bytes(tags::JPEG_TABLES)?,
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
    pub(super) fn chunks(&self, directory: &Directory<'a>) -> Result<impl Iterator<Item = Chunk>, Flaw> {
        let (across, down) = (self.width.div_ceil(self.chunk.0), self.height.div_ceil(self.chunk.1));
        let planes = if self.planar { self.samples_per_pixel } else { 1 };
        let (offsets, lengths) = match self.tiled {
            true => (
                directory.integers(tags::TILE_OFFSETS)?,
                directory.integers(tags::TILE_BYTE_COUNTS)?,
            ),
            false => (
                directory.integers(tags::STRIP_OFFSETS)?,
                directory.integers(tags::STRIP_BYTE_COUNTS)?,
            ),
        };
        let in_plane = u64::from(across) * u64::from(down);
        let count = in_plane.saturating_mul(planes as u64);
        if (offsets.len() as u64) < count {
            return Err(Flaw::Damaged(format!(
                "{} parts of {count} are missing",
                count - offsets.len() as u64
            )));
        }
        let chunk = move |index: u64| {
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
        Ok((0..count).map(chunk))
    }
}
