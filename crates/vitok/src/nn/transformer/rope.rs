//! Rotary position embedding over (time, row, column).
//!
//! Adjacent pairs (2i, 2i+1) of a head's d features are rotated by the angle `position * 10000^(-2j / axis_dim)`:
//! - 2D (v2): row positions rotate the first d/2 features, column positions the others; `axis_dim` = d/2, j the pair's
//!   number among those of its axis.
//! - 3D (paper): row, column and time positions rotate `axis_dim` = 2 * floor(d/6) features each, in this order; the
//!   features that remain are not rotated.

use burn::tensor::{Device, Tensor, TensorData};

use super::config::Rope;
use crate::patches::{BatchLayout, TokenGrid};

const BASE: f64 = 10_000.0;

/// Cosine and sine of every rotation's angle, `[tokens][head_dim / 2]`; (1, 0) for pairs that are not rotated.
pub(super) fn rotations(rope: Rope, grid: TokenGrid, head_dim: usize) -> Vec<[f32; 2]> {
    let (axis_dim, axes): (usize, &[usize]) = match rope {
        Rope::TwoD => (head_dim / 2, &[1, 2]),
        Rope::ThreeD => (head_dim / 6 * 2, &[1, 2, 0]),
    };
    let frequencies: Vec<f64> = (0..axis_dim / 2)
        .map(|j| BASE.powf(-2.0 * j as f64 / axis_dim as f64))
        .collect();
    // Each axis has far fewer positions than there are tokens.
    let table = |positions: usize| -> Vec<[f32; 2]> {
        let angles = (0..positions).flat_map(|p| frequencies.iter().map(move |f| p as f64 * f));
        angles.map(|angle| [angle.cos() as f32, angle.sin() as f32]).collect()
    };
    let tables = [table(grid.frames), table(grid.rows), table(grid.cols)];
    let pairs = axis_dim / 2;
    let mut rotations = Vec::with_capacity(grid.tokens() * head_dim / 2);
    for position in grid.positions() {
        for axis in axes {
            rotations.extend_from_slice(&tables[*axis][position[*axis] * pairs..][..pairs]);
        }
        rotations.extend((pairs * axes.len()..head_dim / 2).map(|_| [1.0, 0.0]));
    }
    rotations
}

/// Cosines and sines for the tokens of a batch.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// `[B or 1, 1, N, d]`: each pair's cosine, twice.
    cos: Tensor<4>,
    /// `[B or 1, 1, N, d]`: each pair's sine, negated for the first of the pair.
    sin: Tensor<4>,
}

impl RopeTable {
    /// The table for the sequences of `layout` and heads of `head_dim` features.
    pub fn new(rope: Rope, layout: &BatchLayout, head_dim: usize, device: &Device) -> Self {
        let items = layout.sequences();
        let alike = items.iter().all(|i| i.grid == items[0].grid);
        let distinct = if alike { &items[..1] } else { items };
        let shape = [distinct.len(), 1, layout.length(), head_dim];
        let mut cos = vec![1f32; shape.iter().product()];
        let mut sin = vec![0f32; cos.len()];

        for (b, item) in distinct.iter().enumerate() {
            let pairs = rotations(rope, item.grid, head_dim);
            let start = b * layout.length() * head_dim;
            for (i, [c, s]) in pairs.into_iter().enumerate() {
                let first = start + 2 * i;
                cos[first] = c;
                cos[first + 1] = c;
                sin[first] = -s;
                sin[first + 1] = s;
            }
        }
        Self {
            cos: Tensor::from_data(TensorData::new(cos, shape), device),
            sin: Tensor::from_data(TensorData::new(sin, shape), device),
        }
    }

    /// Rotates queries or keys `[B, heads, N, d]`.
    pub fn rotate(&self, x: Tensor<4>) -> Tensor<4> {
        let [b, heads, n, d] = x.dims();
        // (x0, x1) -> (x1, x0) within each pair; the sign sits in the sine table.
        let swapped = x
            .clone()
            .reshape([b, heads, n, d / 2, 2])
            .flip([4])
            .reshape([b, heads, n, d]);
        x * self.cos.clone() + swapped * self.sin.clone()
    }
}
