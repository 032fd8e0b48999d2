//! Images side by side.

use super::Image;
use crate::Result;

/// How much the difference map amplifies: 51 of 255 is already full.
const GAIN: u8 = 5;

/// White pixels between the panels.
const GAP: usize = 4;

/// Original, reconstruction and difference map next to each other. The map shows
/// `5 * |original - reconstruction|` for each color; black is equal.
///
/// # Errors
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if the two are not of one size.
pub fn side_by_side(original: &Image, reconstruction: &Image) -> Result<Image> {
    original.check_size_of(reconstruction)?;
    let (width, height) = (original.width(), original.height());
    let difference = original.rgb().iter().zip(reconstruction.rgb());
    let difference = difference.map(|(&a, &b)| a.abs_diff(b).saturating_mul(GAIN));
    let difference = Image::new(width, height, difference.collect())?;
    let gap = [255; 3 * GAP];
    let mut rgb = Vec::with_capacity(3 * (3 * width + 2 * GAP) * height);
    for y in 0..height {
        let row = 3 * width * y..3 * width * (y + 1);
        rgb.extend_from_slice(&original.rgb()[row.clone()]);
        rgb.extend(gap);
        rgb.extend_from_slice(&reconstruction.rgb()[row.clone()]);
        rgb.extend(gap);
        rgb.extend_from_slice(&difference.rgb()[row]);
    }
    Image::new(3 * width + 2 * GAP, height, rgb)
}
