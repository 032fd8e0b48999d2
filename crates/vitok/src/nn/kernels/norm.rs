//! LayerNorm and RMSNorm over panels, forward and backward. A norm with a bias is a LayerNorm, one without an RMSNorm.

use rayon::prelude::*;

use super::block_params::WeightBias;
use super::buffers::zeros;
use super::elementwise::{Row, rows, rows_mut, sum_rows};
use super::gemm::TILE;
use super::simd::vectorized;

/// Added to the variance or the mean square.
const EPSILON: f32 = 1e-6;

/// The norm of every token of `x`, to `out`; both `[panels][C][TILE]`.
pub fn normalize(norm: WeightBias<&[f32]>, x: &[f32], out: &mut [f32]) {
    let size = norm.weight.len() * TILE;
    out.par_chunks_mut(size).zip(x.par_chunks(size)).for_each(|(out, x)| {
        vectorized(
            #[inline(always)]
            || {
                let (x, out) = (rows(x), rows_mut(out));
                match norm.bias {
                    None => {
                        let inverse = inverse_rms(x);
                        for ((out, x), weight) in out.iter_mut().zip(x).zip(norm.weight) {
                            for lane in 0..TILE {
                                out[lane] = x[lane] * inverse[lane] * weight;
                            }
                        }
                    }
                    Some(bias) => {
                        let (mean, inverse) = mean_and_inverse_std(x);
                        let affine = norm.weight.iter().zip(bias);
                        for ((out, x), (weight, bias)) in out.iter_mut().zip(x).zip(affine) {
                            for lane in 0..TILE {
                                out[lane] = (x[lane] - mean[lane]) * inverse[lane] * weight + bias;
                            }
                        }
                    }
                }
            },
        );
    });
}

/// 1 / sqrt(mean(x^2) + eps) of every token of a panel.
#[inline(always)]
pub fn inverse_rms(x: &[Row]) -> Row {
    let count = x.len() as f32;
    sum_rows(x, |_, x| x * x).map(|sum| 1.0 / (sum / count + EPSILON).sqrt())
}

/// Mean and 1 / sqrt(variance + eps) of every token of a panel.
#[inline(always)]
fn mean_and_inverse_std(x: &[Row]) -> (Row, Row) {
    let count = x.len() as f32;
    let mean = sum_rows(x, |_, x| x).map(|sum| sum / count);
    let squares = sum_rows(x, |lane, x| (x - mean[lane]) * (x - mean[lane]));
    (mean, squares.map(|sum| 1.0 / (sum / count + EPSILON).sqrt()))
}

/// The gradients of the norm of `x`: `gradient`, that of its output, becomes that of `x`, plus `residual`, what reached
/// `x` past the norm. Returns those of weight and bias.
pub fn norm_backward(
    norm: WeightBias<&[f32]>,
    x: &[f32],
    gradient: &mut [f32],
    residual: &[f32],
) -> WeightBias<Vec<f32>> {
    let width = norm.weight.len();
    let size = width * TILE;
    let mut sums = zeros(x.len() / size * 2 * width);
    let panels = gradient
        .par_chunks_mut(size)
        .zip(x.par_chunks(size))
        .zip(residual.par_chunks(size));
    panels
        .zip(sums.par_chunks_mut(2 * width))
        .for_each(|(((gradient, x), residual), sums)| {
            let (d_weight, d_bias) = sums.split_at_mut(width);
            vectorized(
                #[inline(always)]
                || {
                    let (x, gradient) = (rows(x), rows_mut(gradient));
                    match norm.bias {
                        None => rms_norm_backward(x, norm.weight, gradient, d_weight),
                        Some(_) => layer_norm_backward(x, norm.weight, gradient, d_weight, d_bias),
                    }
                    for (gradient, residual) in gradient.iter_mut().zip(rows(residual)) {
                        for lane in 0..TILE {
                            gradient[lane] += residual[lane];
                        }
                    }
                },
            );
        });
    let sum = |from: usize| {
        let each = (from..from + width).map(|i| sums.chunks(2 * width).map(|s| s[i]).sum());
        each.collect()
    };
    WeightBias {
        weight: sum(0),
        bias: norm.bias.map(|_| sum(width)),
    }
}

/// The gradients of an RMSNorm of a panel `x`: `gradient`, that of its output, becomes that of `x`; that of the weight
/// is added to `d_weight`. With n = x / rms(x) and g = gradient * weight:
///
/// ```text
/// dx = (g - n mean(g n)) / rms(x)    d_weight = sum over tokens of gradient * n
/// ```
#[inline(always)]
pub fn rms_norm_backward(x: &[Row], weight: &[f32], gradient: &mut [Row], d_weight: &mut [f32]) {
    let inverse = inverse_rms(x);
    let mut sum_gn = [0.0; TILE];
    for (((x, gradient), weight), d_weight) in x.iter().zip(&mut *gradient).zip(weight).zip(d_weight) {
        let mut of_weight = [0.0; TILE];
        for lane in 0..TILE {
            let normed = x[lane] * inverse[lane];
            of_weight[lane] = gradient[lane] * normed;
            gradient[lane] *= weight;
            sum_gn[lane] += gradient[lane] * normed;
        }
        *d_weight += of_weight.iter().sum::<f32>();
    }
    let count = x.len() as f32;
    for (x, gradient) in x.iter().zip(gradient) {
        for lane in 0..TILE {
            let normed = x[lane] * inverse[lane];
            gradient[lane] = inverse[lane] * (gradient[lane] - normed * sum_gn[lane] / count);
        }
    }
}

/// [`rms_norm_backward`] for a LayerNorm. With n = (x - mean) / std and g = gradient * weight:
///
/// ```text
/// dx = (g - mean(g) - n mean(g n)) / std    d_weight = sum of gradient * n    d_bias = sum of gradient
/// ```
#[inline(always)]
fn layer_norm_backward(x: &[Row], weight: &[f32], gradient: &mut [Row], d_weight: &mut [f32], d_bias: &mut [f32]) {
    let (mean, inverse) = mean_and_inverse_std(x);
    let [mut sum_g, mut sum_gn] = [[0.0; TILE]; 2];
    let sums = d_weight.iter_mut().zip(d_bias);
    for (((x, gradient), weight), (d_weight, d_bias)) in x.iter().zip(&mut *gradient).zip(weight).zip(sums) {
        let [mut of_weight, mut of_bias] = [[0.0; TILE]; 2];
        for lane in 0..TILE {
            let normed = (x[lane] - mean[lane]) * inverse[lane];
            of_weight[lane] = gradient[lane] * normed;
            of_bias[lane] = gradient[lane];
            gradient[lane] *= weight;
            sum_g[lane] += gradient[lane];
            sum_gn[lane] += gradient[lane] * normed;
        }
        *d_weight += of_weight.iter().sum::<f32>();
        *d_bias += of_bias.iter().sum::<f32>();
    }
    let count = x.len() as f32;
    for (x, gradient) in x.iter().zip(gradient) {
        for lane in 0..TILE {
            let normed = (x[lane] - mean[lane]) * inverse[lane];
            let rest = (sum_g[lane] + normed * sum_gn[lane]) / count;
            gradient[lane] = inverse[lane] * (gradient[lane] - rest);
        }
    }
}
