//! PNG, animated or not, by the `png` crate.

use std::io::Cursor;

use image::metadata::Orientation;
use png::{BitDepth, BlendOp, ColorType, DecodingError, DisposeOp, Reader, Transformations};

use super::canvas::{Canvas, Region, over};
use super::color::to_bytes;
use super::decoder::{Channels, Decoder, Flaw, Frame, Frames, Pixels, Samples, memory_limit, one_frame};
use super::orientation::of_metadata;
use super::{ReadOptions, SixteenBits};

/// A PNG file whose header has been read.
pub(super) struct Png<'a> {
    bytes: &'a [u8],
    size: (u32, u32),
    sixteen_bits: SixteenBits,
}

impl<'a> Png<'a> {
    pub(super) fn open(bytes: &'a [u8], options: &ReadOptions) -> Result<Self, Flaw> {
        let side = |at: usize| {
            let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.first_chunk());
            bytes.map(|&bytes| u32::from_be_bytes(bytes)).ok_or(Flaw::CutShort)
        };
        Ok(Self {
            bytes,
            size: (side(16)?, side(20)?),
            sixteen_bits: options.sixteen_bits,
        })
    }

    /// The decoder reads on to the pixels at once, so its limit on memory has to follow from a size known before.
    fn reader(&self) -> Result<Reader<Cursor<&'a [u8]>>, Flaw> {
        let limits = png::Limits {
            bytes: usize::try_from(memory_limit(self.size)).unwrap_or(usize::MAX),
        };
        let mut decoder = png::Decoder::new_with_limits(Cursor::new(self.bytes), limits);
        // Palettes, transparent colors and fewer than 8 bits become plain channels.
        decoder.set_transformations(Transformations::EXPAND);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.read_info().map_err(flaw)
    }
}

impl<'a> Decoder<'a> for Png<'a> {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn orientation(&self) -> Orientation {
        let find = |kind: &[u8; 4], start: &[u8]| {
            let mut found = chunks(self.bytes).filter(|(k, _)| *k == kind);
            found.find_map(|(_, content)| content.strip_prefix(start))
        };
        // An uncompressed text; its five fields end with four zeros.
        of_metadata(find(b"eXIf", b""), find(b"iTXt", b"XML:com.adobe.xmp\0\0"))
    }

    fn still(self: Box<Self>) -> Result<Pixels, Flaw> {
        read_pixels(&mut self.reader()?)
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        let mut reader = self.reader()?;
        let Some(control) = reader.info().animation_control().copied() else {
            return Ok(one_frame(read_pixels(&mut reader)?));
        };
        // An image without a place in the animation is for programs that show stills.
        if reader.info().frame_control().is_none() {
            read_pixels(&mut reader)?;
        }
        let (color, _) = reader.output_color_type();
        Ok(Box::new(Animation {
            canvas: Canvas::new(self.size.0, self.size.1, [0; 4]),
            opaque: !matches!(color, ColorType::GrayscaleAlpha | ColorType::Rgba),
            size: self.size,
            sixteen_bits: self.sixteen_bits,
            left: control.num_frames,
            first: true,
            dispose: None,
            reader,
        }))
    }
}

/// The frames of an animation, drawn on the canvas.
struct Animation<'a> {
    reader: Reader<Cursor<&'a [u8]>>,
    canvas: Canvas,
    size: (u32, u32),
    /// Whether the format has no transparency, so that what is cleared is black.
    opaque: bool,
    sixteen_bits: SixteenBits,
    /// Frames still to come.
    left: u32,
    first: bool,
    /// What is to be done before the next frame.
    dispose: Option<Dispose>,
}

enum Dispose {
    Clear(Region),
    Restore(Region, Vec<[u8; 4]>),
}

impl Iterator for Animation<'_> {
    type Item = Result<Frame, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let frame = self.draw();
        if frame.is_err() {
            self.left = 0;
        }
        Some(frame)
    }
}

