//! Resizing floats, in Pillow's layout and in PyTorch's.

use super::coefficients::{Coefficients, antialiased, double, single, two_nearest};
use super::{Filter, columns_first};
use crate::media::Size;
use crate::{Error, Result};

/// Resizes channel by channel as Pillow 13 resizes an image of mode "F": sums in f64, stored as f32
/// after each pass.
///
/// `data` is `height * width * channels` values with the channels side by side (HWC), for any
/// number of channels; so is the result. Values may come out beyond the range they went in with.
///
/// # Errors
/// [`Error::InvalidArgument`] if `data` is no whole number of channels of `from`, or if `to` is empty or
/// absurdly large.
pub fn resize_f32_pillow(data: &[f32], from: Size, to: Size, filter: Filter) -> Result<Vec<f32>> {
    let channels = channels(data, from, to)?;
    let layout = PixelLayout {
        size: from,
        planes: 1,
        channels,
    };
    let order = columns_first(from, to);
    Ok(resize(data, layout, to, order, |a, b| {
        antialiased(a, b, filter, double)
    }))
}

/// Resizes as `torch.nn.functional.interpolate(antialias=True, align_corners=False)` does; with
/// [`Filter::Bicubic`] this is torchvision's `resize` of a float tensor.
///
/// `data` is `channels * height * width` values, plane after plane (CHW), for any number of
/// channels; so is the result. PyTorch has [`Filter::Bilinear`] and [`Filter::Bicubic`]; the
/// other two follow the same rule. Values may come out beyond the range they went in with.
///
/// # Errors
/// [`Error::InvalidArgument`] if `data` is no whole number of planes of `from`, or if `to` is empty or
/// absurdly large.
pub fn resize_f32_antialiased(data: &[f32], from: Size, to: Size, filter: Filter) -> Result<Vec<f32>> {
    let planes = channels(data, from, to)?;
    let layout = PixelLayout {
        size: from,
        planes,
        channels: 1,
    };
    Ok(resize(data, layout, to, false, |a, b| {
        antialiased(a, b, filter, single)
    }))
}

/// Resizes as `torch.nn.functional.interpolate(mode="bilinear", antialias=False)` does: each
/// value from its four nearest neighbors, so that shrinking skips pixels.
///
/// `data` is `channels * height * width` values, plane after plane (CHW), for any number of
/// channels; so is the result. With `align_corners` the centers of the corner pixels stay in
/// place, without it the image's outer edges do.
///
/// # Errors
/// [`Error::InvalidArgument`] if `data` is no whole number of planes of `from`, or if `to` is empty or
/// absurdly large.
pub fn resize_f32_plain(data: &[f32], from: Size, to: Size, align_corners: bool) -> Result<Vec<f32>> {
    let planes = channels(data, from, to)?;
    let layout = PixelLayout {
        size: from,
        planes,
        channels: 1,
    };
    Ok(resize(data, layout, to, false, |a, b| two_nearest(a, b, align_corners)))
}

/// How many values each pixel has; the arguments are sound if this returns.
fn channels(data: &[f32], from: Size, to: Size) -> Result<usize> {
    to.check_target()?;
    let pixels = from.pixels();
    if pixels == 0 || data.is_empty() || !data.len().is_multiple_of(pixels) {
        return Err(Error::InvalidArgument(format!(
            "{} values are no image of {from}",
            data.len()
        )));
    }
    Ok(data.len() / pixels)
}

/// Where the values of an image lie: planes of rows of pixels of channels.
#[derive(Clone, Copy)]
struct PixelLayout {
    size: Size,
    planes: usize,
    channels: usize,
}

/// `columns_first` is the order of the passes; `coefficients` gives the weights from one length to another.
fn resize(
    data: &[f32],
    from: PixelLayout,
    to: Size,
    columns_first: bool,
    coefficients: impl Fn(usize, usize) -> Coefficients<f64>,
) -> Vec<f32> {
    let rows = coefficients(from.size.width, to.width);
    let columns = coefficients(from.size.height, to.height);
    let with = |width, height| PixelLayout {
        size: Size::new(width, height),
        ..from
    };
    match (from.size.width != to.width, from.size.height != to.height) {
        (false, false) => data.to_vec(),
        (true, false) => along_rows(data, from, &rows),
        (false, true) => along_columns(data, from, &columns),
        (true, true) if columns_first => {
            let shrunk = along_columns(data, from, &columns);
            along_rows(&shrunk, with(from.size.width, to.height), &rows)
        }
        (true, true) => {
            let resized = along_rows(data, from, &rows);
            along_columns(&resized, with(to.width, from.size.height), &columns)
        }
    }
}

fn along_rows(source: &[f32], layout: PixelLayout, coefficients: &Coefficients<f64>) -> Vec<f32> {
    let channels = layout.channels;
    let mut result = vec![0.0; layout.planes * layout.size.height * coefficients.len() * channels];
    let mut sums = vec![0f64; channels];
    let targets = result.chunks_exact_mut(coefficients.len() * channels);
    for (row, target) in source.chunks_exact(layout.size.width * channels).zip(targets) {
        if channels == 1 {
            // The same sums without a buffer: this is every plane a network sees.
            for (value, (first, weights)) in target.iter_mut().zip(coefficients.iter()) {
                let products = row[first..].iter().zip(weights);
                *value = products.map(|(&v, &w)| f64::from(v) * w).sum::<f64>() as f32;
            }
            continue;
        }
        for (pixel, (first, weights)) in target.chunks_exact_mut(channels).zip(coefficients.iter()) {
            sums.fill(0.0);
            let pixels = row[first * channels..].chunks_exact(channels);
            for (values, &weight) in pixels.zip(weights) {
                add_weighted(&mut sums, values, weight);
            }
            store(pixel, &sums);
        }
    }
    result
}

fn along_columns(source: &[f32], layout: PixelLayout, coefficients: &Coefficients<f64>) -> Vec<f32> {
    let row_length = layout.size.width * layout.channels;
    let mut result = vec![0.0; layout.planes * coefficients.len() * row_length];
    let mut sums = vec![0f64; row_length];
    let targets = result.chunks_exact_mut(coefficients.len() * row_length);
    for (plane, target) in source.chunks_exact(layout.size.height * row_length).zip(targets) {
        for (row, (first, weights)) in target.chunks_exact_mut(row_length).zip(coefficients.iter()) {
            sums.fill(0.0);
            let rows = plane.chunks_exact(row_length).skip(first);
            for (values, &weight) in rows.zip(weights) {
                add_weighted(&mut sums, values, weight);
            }
            store(row, &sums);
        }
    }
    result
}

fn add_weighted(sums: &mut [f64], values: &[f32], weight: f64) {
    for (sum, &value) in sums.iter_mut().zip(values) {
        *sum += f64::from(value) * weight;
    }
}

fn store(target: &mut [f32], sums: &[f64]) {
    for (value, &sum) in target.iter_mut().zip(sums) {
        *value = sum as f32;
    }
}
