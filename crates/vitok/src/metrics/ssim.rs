//! Structural similarity (SSIM): Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error
//! visibility to structural similarity", IEEE Transactions on Image Processing 13(4), 2004.
//!
//! At every position of a window, with means μ, variances σ² and the covariance σ_xy of the pixels below it,
//!
//! `SSIM = (2 μ_x μ_y + c₁)(2 σ_xy + c₂) / ((μ_x² + μ_y² + c₁)(σ_x² + σ_y² + c₂))`,
//!
//! where `c₁ = (0.01 R)²`, `c₂ = (0.03 R)²` and R is the range of the data. The score is the mean over positions and
//! channels. Programs differ in the window and the border: [`SsimConvention`].

use super::checks::{check_range, check_sizes};
use crate::{Error, Result};

/// K₁ and K₂ of the constants `c = (K R)²`, from the paper.
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The local window of [`ssim`] and the treatment of the border: whose numbers the result is
/// comparable to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SsimConvention {
    /// The defaults of torchmetrics 1.9: a Gaussian of standard deviation 1.5 on 11 x 11 pixels,
    /// population variance, mean over every pixel of the image, whose border is extended by
    /// reflection about its outermost pixels.
    #[default]
    Torchmetrics,
    /// scikit-image with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`, which
    /// are the paper's choices: the same window, and the mean over the positions where it lies wholly
    /// inside the image.
    SkimageGaussian,
    /// The defaults of scikit-image: 7 x 7 pixels of equal weight, sample variance, mean over the
    /// positions where the window lies wholly inside the image.
    SkimageUniform7,
}

impl SsimConvention {
    /// Smallest side an image may have, in pixels.
    ///
    /// Reflection can supply no more pixels than there are beside the outermost one; where nothing
    /// is reflected the whole window must fit.
    pub fn smallest_side(self) -> usize {
        match self {
            SsimConvention::Torchmetrics => self.border() + 1,
            _ => self.side(),
        }
    }

    fn side(self) -> usize {
        match self {
            SsimConvention::Torchmetrics | SsimConvention::SkimageGaussian => 11,
            SsimConvention::SkimageUniform7 => 7,
        }
    }

    /// Pixels added by reflection at each side of the image.
    fn border(self) -> usize {
        match self {
            SsimConvention::Torchmetrics => self.side() / 2,
            _ => 0,
        }
    }

    /// Weights of one axis of the separable window; they sum to 1.
    fn window(self) -> Vec<f64> {
        let side = self.side();
        if self == SsimConvention::SkimageUniform7 {
            return vec![1.0 / side as f64; side];
        }
        let middle = (side / 2) as f64;
        let weights: Vec<f64> = (0..side)
            .map(|i| (-0.5 * ((i as f64 - middle) / 1.5).powi(2)).exp())
            .collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|w| w / sum).collect()
    }

    /// Factor from the population variance of a window to the variance of the convention.
    fn variance_factor(self) -> f64 {
        match self {
            SsimConvention::Torchmetrics | SsimConvention::SkimageGaussian => 1.0,
            SsimConvention::SkimageUniform7 => {
                let pixels = (self.side() * self.side()) as f64;
                pixels / (pixels - 1.0)
            }
        }
    }
}

/// Mean structural similarity of two planar images, 1 for identical ones.
///
/// `shape` is (channels, height, width) of both; `data_range` is the span of possible values (255
/// for bytes, 2 for -1..1). Each channel is compared on its own and the result is the mean over
/// all channels and positions. Not-a-number in the data gives not-a-number.
///
/// # Errors
/// [`Error::InvalidArgument`] if the slices do not have that shape, the range is not positive, or a side is
/// below [`SsimConvention::smallest_side`].
pub fn ssim(x: &[f32], y: &[f32], shape: [usize; 3], data_range: f64, convention: SsimConvention) -> Result<f64> {
    mean_of_positions(x, y, shape, data_range, convention, Part::Whole)
}

/// Which of its factors a position counts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Luminance, contrast and structure.
    Whole,
    /// Contrast and structure, for MS-SSIM.
    ContrastStructure,
}

