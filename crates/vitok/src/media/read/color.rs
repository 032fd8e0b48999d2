//! From whatever channels a file has to 8-bit RGB.

use super::decoder::{Channels, Flaw, Pixels, Samples};
use super::{Alpha, ReadOptions, SixteenBits};

/// Decoded pixels as RGB.
///
/// 16-bit and float channels become bytes first; blending, CMYK and premultiplied alpha are worked out in bytes.
pub(super) fn to_rgb(pixels: Pixels, options: &ReadOptions) -> Result<Vec<u8>, Flaw> {
    let bytes = to_bytes(pixels.samples, options.sixteen_bits)?;
    let blended = |color: [u8; 3], alpha: u8| {
        let color = match pixels.premultiplied {
            true => color.map(|value| divide(value, alpha)),
            false => color,
        };
        blend(color, alpha, options.alpha)
    };
    Ok(match pixels.channels {
        Channels::Gray => bytes.iter().flat_map(|&gray| [gray; 3]).collect(),
        Channels::GrayAlpha => pixels_of(&bytes).flat_map(|[gray, a]| blended([gray; 3], a)).collect(),
        Channels::Rgb => bytes,
        Channels::Rgba => pixels_of(&bytes)
            .flat_map(|[r, g, b, a]| blended([r, g, b], a))
            .collect(),
        Channels::Cmyk => pixels_of(&bytes).flat_map(cmyk_to_rgb).collect(),
    })
}

/// Samples as bytes.
pub(super) fn to_bytes(samples: Samples, sixteen_bits: SixteenBits) -> Result<Vec<u8>, Flaw> {
    match samples {
        Samples::Bytes(bytes) => Ok(bytes),
        Samples::Words(words) => Ok(match sixteen_bits {
            SixteenBits::Round => words.into_iter().map(rounded).collect(),
            SixteenBits::HighByte => words.into_iter().map(|word| (word >> 8) as u8).collect(),
        }),
        Samples::Floats(floats) => from_floats(&floats),
    }
}

/// `N` channels a pixel.
fn pixels_of<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.as_chunks().0.iter().copied()
}

/// 16 bits rounded to 8; 65535 is 255 times 257.
fn rounded(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// Floats have no range of their own. Those of 0 to 1 are taken for black to white; anything
/// beyond is light or measurements, and clipping it would quietly spoil the image.
fn from_floats(floats: &[f32]) -> Result<Vec<u8>, Flaw> {
    let byte = |&value: &f32| match (0.0..=1.0).contains(&value) {
        true => Ok((value * 255.0).round() as u8),
        false => Err(Flaw::Unsupported(format!(
            "it holds the float value {value}, and only values from 0 to 1 are supported"
        ))),
    };
    floats.iter().map(byte).collect()
}

/// A color from its product with alpha, as Pillow divides: rounded down, black where nothing is seen.
fn divide(value: u8, alpha: u8) -> u8 {
    match alpha {
        0 => 0,
        alpha => (u32::from(value) * 255 / u32::from(alpha)).min(255) as u8,
    }
}

fn blend(color: [u8; 3], opacity: u8, alpha: Alpha) -> [u8; 3] {
    let Alpha::Over(background) = alpha else {
        return color;
    };
    let opacity = u32::from(opacity);
    let mut result = color;
    for (channel, below) in result.iter_mut().zip(background) {
        let sum = u32::from(*channel) * opacity + u32::from(below) * (255 - opacity);
        *channel = rounded_255th(sum);
    }
    result
}

/// Inks on white paper, without a profile: what an ink leaves of each color, times what black leaves.
fn cmyk_to_rgb([cyan, magenta, yellow, black]: [u8; 4]) -> [u8; 3] {
    let left = 255 - black;
    [cyan, magenta, yellow].map(|ink| left - rounded_255th(u32::from(ink) * u32::from(left)))
}

/// `value / 255`, rounded: 255 is odd, so there are no ties.
fn rounded_255th(value: u32) -> u8 {
    ((value + 127) / 255) as u8
}
