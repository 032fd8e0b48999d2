//! Down and up again.

use crate::Result;
use crate::pixels::{Filter, Picture, Size, resize_u8};

/// The size nearest to the proportions of `size` whose RGB values are `values` at least: the
/// baseline never gets fewer numbers than the code it stands beside, and no more than it must.
pub fn bicubic_size(size: Size, values: usize) -> Size {
    let pixels = values.div_ceil(3).max(1);
    if pixels >= size.pixels() {
        return size;
    }
    let scale = (pixels as f64 / size.pixels() as f64).sqrt();
    let width = ((size.width as f64 * scale).round() as usize).clamp(1, size.width);
    // Of the widths nearby, the one that wastes least.
    let candidates = [
        width.saturating_sub(1).max(1),
        width,
        (width + 1).min(size.width),
    ];
    let sizes = candidates.map(|width| Size::new(width, pixels.div_ceil(width).min(size.height)));
    let fits = |s: &&Size| s.pixels() >= pixels;
    let best = sizes.iter().filter(fits).min_by_key(|s| s.pixels());
    best.copied().unwrap_or(size)
}

/// The picture through a small one of `values` RGB values: Pillow's antialiased bicubic down to
/// [`bicubic_size`], and bicubic up, rounded to bytes at each step.
///
/// # Errors
/// [`crate::Error::Input`] only for absurd sizes.
pub fn bicubic(picture: &Picture, values: usize) -> Result<Picture> {
    let small = bicubic_size(picture.size(), values);
    let small = resize_u8(picture, small, Filter::Bicubic)?;
    resize_u8(&small, picture.size(), Filter::Bicubic)
}