/// [`ssim`] or a part of it; its errors.
pub(super) fn mean_of_positions(
    x: &[f32],
    y: &[f32],
    shape: [usize; 3],
    data_range: f64,
    convention: SsimConvention,
    part: Part,
) -> Result<f64> {
    check_sizes(x, y)?;
    check_range(data_range)?;
    let [channels, height, width] = shape;
    let values = channels.checked_mul(height).and_then(|n| n.checked_mul(width));
    if values != Some(x.len()) {
        return Err(Error::InvalidArgument(format!(
            "{} values are no image of {channels} x {height} x {width}",
            x.len()
        )));
    }
    let smallest = convention.smallest_side();
    if height < smallest || width < smallest {
        return Err(Error::InvalidArgument(format!(
            "SSIM needs images of at least {smallest} x {smallest} pixels, not {width} x {height}"
        )));
    }
    let border = convention.border();
    let rows = Rows {
        columns: reflected(width, border),
        lines: reflected(height, border),
        window: convention.window(),
        variance_factor: convention.variance_factor(),
        c1: (K1 * data_range).powi(2),
        c2: (K2 * data_range).powi(2),
        part,
    };
    let plane = height * width;
    let sum: f64 = x
        .chunks_exact(plane)
        .zip(y.chunks_exact(plane))
        .map(|(x, y)| rows.sum_of_channel(x, y, width))
        .sum();
    Ok(sum / (channels * rows.positions()) as f64)
}

/// The indices 0..length with `border` more at each end, mirrored about the outermost ones.
fn reflected(length: usize, border: usize) -> Vec<usize> {
    let before = (1..=border).rev();
    let after = (1..=border).map(|i| length - 1 - i);
    before.chain(0..length).chain(after).collect()
}

/// The quantities smoothed: x, y, x² + y², xy. The two variances are only ever needed summed.
const MAPS: usize = 4;

/// One channel, worked off row by row so that everything in use stays in the cache.
struct Rows {
    /// Which column of the image stands at each column of the image with its border.
    columns: Vec<usize>,
    /// Which row of the image stands at each row of the image with its border.
    lines: Vec<usize>,
    /// Weights of one axis of the window.
    window: Vec<f64>,
    variance_factor: f64,
    c1: f64,
    c2: f64,
    part: Part,
}

impl Rows {
    /// Positions of the window in one channel.
    fn positions(&self) -> usize {
        (self.lines.len() - self.window.len() + 1) * (self.columns.len() - self.window.len() + 1)
    }

    fn sum_of_channel(&self, x: &[f32], y: &[f32], width: usize) -> f64 {
        let side = self.window.len();
        let positions = self.columns.len() - side + 1;
        let mut products = vec![0.0; MAPS * self.columns.len()];
        // The last `side` rows, smoothed along the row; row r is at r % side.
        let mut ring = vec![vec![0.0; MAPS * positions]; side];
        let mut smooth = vec![0.0; MAPS * positions];
        let mut sum = 0.0;
        for (r, &line) in self.lines.iter().enumerate() {
            let row = line * width..(line + 1) * width;
            self.multiply(&x[row.clone()], &y[row], &mut products);
            let newest = &mut ring[r % side];
            newest.fill(0.0);
            for (map, out) in products
                .chunks_exact(self.columns.len())
                .zip(newest.chunks_exact_mut(positions))
            {
                for (i, &weight) in self.window.iter().enumerate() {
                    add_scaled(out, &map[i..i + positions], weight);
                }
            }
            if r + 1 < side {
                continue;
            }
            smooth.fill(0.0);
            for (i, &weight) in self.window.iter().enumerate() {
                add_scaled(&mut smooth, &ring[(r + 1 + i) % side], weight);
            }
            sum += self.sum_of_row(&smooth, positions);
        }
        sum
    }

    fn multiply(&self, x: &[f32], y: &[f32], products: &mut [f64]) {
        let width = self.columns.len();
        let (xs, rest) = products.split_at_mut(width);
        let (ys, rest) = rest.split_at_mut(width);
        let (squares, cross) = rest.split_at_mut(width);
        for (i, &column) in self.columns.iter().enumerate() {
            let (a, b) = (f64::from(x[column]), f64::from(y[column]));
            xs[i] = a;
            ys[i] = b;
            squares[i] = a * a + b * b;
            cross[i] = a * b;
        }
    }

    fn sum_of_row(&self, smooth: &[f64], positions: usize) -> f64 {
        let (xs, rest) = smooth.split_at(positions);
        let (ys, rest) = rest.split_at(positions);
        let (squares, cross) = rest.split_at(positions);
        (0..positions)
            .map(|i| {
                let (x, y) = (xs[i], ys[i]);
                let (means, product) = (x * x + y * y, x * y);
                let variances = self.variance_factor * (squares[i] - means);
                let covariance = self.variance_factor * (cross[i] - product);
                let (cs, cs_below) = (2.0 * covariance + self.c2, variances + self.c2);
                match self.part {
                    Part::Whole => (2.0 * product + self.c1) * cs / ((means + self.c1) * cs_below),
                    Part::ContrastStructure => cs / cs_below,
                }
            })
            .sum()
    }
}

/// `out += scale * row`.
fn add_scaled(out: &mut [f64], row: &[f64], scale: f64) {
    for (out, value) in out.iter_mut().zip(row) {
        *out += scale * value;
    }
}
