//! Images and files the other tests of pixels share.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{ExtendedColorType, ImageFormat};
use tempfile::TempDir;
use vitok::Result;
use vitok::media::{Image, ReadOptions, read_image};

/// An image whose pixels all differ from their neighbors and do not compress well.
pub fn noise(width: usize, height: usize) -> Image {
    let mut state = 0x2545_F491_4F6C_DD1Du64;
    let rgb = (0..width * height * 3)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    Image::new(width, height, rgb).unwrap()
}

/// An image of one color.
pub fn plain(width: usize, height: usize, color: [u8; 3]) -> Image {
    Image::new(width, height, color.repeat(width * height)).unwrap()
}

pub fn pixel(image: &Image, x: usize, y: usize) -> [u8; 3] {
    let at = (y * image.width() + x) * 3;
    image.rgb()[at..at + 3].try_into().unwrap()
}

/// An encoded file of raw channels.
pub fn encode(format: ImageFormat, raw: &[u8], width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut file, raw, width, height, color, format).unwrap();
    file.into_inner()
}

/// An encoded file of an image, in any of the formats that can be read.
pub fn file_of(image: &Image, format: ImageFormat) -> Vec<u8> {
    let (width, height) = (image.width() as u32, image.height() as u32);
    if format == ImageFormat::Gif {
        return gif(std::slice::from_ref(image));
    }
    encode(format, image.rgb(), width, height, ExtendedColorType::Rgb8)
}

pub fn gif(frames: &[Image]) -> Vec<u8> {
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
pub fn read(bytes: &[u8]) -> Result<Image> {
    read_image(&Placed::new(bytes).path(), &ReadOptions::default())
}

pub fn read_path(path: &Path) -> Result<Image> {
    read_image(path, &ReadOptions::default())
}

/// The checksum of PNG chunks.
pub fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg())
        })
    })
}
