//! Many pictures on one sheet.

use super::Picture;
use crate::{Error, Result};

/// White pixels between pictures.
const GAP: usize = 2;

/// Rows of pictures on white. A column is as wide as its widest picture, a row as high as its
/// highest; pictures sit at the upper left.
///
/// # Errors
/// [`Error::Input`] for no pictures.
pub fn picture_grid(rows: &[Vec<Picture>]) -> Result<Picture> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    if columns == 0 {
        return Err(Error::Input("a grid needs at least one picture".into()));
    }
    let widths: Vec<usize> = (0..columns)
        .map(|c| {
            let column = rows.iter().filter_map(|row| row.get(c));
            column.map(Picture::width).max().unwrap_or(0)
        })
        .collect();
    let heights: Vec<usize> = rows
        .iter()
        .map(|row| row.iter().map(Picture::height).max().unwrap_or(0))
        .collect();
    let length = |sides: &[usize]| sides.iter().sum::<usize>() + GAP * (sides.len() - 1);
    let (width, height) = (length(&widths), length(&heights));
    let mut rgb = vec![255; 3 * width * height];
    let mut top = 0;
    for (row, row_height) in rows.iter().zip(&heights) {
        let mut left = 0;
        for (picture, column_width) in row.iter().zip(&widths) {
            let lines = picture.rgb().chunks_exact(3 * picture.width());
            for (y, line) in lines.enumerate() {
                let at = 3 * ((top + y) * width + left);
                rgb[at..at + line.len()].copy_from_slice(line);
            }
            left += column_width + GAP;
        }
        top += row_height + GAP;
    }
    Picture::new(width, height, rgb)
}
