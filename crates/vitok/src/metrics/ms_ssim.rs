//! Structural similarity over several scales: Wang, Simoncelli, Bovik, "Multi-scale structural
//! similarity for image quality assessment", Asilomar Conference on Signals, Systems and Computers,
//! 2003.

use super::ssim::{Part, SsimConvention, mean_of_positions};
use crate::{Error, Result};

/// The scales' exponents, from the paper, the finest first.
const EXPONENTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];

/// The smallest side at which the coarsest of the scales, of a 16th, still holds the window of 11.
pub(crate) const MIN_SIDE: usize = 176;

/// Multi-scale structural similarity of two planar images as torchmetrics 1.9 computes it, 1 for
/// identical ones.
///
/// `cs₁^β₁ cs₂^β₂ cs₃^β₃ cs₄^β₄ ssim₅^β₅`: of the four finer scales the mean of contrast times
/// structure over the positions where the window lies wholly inside the image, of the coarsest the
/// whole [`super::ssim`] with the border reflected ([`SsimConvention::Torchmetrics`]). A mean below
/// 0 becomes 0. From scale to scale 2 x 2 pixels are averaged; an odd last row or column is left
/// out. `shape` is (channels, height, width) of both; all channels count alike. Not-a-number in the
/// data gives not-a-number.
///
/// # Errors
/// [`Error::InvalidArgument`] if the slices do not have that shape, the range is not positive, or a side is
/// below 176 pixels.
pub fn ms_ssim(x: &[f32], y: &[f32], shape: [usize; 3], data_range: f64) -> Result<f64> {
    let [_, height, width] = shape;
    if height < MIN_SIDE || width < MIN_SIDE {
        return Err(Error::InvalidArgument(format!(
            "MS-SSIM needs images of at least {MIN_SIDE} x {MIN_SIDE} pixels, not {width} x {height}"
        )));
    }
    let [outer @ .., innermost] = EXPONENTS;
    // Places whose window lies wholly inside are those of this convention, with the same window.
    let inside = SsimConvention::SkimageGaussian;
    let part = Part::ContrastStructure;
    let mut score = 1.0;
    let mut scale = Scale {
        x: x.to_vec(),
        y: y.to_vec(),
        shape,
    };
    for exponent in outer {
        let mean = mean_of_positions(&scale.x, &scale.y, scale.shape, data_range, inside, part)?;
        score *= at_least_zero(mean).powf(exponent);
        scale = scale.halved();
    }
    let convention = SsimConvention::Torchmetrics;
    let mean = super::ssim(&scale.x, &scale.y, scale.shape, data_range, convention)?;
    Ok(score * at_least_zero(mean).powf(innermost))
}

/// Both images at one scale.
struct Scale {
    x: Vec<f32>,
    y: Vec<f32>,
    shape: [usize; 3],
}

impl Scale {
    fn halved(&self) -> Self {
        let [channels, height, width] = self.shape;
        let halve = |image: &[f32]| -> Vec<f32> {
            let planes = image.chunks_exact(height * width);
            planes.flat_map(|plane| halved(plane, width)).collect()
        };
        Self {
            x: halve(&self.x),
            y: halve(&self.y),
            shape: [channels, height / 2, width / 2],
        }
    }
}

/// Means of 2 x 2 pixels of a plane.
fn halved(plane: &[f32], width: usize) -> impl Iterator<Item = f32> {
    plane.chunks_exact(2 * width).flat_map(move |rows| {
        let (upper, lower) = rows.split_at(width);
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        pairs.map(|(a, b)| {
            let sum: f64 = [a[0], a[1], b[0], b[1]].into_iter().map(f64::from).sum();
            (sum / 4.0) as f32
        })
    })
}

/// `f64::max` would turn not-a-number into 0.
fn at_least_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}
