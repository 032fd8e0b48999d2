//! Pictures and files the other tests of pixels share.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageFormat};
use tempfile::TempDir;
use vitok::Result;
use vitok::pixels::{Picture, ReadOptions, read_picture};

/// A picture whose pixels all differ from their neighbours and do not compress well.
pub fn noise(width: usize, height: usize) -> Picture {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let rgb = (0..width * height * 3)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    Picture::new(width, height, rgb).unwrap()
}

/// A picture of one colour.
pub fn plain(width: usize, height: usize, colour: [u8; 3]) -> Picture {
    Picture::new(width, height, colour.repeat(width * height)).unwrap()
}

pub fn pixel(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
    let at = (y * picture.width() + x) * 3;
    picture.rgb()[at..at + 3].try_into().unwrap()
}

/// An encoded file of raw channels.
pub fn encode(
    format: ImageFormat,
    raw: &[u8],
    width: u32,
    height: u32,
    colour: ExtendedColorType,
) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut file, raw, width, height, colour, format).unwrap();
    file.into_inner()
}

/// An encoded file of a picture, in any of the formats that can be read.
pub fn file_of(picture: &Picture, format: ImageFormat) -> Vec<u8> {
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    if format == ImageFormat::Gif {
        return gif(std::slice::from_ref(picture));
    }
    encode(
        format,
        picture.rgb(),
        width,
        height,
        ExtendedColorType::Rgb8,
    )
}

pub fn gif(frames: &[Picture]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut file);
    for frame in frames {
        let (width, height) = (frame.width() as u32, frame.height() as u32);
        let image = image::RgbImage::from_raw(width, height, frame.rgb().to_vec()).unwrap();
        let image = image::DynamicImage::ImageRgb8(image).into_rgba8();
        encoder.encode_frame(image::Frame::new(image)).unwrap();
    }
    drop(encoder);
    file
}

pub const FORMATS: [ImageFormat; 6] = [
    ImageFormat::Jpeg,
    ImageFormat::Png,
    ImageFormat::WebP,
    ImageFormat::Gif,
    ImageFormat::Bmp,
    ImageFormat::Tiff,
];

/// A folder with one file in it, gone when dropped.
pub struct Placed {
    folder: TempDir,
}

impl Placed {
    pub fn new(bytes: &[u8]) -> Self {
        let placed = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::write(placed.path(), bytes).unwrap();
        placed
    }

    /// The name never tells the format.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("file.png")
    }
}

/// What reading these bytes gives.
pub fn read(bytes: &[u8]) -> Result<Picture> {
    read_picture(&Placed::new(bytes).path(), &ReadOptions::default())
}

pub fn read_path(path: &Path) -> Result<Picture> {
    read_picture(path, &ReadOptions::default())
}

/// The checksum of PNG chunks.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