impl Animation<'_> {
    fn draw(&mut self) -> Result<Frame, Flaw> {
        match self.dispose.take() {
            Some(Dispose::Clear(region)) => self.canvas.draw(region, |pixel, _, _| *pixel = [0; 4]),
            Some(Dispose::Restore(region, pixels)) => self.canvas.restore(region, &pixels),
            None => {}
        }
        let pixels = read_pixels(&mut self.reader)?;
        let Some(control) = self.reader.info().frame_control().copied() else {
            return Err(Flaw::Damaged("a frame without its place".into()));
        };
        let region = self
            .canvas
            .region((control.x_offset, control.y_offset), (control.width, control.height));
        self.dispose = match control.dispose_op {
            DisposeOp::None => None,
            // There is nothing before the first frame.
            DisposeOp::Previous if !self.first => Some(Dispose::Restore(region, self.canvas.copy(region))),
            DisposeOp::Background | DisposeOp::Previous => Some(Dispose::Clear(region)),
        };
        self.first = false;
        let width = pixels.width as usize;
        let rgba = to_rgba(pixels, self.sixteen_bits)?;
        self.canvas.draw(region, |pixel, x, y| {
            let above = rgba[y * width + x];
            *pixel = match control.blend_op {
                BlendOp::Source => above,
                BlendOp::Over => over(above, *pixel),
            };
        });
        let denominator = match control.delay_den {
            0 => 100,
            denominator => denominator,
        };
        let (width, height) = self.size;
        Ok(Frame {
            pixels: Pixels::bytes(width, height, Channels::Rgba, self.canvas.shown(self.opaque)),
            seconds: f64::from(control.delay_num) / f64::from(denominator),
        })
    }
}

/// The next image of the file, which may be smaller than the canvas.
fn read_pixels(reader: &mut Reader<Cursor<&[u8]>>) -> Result<Pixels, Flaw> {
    let length = reader.output_buffer_size();
    let length = length.ok_or_else(|| Flaw::Memory("more than there are addresses".into()))?;
    let mut bytes = vec![0; length];
    let info = reader.next_frame(&mut bytes).map_err(flaw)?;
    // Rows of interlaced frames lie as far apart as those of the canvas.
    let row = info.line_size;
    let stride = match reader.info().interlaced {
        true => reader.output_line_size(reader.info().width).unwrap_or(row),
        false => row,
    };
    for y in 1..info.height as usize {
        bytes.copy_within(y * stride..y * stride + row, y * row);
    }
    bytes.truncate(row * info.height as usize);
    let channels = match info.color_type {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(Flaw::Damaged("a palette image without its palette".into())),
    };
    let samples = match info.bit_depth {
        BitDepth::Sixteen => {
            let words = bytes.as_chunks().0.iter();
            Samples::Words(words.map(|&word| u16::from_be_bytes(word)).collect())
        }
        _ => Samples::Bytes(bytes),
    };
    Ok(Pixels {
        width: info.width,
        height: info.height,
        channels,
        premultiplied: false,
        samples,
    })
}

fn to_rgba(pixels: Pixels, sixteen_bits: SixteenBits) -> Result<Vec<[u8; 4]>, Flaw> {
    let bytes = to_bytes(pixels.samples, sixteen_bits)?;
    let channels = bytes.chunks_exact(pixels.channels.count());
    let rgba = channels.map(|pixel| match *pixel {
        [gray] => [gray, gray, gray, 255],
        [gray, alpha] => [gray, gray, gray, alpha],
        [r, g, b] => [r, g, b, 255],
        _ => [pixel[0], pixel[1], pixel[2], pixel[3]],
    });
    Ok(rgba.collect())
}

/// The chunks of a file, as far as they are whole: type and content.
pub(super) fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk()?;
        let (kind, after) = after.split_first_chunk()?;
        let (content, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        // The checksum.
        rest = after.get(4..)?;
        Some((kind, content))
    })
}

fn flaw(error: DecodingError) -> Flaw {
    match error {
        DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Flaw::CutShort,
        DecodingError::LimitsExceeded => Flaw::Memory("its chunks are larger than its pixels".into()),
        e => Flaw::Damaged(e.to_string()),
    }
}
