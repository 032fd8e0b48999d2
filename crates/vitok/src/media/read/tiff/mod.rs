//! TIFF and BigTIFF: tags, compression, samples and colors each in a file. The `tiff` crate reads a part of the kinds only.

mod chunk;
mod codes;
mod decompress;
mod fax;
mod layout;
mod photometric;
mod tags;
mod unpack;

use image::metadata::Orientation;

use super::decoder::{Decoder, Flaw, Frames, Pixels, memory_limit, one_frame};
use super::ifd::Directory;
use super::orientation::of_directory;
use codes::Compression;
use layout::Layout;

/// A TIFF file whose first directory has been read.
pub(super) struct Tiff<'a> {
    bytes: &'a [u8],
    directory: Directory<'a>,
    layout: Layout<'a>,
}

impl<'a> Tiff<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        let directory = Directory::read(bytes)?;
        if !directory.is_whole() {
            return Err(Flaw::CutShort);
        }
        let layout = Layout::of(&directory)?;
        Ok(Self {
            bytes,
            directory,
            layout,
        })
    }
}

impl<'a> Decoder<'a> for Tiff<'a> {
    fn size(&self) -> (u32, u32) {
        (self.layout.width, self.layout.height)
    }

    fn orientation(&self) -> Orientation {
        of_directory(&self.directory).unwrap_or(Orientation::NoTransforms)
    }

    fn still(self: Box<Self>) -> Result<Pixels, Flaw> {
        let layout = &self.layout;
        let limit = memory_limit(self.size());
        let chunks = layout.chunks(&self.directory)?;
        if layout.chunk_bytes() > limit || layout.sample_bytes() > limit {
            return Err(Flaw::Memory("its parts are larger than the image".into()));
        }
        let mut samples = layout.samples();
        for chunk in chunks {
            let data = chunk.of(self.bytes)?;
            match layout.compression {
                Compression::Jpeg => {
                    let pixels = decompress::jpeg(data, layout)?;
                    unpack::pixels(&pixels, &chunk, layout, &mut samples)?;
                }
                _ => {
                    let length = layout.row_bytes() * chunk.rows as usize;
                    let bytes = decompress::bytes(data, &chunk, layout, length)?;
                    unpack::rows(&bytes, &chunk, layout, &mut samples);
                }
            }
        }
        photometric::to_pixels(samples, layout)
    }

    fn frames(self: Box<Self>) -> Result<Frames<'a>, Flaw> {
        self.still().map(one_frame)
    }
}
