//! Many images on one sheet.

use super::Image;
use super::text::{CELL, draw, wrap};
use crate::{Error, Result};

/// White pixels between images; between columns with titles twice as many of the font's pixels.
const GAP: usize = 2;

/// Most lines of a column's title.
const TITLE_LINES: usize = 4;

/// Pixels of a column's width for each pixel of the font: titles have 16 characters a line, or 8 in narrow columns.
const PIXELS_PER_DOT: usize = 128;

/// Rows of images on white, below a title for each column if there are any. A column is as wide as its widest image, a
/// row as high as its highest; images sit at the upper left. Titles are wrapped to the column's width and drawn larger
/// above larger images; of those that are too long the end is shown.
///
/// # Errors
/// [`Error::InvalidArgument`] for no images.
pub fn make_grid(rows: &[Vec<Image>], titles: Option<&[String]>) -> Result<Image> {
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
    let header = Header::new(titles.unwrap_or_default(), &widths);
    let column_gap = header.column_gap();
    let length = |sides: &[usize], gap: usize| sides.iter().sum::<usize>() + gap * (sides.len() - 1);
    let (width, height) = (length(&widths, column_gap), header.height() + length(&heights, GAP));
    let mut rgb = vec![255; 3 * width * height];
    header.draw(&mut rgb, width, &widths);
    let mut top = header.height();
    for (row, row_height) in rows.iter().zip(&heights) {
        let mut left = 0;
        for (image, column_width) in row.iter().zip(&widths) {
            let lines = image.rgb().chunks_exact(3 * image.width());
            for (y, line) in lines.enumerate() {
                let at = 3 * ((top + y) * width + left);
                rgb[at..at + line.len()].copy_from_slice(line);
            }
            left += column_width + column_gap;
        }
        top += row_height + GAP;
    }
    Image::new(width, height, rgb)
}

/// The titles of columns, wrapped.
struct Header {
    /// Lines of each column's title.
    titles: Vec<Vec<String>>,
    /// Pixels of the image for each pixel of the font.
    scale: usize,
}

impl Header {
    fn new(titles: &[String], widths: &[usize]) -> Self {
        let widest = widths.iter().copied().max().unwrap_or(0);
        let scale = (widest / PIXELS_PER_DOT).max(1);
        let titles = titles.iter().zip(widths);
        let titles = titles.map(|(title, width)| match width / (CELL * scale) {
            // Narrower than a character.
            0 => Vec::new(),
            characters => wrap(title, characters, TITLE_LINES),
        });
        Self {
            titles: titles.collect(),
            scale,
        }
    }

    /// Pixels of a line and the space below it.
    fn line_height(&self) -> usize {
        (CELL + 2) * self.scale
    }

    /// White pixels between columns: enough to tell the titles of neighbors apart.
    fn column_gap(&self) -> usize {
        match self.titles.is_empty() {
            true => GAP,
            false => 2 * GAP * self.scale,
        }
    }

    fn lines(&self) -> usize {
        self.titles.iter().map(Vec::len).max().unwrap_or(0)
    }

    fn height(&self) -> usize {
        match self.lines() {
            0 => 0,
            lines => lines * self.line_height() + 4 * self.scale,
        }
    }

    /// Draws the titles, their last lines just above the images, with as much room above the first ones.
    fn draw(&self, rgb: &mut [u8], width: usize, widths: &[usize]) {
        let mut left = 0;
        for (lines, column_width) in self.titles.iter().zip(widths) {
            let first = self.lines() - lines.len();
            for (i, line) in lines.iter().enumerate() {
                let top = 3 * self.scale + (first + i) * self.line_height();
                draw(rgb, width, (left, top), line, self.scale);
            }
            left += column_width + self.column_gap();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn gray(width: usize, height: usize) -> Image {
        Image::new(width, height, vec![128; 3 * width * height]).unwrap()
    }

    #[test]
    fn titles_stand_above_their_columns() {
        let rows = vec![vec![gray(64, 48), gray(64, 48)]; 2];
        let plain = make_grid(&rows, None).unwrap();
        assert_eq!((plain.width(), plain.height()), (64 + 2 + 64, 48 + 2 + 48));
        let titles = ["original".to_owned(), "models/photographs-64".to_owned()];
        let titled = make_grid(&rows, Some(&titles)).unwrap();
        let header = titled.height() - plain.height();
        assert_eq!((titled.width(), header), (64 + 4 + 64, 3 * 10 + 4));
        let below = titled.crop(68, header + 50, 64, 48).unwrap();
        assert_eq!(below, gray(64, 48));
        // Text in both columns, black on white.
        for left in [0, 68] {
            let above = titled.crop(left, 0, 64, header).unwrap();
            let dark = above.rgb().iter().filter(|v| **v == 0).count();
            assert!(dark > 100 && above.rgb().iter().all(|v| [0, 255].contains(v)), "{dark}");
        }
    }

    #[test]
    fn larger_images_have_larger_titles_and_tiny_ones_none() {
        let height = |side: usize| {
            let titled = make_grid(&[vec![gray(side, side)]], Some(&["JPEG".to_owned()]));
            titled.unwrap().height() - side
        };
        assert_eq!([height(4), height(64), height(256), height(512)], [0, 14, 28, 56]);
    }
}
