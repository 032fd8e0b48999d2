//! Between bytes and the values a network sees; nothing else in this library converts them.
//!
//! A network sees [-1, 1] where a file has 0 to 255, and its planes one after the other ("CHW")
//! where a file has the channels side by side ("HWC").

use super::{Image, Size};
use crate::{Error, Result};

/// A byte as a value in [-1, 1].
///
/// The steps are those of torchvision's `ToTensor` and `Normalize(0.5, 0.5)`, each rounded to f32
/// as there, so that the values agree to the last bit.
pub fn to_unit(byte: u8) -> f32 {
    (f32::from(byte) / 255.0 - 0.5) / 0.5
}

/// A value as a byte: -1 and below is 0, 1 and above is 255, halves are rounded up.
///
/// The inverse of [`to_unit`] for all 256 bytes. NaN becomes 0.
pub fn to_u8(value: f32) -> u8 {
    // `as` would also clamp, but only after rounding; NaN passes through both and `as` makes it 0.
    ((value.clamp(-1.0, 1.0) + 1.0) * 127.5).round() as u8
}

/// [`to_unit`] of every byte, in the same order.
pub fn to_unit_slice(bytes: &[u8]) -> Vec<f32> {
    bytes.iter().map(|&byte| to_unit(byte)).collect()
}

/// [`to_u8`] of every value, in the same order.
pub fn to_u8_slice(values: &[f32]) -> Vec<u8> {
    values.iter().map(|&value| to_u8(value)).collect()
}

/// An image as a network sees it: `3 * height * width` values in [-1, 1], red plane first.
pub fn image_to_chw(image: &Image) -> Vec<f32> {
    let pixels = image.size().pixels();
    let mut planes = vec![0.0; 3 * pixels];
    let (red, rest) = planes.split_at_mut(pixels);
    let (green, blue) = rest.split_at_mut(pixels);
    for (i, pixel) in image.rgb().chunks_exact(3).enumerate() {
        red[i] = to_unit(pixel[0]);
        green[i] = to_unit(pixel[1]);
        blue[i] = to_unit(pixel[2]);
    }
    planes
}

/// The image a network's `3 * height * width` values stand for, red plane first; see [`to_u8`]
/// for values outside [-1, 1].
///
/// # Errors
/// [`Error::InvalidArgument`] if a side is zero or `planes` has another length.
pub fn chw_to_image(planes: &[f32], width: usize, height: usize) -> Result<Image> {
    let size = Size::new(width, height);
    let pixels = size.pixels();
    if pixels == 0 || pixels.checked_mul(3) != Some(planes.len()) {
        return Err(Error::InvalidArgument(format!(
            "an image of {size} needs 3 values a pixel, not {} values in all",
            planes.len()
        )));
    }
    let (red, rest) = planes.split_at(pixels);
    let (green, blue) = rest.split_at(pixels);
    let mut rgb = vec![0; 3 * pixels];
    for (i, pixel) in rgb.chunks_exact_mut(3).enumerate() {
        pixel[0] = to_u8(red[i]);
        pixel[1] = to_u8(green[i]);
        pixel[2] = to_u8(blue[i]);
    }
    Image::new(width, height, rgb)
}
