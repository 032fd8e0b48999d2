//! RMSNorm (ViTok-v2) and rotary position embedding (Su et al., 2021) of queries and keys, and the scale of queries,
//! 1 / sqrt(head_dim); forward and backward, in place.

use super::elementwise::{Row, rows, rows_mut};
use super::gemm::TILE;
use super::norm::{inverse_rms, rms_norm_backward};
use super::panels::{Heads, PanelLayout};
use super::simd::vectorized;

/// From the projection to queries, keys and values to what attention takes:
///
/// ```text
/// q' = RoPE(RMSNorm(q)) / sqrt(head_dim)    k' = RoPE(RMSNorm(k))    v' = v
/// ```
#[derive(Clone, Copy)]
pub struct QkNormRope<'a> {
    /// How `qkv` lies in panels.
    pub heads: Heads,
    /// Weights of the RMSNorms of queries and of keys, `[head_dim]`; without one, there is no such norm.
    pub norms: [Option<&'a [f32]>; 2],
    /// Holds the cosines and sines of each token.
    pub layout: &'a PanelLayout,
}

impl QkNormRope<'_> {
    fn scale(&self, part: usize) -> f32 {
        match part {
            0 => 1.0 / (self.heads.dim as f32).sqrt(),
            _ => 1.0,
        }
    }

    /// Some rows of `qkv` of a panel, whole heads from row `first_row` on, in place.
    pub fn forward(&self, first_row: usize, panel: usize, values: &mut [f32]) {
        let Heads { count, dim } = self.heads;
        let (cosines, sines) = self.layout.rope(panel);
        for (i, values) in values.chunks_mut(dim * TILE).enumerate() {
            let part = (first_row / dim + i) / count; // queries, keys, values
            if part == 2 {
                break;
            }
            let scale = self.scale(part);
            vectorized(
                #[inline(always)]
                || {
                    let values = rows_mut(values);
                    if let Some(norm) = self.norms[part] {
                        let inverse = inverse_rms(values);
                        for (row, weight) in values.iter_mut().zip(norm) {
                            for (value, inverse) in row.iter_mut().zip(&inverse) {
                                *value *= inverse * weight;
                            }
                        }
                    }
                    rotate(values, rows(cosines), rows(sines), scale, 1.0);
                },
            );
        }
    }

    /// The gradient of [`forward`](Self::forward) of a whole panel: `gradient`, that of its output, becomes that of its
    /// input `qkv`. Those of the norms' weights are added to `d_norms`, `[2][head_dim]`.
    pub fn backward(&self, panel: usize, qkv: &[f32], gradient: &mut [f32], d_norms: &mut [f32]) {
        let Heads { count, dim } = self.heads;
        let (cosines, sines) = self.layout.rope(panel);
        let each = gradient.chunks_mut(dim * TILE).zip(qkv.chunks(dim * TILE));
        for (i, (gradient, input)) in each.take(2 * count).enumerate() {
            let part = i / count; // queries, keys
            vectorized(
                #[inline(always)]
                || {
                    let gradient = rows_mut(gradient);
                    rotate(gradient, rows(cosines), rows(sines), self.scale(part), -1.0);
                    if let Some(norm) = self.norms[part] {
                        let d_norm = &mut d_norms[part * dim..][..dim];
                        rms_norm_backward(rows(input), norm, gradient, d_norm);
                    }
                },
            );
        }
    }
}

/// Rotates adjacent pairs of rows by their angles and scales them; `direction` -1 rotates by the negative angles.
#[inline(always)]
fn rotate(values: &mut [Row], cosines: &[Row], sines: &[Row], scale: f32, direction: f32) {
    let (pairs, _) = values.as_chunks_mut::<2>();
    for ([a, b], (cosine, sine)) in pairs.iter_mut().zip(cosines.iter().zip(sines)) {
        for lane in 0..TILE {
            let (x, y) = (a[lane] * scale, b[lane] * scale);
            let sine = sine[lane] * direction;
            a[lane] = x * cosine[lane] - y * sine;
            b[lane] = y * cosine[lane] + x * sine;
        }
    }
}
