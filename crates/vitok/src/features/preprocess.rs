//! From an image to a network's input: resizing and the range of values. Where two programs give the same images another
//! FID, it is mostly for a difference in here.

use std::fmt;

use crate::Result;
use crate::media::{Filter, Image, Size, resize_f32_pillow, resize_f32_plain};

/// How an image gets to the network's size; always on floats of 0 to 255, never rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resize {
    /// Bilinear from the four nearest pixels, also when it shrinks: PyTorch's `interpolate` without antialiasing,
    /// `align_corners=False`. pytorch-fid.
    Bilinear,
    /// The same with `align_corners=True`.
    BilinearCorners,
    /// TensorFlow 1's bilinear, which is shifted by up to half a pixel: the first FID program, and
    /// torch-fidelity.
    BilinearTensorflow,
    /// Pillow's antialiased bicubic on each channel, clipped to 0..255: clean-fid.
    BicubicPillow,
    /// The pixels as they are, which must be of the network's size.
    None,
}

/// The range of values that bytes are mapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Range {
    /// `x / 127.5 - 1`: [-1, 1].
    Signed,
    /// `(x - 128) / 128`, as the TensorFlow graph: [-1, 0.992].
    By128,
    /// `(x - 127) / 128`, as EfficientNet-Lite.
    By127,
}

/// How an image becomes a network's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Preprocess {
    /// How it is resized to the network's size.
    pub resize: Resize,
    /// How bytes are mapped to the network's values.
    pub range: Range,
}

impl Preprocess {
    /// `[3, side, side]` of an image.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if the image is not of that size and is not to be resized.
    pub fn prepare(&self, image: &Image, side: usize) -> Result<Vec<f32>> {
        let mut planes = self.resize.planes(image, Size::new(side, side))?;
        for value in &mut planes {
            *value = self.range.of(*value);
        }
        Ok(planes)
    }
}

impl Resize {
    /// `[3, H, W]` in 0..255.
    fn planes(self, image: &Image, to: Size) -> Result<Vec<f32>> {
        let from = image.size();
        match self {
            Resize::Bilinear => resize_f32_plain(&planes(image), from, to, false),
            Resize::BilinearCorners => resize_f32_plain(&planes(image), from, to, true),
            Resize::BilinearTensorflow => Ok(tensorflow(&planes(image), from, to)),
            Resize::BicubicPillow => {
                let pixels: Vec<f32> = image.rgb().iter().map(|&b| f32::from(b)).collect();
                let resized = resize_f32_pillow(&pixels, from, to, Filter::Bicubic)?;
                let plane = |c: usize| resized[c..].iter().step_by(3);
                let clipped = (0..3).flat_map(plane).map(|v| v.clamp(0.0, 255.0));
                Ok(clipped.collect())
            }
            Resize::None if from == to => Ok(planes(image)),
            Resize::None => Err(crate::Error::InvalidArgument(format!(
                "an image of {from} is not of {to} and is not to be resized"
            ))),
        }
    }
}

impl Range {
    fn of(self, byte: f32) -> f32 {
        match self {
            Range::Signed => byte / 127.5 - 1.0,
            Range::By128 => (byte - 128.0) / 128.0,
            Range::By127 => (byte - 127.0) / 128.0,
        }
    }
}

/// `[3, H, W]`, 0 to 255.
fn planes(image: &Image) -> Vec<f32> {
    crate::media::byte_planes(image)
}

/// TensorFlow 1's `resize_bilinear`: output `i` is sampled at `i * from / to`, without half-pixel centers.
fn tensorflow(planes: &[f32], from: Size, to: Size) -> Vec<f32> {
    let taps = |from: usize, to: usize| -> Vec<(usize, usize, f32)> {
        let scale = from as f32 / to as f32;
        let tap = |i: usize| {
            let position = i as f32 * scale;
            let low = (position as usize).min(from - 1);
            (low, (low + 1).min(from - 1), position - low as f32)
        };
        (0..to).map(tap).collect()
    };
    let (columns, rows) = (taps(from.width, to.width), taps(from.height, to.height));
    let mut out = Vec::with_capacity(planes.len() / from.pixels() * to.pixels());
    for plane in planes.chunks(from.pixels()) {
        for &(top, bottom, down) in &rows {
            let row = |y: usize| &plane[y * from.width..][..from.width];
            let (top, bottom) = (row(top), row(bottom));
            for &(left, right, across) in &columns {
                let mix = |row: &[f32]| row[left] + (row[right] - row[left]) * across;
                let (a, b) = (mix(top), mix(bottom));
                out.push(a + (b - a) * down);
            }
        }
    }
    out
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Resize::Bilinear => "bilinear in floats, no antialiasing, align_corners=False",
            Resize::BilinearCorners => "bilinear in floats, no antialiasing, align_corners=True",
            Resize::BilinearTensorflow => "TensorFlow 1's bilinear in floats, no antialiasing",
            Resize::BicubicPillow => "Pillow's antialiased bicubic in floats, clipped to 0..255",
            Resize::None => "none",
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Range::Signed => "x / 127.5 - 1",
            Range::By128 => "(x - 128) / 128",
            Range::By127 => "(x - 127) / 128",
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_image_of_the_right_size_is_not_changed_by_any_bilinear() {
        let rgb: Vec<u8> = (0..48).map(|i| i * 5).collect();
        let image = Image::new(4, 4, rgb).unwrap();
        let size = Size::new(4, 4);
        for resize in [
            Resize::Bilinear,
            Resize::BilinearCorners,
            Resize::BilinearTensorflow,
            Resize::BicubicPillow,
        ] {
            let found = resize.planes(&image, size).unwrap();
            assert_eq!(found, planes(&image), "{resize}");
        }
        assert!(Resize::None.planes(&image, Size::new(5, 4)).is_err());
    }

    #[test]
    fn tensorflow_samples_from_the_corner() {
        let plane = [0.0, 3.0, 6.0, 9.0];
        let found = tensorflow(&plane, Size::new(4, 1), Size::new(6, 1));
        for (found, wanted) in found.iter().zip([0.0, 2.0, 4.0, 6.0, 8.0, 9.0]) {
            assert!((found - wanted).abs() < 1e-6, "{found} {wanted}");
        }
    }
}
