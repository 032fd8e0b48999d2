//! GIF, animated or not, by the `gif` crate, drawn as Pillow draws it.

use gif::{ColorOutput, DecodeOptions, DecodingError, DisposalMethod};

use super::ReadOptions;
use super::canvas::{Canvas, Region};
use super::decoder::{Channels, Decoder, Flaw, Frame, Frames, Pixels, check_size};

/// A GIF file whose first frame has been found.
pub(super) struct Gif<'a> {
    decoder: gif::Decoder<&'a [u8]>,
    size: (u32, u32),
    options: &'a ReadOptions,
}

impl<'a> Gif<'a> {
    pub(super) fn open(bytes: &'a [u8], options: &'a ReadOptions) -> Result<Self, Flaw> {
        let mut decoding = DecodeOptions::new();
        decoding.set_color_output(ColorOutput::Indexed);
        // Memory is for us to allocate, once the size is known; see `draw`.
        decoding.set_memory_limit(gif::MemoryLimit::Unlimited);
        decoding.allow_unknown_blocks(true);
        let mut decoder = decoding.read_info(bytes).map_err(flaw)?;
        let Some(frame) = decoder.next_frame_info().map_err(flaw)? else {
            return Err(Flaw::Damaged("there is no image in it".into()));
        };
        let (right, bottom) = (
            u32::from(frame.left) + u32::from(frame.width),
            u32::from(frame.top) + u32::from(frame.height),
        );
        // Some files give no screen, or one smaller than their image.
        let size = (right.max(decoder.width().into()), bottom.max(decoder.height().into()));
        Ok(Self { decoder, size, options })
    }
}

impl<'a> Decoder<'a> for Gif<'a> {
    fn size(&self) -> (u32, u32) {
        self.size
    }

    fn still(self: Box<Self>) -> Result<Pixels, Flaw> {
        match self.frames()?.next() {
            Some(frame) => Ok(frame?.pixels),
            None => Err(Flaw::CutShort),
        }
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        Ok(Box::new(Animation {
            decoder: self.decoder,
            size: self.size,
            options: self.options,
            canvas: None,
            opaque: false,
            method: DisposalMethod::Any,
            dispose: None,
            done: false,
        }))
    }
}

/// The frames of an animation, drawn on the canvas.
struct Animation<'a> {
    decoder: gif::Decoder<&'a [u8]>,
    size: (u32, u32),
    options: &'a ReadOptions,
    /// None before the first frame.
    canvas: Option<Canvas>,
    /// Whether the first frame has no transparent color; then nothing becomes transparent later.
    opaque: bool,
    /// A frame that does not say how to dispose of it is treated as the one before.
    method: DisposalMethod,
    /// What is to be done before the next frame.
    dispose: Option<Dispose>,
    done: bool,
}

enum Dispose {
    Fill(Region, [u8; 4]),
    Restore(Region, Vec<[u8; 4]>),
}

impl Iterator for Animation<'_> {
    type Item = Result<Frame, Flaw>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let frame = self.advance().and_then(|more| more.then(|| self.draw()).transpose());
        self.done = !matches!(frame, Ok(Some(_)));
        frame.transpose()
    }
}

impl Animation<'_> {
    /// Goes on to the next frame, if there is one. The first has been found when the file was opened.
    fn advance(&mut self) -> Result<bool, Flaw> {
        if self.canvas.is_none() {
            return Ok(true);
        }
        match self.decoder.next_frame_info() {
            Ok(frame) => Ok(frame.is_some()),
            // That the file is whole has been checked: it has no trailer.
            Err(DecodingError::UnexpectedEof) => Ok(false),
            Err(e) => Err(flaw(e)),
        }
    }

    fn draw(&mut self) -> Result<Frame, Flaw> {
        let Some(frame) = self.decoder.current_frame_info() else {
            return Err(Flaw::CutShort);
        };
        let (place, size) = (
            (frame.left.into(), frame.top.into()),
            (u32::from(frame.width), u32::from(frame.height)),
        );
        let (transparent, delay) = (frame.transparent, frame.delay);
        if frame.dispose != DisposalMethod::Any {
            self.method = frame.dispose;
        }
        let mut indices = Vec::new();
        if size.0 > 0 && size.1 > 0 {
            check_size(size, self.options)?;
            indices.resize(size.0 as usize * size.1 as usize, 0);
            self.decoder.read_into_buffer(&mut indices).map_err(flaw)?;
        }

        let palette = self.decoder.palette().map_err(flaw)?.as_chunks().0;
        let color = |index: usize, alpha: u8| {
            let [r, g, b] = palette.get(index).copied().unwrap_or([0; 3]);
            [r, g, b, alpha]
        };
        // What is cleared becomes the transparent color, or where there is none the background's.
        let clear = |otherwise: usize| match transparent {
            Some(index) => color(index.into(), 0),
            None => color(otherwise, 255),
        };
        let first = self.canvas.is_none();
        if first {
            self.opaque = transparent.is_none();
        }
        let canvas = self
            .canvas
            .get_or_insert_with(|| Canvas::new(self.size.0, self.size.1, clear(0)));
        match self.dispose.take() {
            Some(Dispose::Fill(region, color)) => canvas.draw(region, |pixel, _, _| *pixel = color),
            Some(Dispose::Restore(region, pixels)) => canvas.restore(region, &pixels),
            None => {}
        }
        let region = canvas.region(place, size);
        self.dispose = match self.method {
            DisposalMethod::Any | DisposalMethod::Keep => None,
            DisposalMethod::Background => Some(Dispose::Fill(region, clear(self.decoder.bg_color().unwrap_or(0)))),
            // There is nothing before the first frame.
            DisposalMethod::Previous if first && transparent.is_none() => None,
            DisposalMethod::Previous => Some(Dispose::Restore(region, canvas.copy(region))),
        };
        canvas.draw(region, |pixel, x, y| {
            let index = indices[y * size.0 as usize + x];
            if transparent != Some(index) {
                *pixel = color(index.into(), 255);
            }
        });
        let (width, height) = self.size;
        Ok(Frame {
            pixels: Pixels::bytes(width, height, Channels::Rgba, canvas.shown(self.opaque)),
            seconds: f64::from(delay) / 100.0,
        })
    }
}

fn flaw(error: DecodingError) -> Flaw {
    match error {
        DecodingError::UnexpectedEof => Flaw::CutShort,
        DecodingError::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => Flaw::CutShort,
        e => Flaw::Damaged(e.to_string()),
    }
}
