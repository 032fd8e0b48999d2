//! Many images on one sheet.

use super::Image;
use crate::{Error, Result};

/// White pixels between images.
const GAP: usize = 2;

/// Rows of images on white. A column is as wide as its widest image, a row as high as its
/// highest; images sit at the upper left.
///
/// # Errors
/// [`Error::InvalidArgument`] for no images.
pub fn make_grid(rows: &[Vec<Image>]) -> Result<Image> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return Err(Error::InvalidArgument("a grid needs at least one image".into()));
    }
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            let column = rows.iter().filter_map(|row| row.get(c));
            column.map(Image::width).max().unwrap_or(0)
        })
        .collect();
    let heights: Vec<usize> = rows
        .iter()
        .map(|row| row.iter().map(Image::height).max().unwrap_or(0))
        .collect();
    let length = |sides: &[usize]| sides.iter().sum::<usize>() + GAP * (sides.len() - 1);
    let (width, height) = (length(&widths), length(&heights));
    let mut rgb = vec![255; 3 * width * height];
    let mut top = 0;
    for (row, row_height) in rows.iter().zip(&heights) {
        let mut left = 0;
        for (image, column_width) in row.iter().zip(&widths) {
            let lines = image.rgb().chunks_exact(3 * image.width());
            for (y, line) in lines.enumerate() {
                let at = 3 * ((top + y) * width + left);
                rgb[at..at + line.len()].copy_from_slice(line);
            }
            left += column_width + GAP;
        }
        top += row_height + GAP;
    }
    Image::new(width, height, rgb)
}
