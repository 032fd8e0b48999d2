//! Rotary position embedding over (time, row, column).
//!
//! Adjacent pairs (2i, 2i+1) of a head are rotated by `position * 10000^(-2j / axis_dim)`. With d
//! the width of a head:
//! - 2D (v2): rows turn the first d/2 values, columns the second; `axis_dim` = d/2.
//! - 3D (paper): rows, columns, then time turn `axis_dim` = 2 * floor(d/6) values each; what is left
//!   of the head is not turned.

use burn::tensor::{Device, Tensor, TensorData};

use crate::config::Rope;
use crate::patches::Layout;

const BASE: f64 = 10_000.0;

/// Cosines and sines for the tokens of a batch.
#[derive(Clone, Debug)]
pub struct RopeTable {
    /// `[B or 1, 1, N, d]`: each pair's cosine, twice.
    cos: Tensor<4>,
    /// `[B or 1, 1, N, d]`: each pair's sine, negated for the first of the pair.
    sin: Tensor<4>,
}

impl RopeTable {
    /// The table for sequences of `layout` and heads of `head_dim` values.
    pub fn new(rope: Rope, layout: &Layout, head_dim: usize, device: &Device) -> Self {
        let items = layout.items();
        let alike = items.iter().all(|i| i.grid == items[0].grid);
        let distinct = if alike { &items[..1] } else { items };
        let shape = [distinct.len(), 1, layout.length(), head_dim];
        let mut cos = vec![1f32; shape.iter().product()];
        let mut sin = vec![0f32; cos.len()];

        let axis_dim = match rope {
            Rope::TwoD => head_dim / 2,
            Rope::ThreeD => head_dim / 6 * 2,
        };
        let axes: &[usize] = match rope {
            Rope::TwoD => &[1, 2],
            Rope::ThreeD => &[1, 2, 0],
        };
        let frequencies: Vec<f64> = (0..axis_dim / 2)
            .map(|j| BASE.powf(-2.0 * j as f64 / axis_dim as f64))
            .collect();
        for (b, item) in distinct.iter().enumerate() {
            for (token, position) in item.grid.positions().enumerate() {
                let start = (b * layout.length() + token) * head_dim;
                for (a, axis) in axes.iter().enumerate() {
                    for (j, frequency) in frequencies.iter().enumerate() {
                        let (s, c) = (position[*axis] as f64 * frequency).sin_cos();
                        let first = start + a * axis_dim + 2 * j;
                        cos[first] = c as f32;
                        cos[first + 1] = c as f32;
                        sin[first] = -s as f32;
                        sin[first + 1] = s as f32;
                    }
                }
            }
        }
        Self {
            cos: Tensor::from_data(TensorData::new(cos, shape), device),
            sin: Tensor::from_data(TensorData::new(sin, shape), device),
        }
    }

    /// Turns queries or keys `[B, heads, N, d]`.
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
