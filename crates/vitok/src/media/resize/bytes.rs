//! Resizing bytes in whole numbers, as Pillow does.

use super::coefficients::{Coefficients, antialiased, double};
use super::{Filter, columns_first};
use crate::Result;
use crate::media::{Image, Size};

/// Bits after the point of a weight: 8 of 32 are for the byte and 2 for sign and overshoot.
const PRECISION: u32 = 32 - 8 - 2;

/// Sums start here, so that cutting the bits after the point rounds.
const HALF: i32 = 1 << (PRECISION - 1);

/// Resizes to `to`, bit for bit as `Image.resize(size, filter)` of Pillow 13 does on an RGB image:
/// weights of 22 bits, one pass along the rows and one along the columns, rounded to bytes after
/// each.
///
/// Earlier versions differ in the last bit where the height shrinks by more than twice as many
/// pixels as the width, for there the passes go in the other order since.
///
/// # Errors
/// [`Error::InvalidArgument`](crate::Error::InvalidArgument) if a side of `to` is zero or `to` is absurdly large.
pub fn resize_u8(image: &Image, to: Size, filter: Filter) -> Result<Image> {
    to.check_target()?;
    let from = image.size();
    let half = Size::new(2 * to.width, 2 * to.height) == from && !columns_first(from, to);
    if half && filter == Filter::Box {
        return Image::new(to.width, to.height, halved(image.rgb(), from.width));
    }
    let rows = fixed_point(from.width, to.width, filter);
    let columns = fixed_point(from.height, to.height, filter);
    let source = image.rgb();
    let rgb = match (from.width != to.width, from.height != to.height) {
        (false, false) => return Ok(image.clone()),
        (true, false) => along_rows(source, from.width, &rows),
        (false, true) => along_columns(source, from.width, &columns),
        (true, true) if columns_first(from, to) => {
            let shrunk = along_columns(source, from.width, &columns);
            along_rows(&shrunk, from.width, &rows)
        }
        (true, true) => {
            let resized = along_rows(source, from.width, &rows);
            along_columns(&resized, to.width, &columns)
        }
    };
    Image::new(to.width, to.height, rgb)
}

fn fixed_point(from: usize, to: usize, filter: Filter) -> Coefficients<i32> {
    let one = f64::from(1 << PRECISION);
    // `round` takes halves away from zero, which is what Pillow does by hand.
    antialiased(from, to, filter, double).map(|weight| (weight * one).round() as i32)
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// What [`Filter::Box`] makes of both sides halved, the rows first: all of its weights are one half.
/// Photographs are mostly shrunk by this, and it takes a fifth of the time.
fn halved(source: &[u8], width: usize) -> Vec<u8> {
    let mean = |a: u8, b: u8| ((u16::from(a) + u16::from(b) + 1) >> 1) as u8;
    let (pairs, _) = source.as_chunks::<6>();
    let pairs = pairs.iter();
    let pixels = pairs.map(|p| [0, 1, 2].map(|color| mean(p[color], p[color + 3])));
    let pixels: Vec<[u8; 3]> = pixels.collect();
    let mut result = Vec::with_capacity(source.len() / 4);
    for rows in pixels.chunks_exact(width) {
        let (upper, lower) = rows.as_flattened().split_at(width / 2 * 3);
        result.extend(upper.iter().zip(lower).map(|(&a, &b)| mean(a, b)));
    }
    result
}

/// `width` is the source's; the result has `coefficients.len()` pixels a row.
fn along_rows(source: &[u8], width: usize, coefficients: &Coefficients<i32>) -> Vec<u8> {
    let mut result = vec![0; source.len() / width * coefficients.len()];
    let targets = result.chunks_exact_mut(coefficients.len() * 3);
    for (row, target) in source.chunks_exact(width * 3).zip(targets) {
        for (pixel, (first, weights)) in target.chunks_exact_mut(3).zip(coefficients.iter()) {
            let mut sums = [HALF; 3];
            for (p, &weight) in row[first * 3..].chunks_exact(3).zip(weights) {
                sums[0] += i32::from(p[0]) * weight;
                sums[1] += i32::from(p[1]) * weight;
                sums[2] += i32::from(p[2]) * weight;
            }
            pixel.copy_from_slice(&sums.map(to_byte));
        }
    }
    result
}

/// The result has `coefficients.len()` rows. Whole rows are added up at a time, which the compiler turns
/// into vector instructions.
fn along_columns(source: &[u8], width: usize, coefficients: &Coefficients<i32>) -> Vec<u8> {
    let row_length = width * 3;
    let mut result = vec![0; coefficients.len() * row_length];
    let mut sums = vec![0i32; row_length];
    for (target, (first, weights)) in result.chunks_exact_mut(row_length).zip(coefficients.iter()) {
        sums.fill(HALF);
        let rows = source.chunks_exact(row_length).skip(first);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &byte) in sums.iter_mut().zip(row) {
                *sum += i32::from(byte) * weight;
            }
        }
        for (byte, &sum) in target.iter_mut().zip(&sums) {
            *byte = to_byte(sum);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_is_resizing() {
        for (width, height) in [(2, 2), (6, 4), (34, 20), (20, 34)] {
            let noise = (0..width * height * 3).map(|i| (i * i * 31 + i * 7) as u8);
            let noise: Vec<u8> = noise.collect();
            let rows = fixed_point(width, width / 2, Filter::Box);
            let columns = fixed_point(height, height / 2, Filter::Box);
            let wanted = along_columns(&along_rows(&noise, width, &rows), width / 2, &columns);
            assert_eq!(halved(&noise, width), wanted, "{width} x {height}");
        }
    }
}
