//! From samples as TIFF stores them to channels.

use super::super::decoder::{Channels, Flaw, Pixels, Samples};
use super::codes::{AlphaKind, Photometric};
use super::layout::Layout;

/// The pixels that the samples stand for; samples without a meaning are left out.
pub(super) fn to_pixels(samples: Samples, layout: &Layout<'_>) -> Result<Pixels, Flaw> {
    let has_alpha = layout.alpha.is_some();
    let kept = layout.photometric.samples() + usize::from(has_alpha);
    let samples = match samples {
        Samples::Bytes(all) => Samples::Bytes(bytes(first_of(all, layout.samples_per_pixel, kept), kept, layout)),
        Samples::Words(all) => Samples::Words(lighten(
            first_of(all, layout.samples_per_pixel, kept),
            kept,
            layout,
            |word| u16::MAX - word,
        )),
        Samples::Floats(all) => Samples::Floats(lighten(
            first_of(all, layout.samples_per_pixel, kept),
            kept,
            layout,
            |value| 1.0 - value,
        )),
    };
    let channels = match (layout.photometric, has_alpha) {
        (Photometric::WhiteIsZero | Photometric::BlackIsZero, false) => Channels::Gray,
        (Photometric::WhiteIsZero | Photometric::BlackIsZero, true) => Channels::GrayAlpha,
        (Photometric::Cmyk, false) => Channels::Cmyk,
        (Photometric::Cmyk, true) => return Err(Flaw::Unsupported("CMYK with transparency".into())),
        (_, false) => Channels::Rgb,
        (_, true) => Channels::Rgba,
    };
    Ok(Pixels {
        width: layout.width,
        height: layout.height,
        channels,
        premultiplied: layout.alpha == Some(AlphaKind::Associated),
        samples,
    })
}

/// The first `kept` of every `count` values.
fn first_of<T: Copy>(values: Vec<T>, count: usize, kept: usize) -> Vec<T> {
    if count == kept {
        return values;
    }
    values
        .chunks_exact(count)
        .flat_map(|pixel| &pixel[..kept])
        .copied()
        .collect()
}

/// Turns gray that counts from white.
fn lighten<T: Copy>(mut values: Vec<T>, count: usize, layout: &Layout<'_>, turned: impl Fn(T) -> T) -> Vec<T> {
    if layout.photometric == Photometric::WhiteIsZero {
        values.iter_mut().step_by(count).for_each(|gray| *gray = turned(*gray));
    }
    values
}

/// Channels of samples of up to 8 bits.
fn bytes(values: Vec<u8>, count: usize, layout: &Layout<'_>) -> Vec<u8> {
    // 255 is a multiple of 1, 3 and 15.
    let scale = (255 / ((1u32 << layout.bits) - 1)) as u8;
    match layout.photometric {
        Photometric::Palette => {
            let entries = layout.palette.len() / 3;
            // The high byte of 16 bits.
            let color = |index: u8, channel: usize| {
                let entry = layout.palette.get(channel * entries + usize::from(index));
                entry.map_or(0, |value| (value >> 8) as u8)
            };
            let pixel = |pixel: &[u8]| {
                let rgb = [0, 1, 2].map(|channel| color(pixel[0], channel));
                let alpha = pixel.get(1).map(|alpha| alpha * scale);
                rgb.into_iter().chain(alpha).collect::<Vec<_>>()
            };
            values.chunks_exact(count).flat_map(pixel).collect()
        }
        Photometric::YCbCr => values.chunks_exact(count).flat_map(from_ycbcr).collect(),
        _ => {
            let scaled = values.into_iter().map(|value| value * scale).collect();
            lighten(scaled, count, layout, |byte: u8| 255 - byte)
        }
    }
}

/// RGB of Y, Cb and Cr as in JPEG (BT.601, all 256 values); what follows stays.
fn from_ycbcr(pixel: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let [y, cb, cr] = [pixel[0], pixel[1], pixel[2]].map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    rgb.map(|value| value.round() as u8)
        .into_iter()
        .chain(pixel[3..].iter().copied())
}
