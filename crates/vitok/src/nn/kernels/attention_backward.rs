//! Attention over panels, backward. The weights of the softmax are computed again from each query's log of the sum of
//! exp(score), which the forward pass has saved (Dao et al., 2022).

use std::ops::Range;

use rayon::prelude::*;

use super::attention::{add_matmul, key_panels, mask, matmul_transposed};
use super::buffers::zeros;
use super::elementwise::{Row, rows, transpose};
use super::gemm::TILE;
use super::panels::{Heads, PanelLayout};
use super::simd::{dispatch, vectorized};
use super::softmax::SoftmaxBackward;

/// The gradient of `qkv`, queries scaled already, from that of attention's output.
///
/// `qkv`: `[panels][3 * heads * dim][TILE]`. `out`, `d_out`: attention's output and its gradient,
/// `[panels][heads * dim][TILE]`. `lse`: `[panels][heads][TILE]`, as [`attention`](super::attention::attention) gives it.
pub fn attention_backward(
    layout: &PanelLayout,
    heads: Heads,
    qkv: &[f32],
    out: &[f32],
    lse: &[f32],
    d_out: &[f32],
) -> Vec<f32> {
    let mut d_qkv = zeros(qkv.len());
    // What each (sequence, head) writes: the gradients of its queries, keys and values, panel by panel.
    let mut tasks: Vec<[Vec<&mut [f32]>; 3]> = Vec::new();
    tasks.resize_with(layout.sequences.len() * heads.count, Default::default);
    let size = heads.dim * TILE;
    for (panel, values) in layout.panels.iter().zip(d_qkv.chunks_mut(heads.panel_size())) {
        for (i, values) in values.chunks_mut(size).enumerate() {
            let (part, head) = (i / heads.count, i % heads.count);
            tasks[panel.sequence * heads.count + head][part].push(values);
        }
    }
    let tasks = tasks.into_par_iter().enumerate().with_max_len(1);
    tasks.for_each(|(i, [mut d_queries, mut d_keys, mut d_values])| {
        let (sequence, head) = (i / heads.count, i % heads.count);
        let panels = layout.sequences[sequence].clone();
        for number in panels.clone() {
            let d_out = heads.output(d_out, number, head);
            let tile = QueryTile {
                number,
                head,
                d_out,
                delta: &row_dot(heads.output(out, number, head), d_out),
                lse: &rows(lse)[number * heads.count + head],
            };
            for (key_panel, keys) in key_panels(layout, number, layout.panels[number].visible_keys()) {
                let (query, key) = (number - panels.start, key_panel - panels.start);
                let gradients = [&mut *d_queries[query], &mut *d_keys[key], &mut *d_values[key]];
                tile.backward(layout, heads, qkv, key_panel, keys, gradients);
            }
        }
    });
    d_qkv
}

/// For each lane the sum over rows of `a * b`.
fn row_dot(a: &[f32], b: &[f32]) -> Row {
    vectorized(
        #[inline(always)]
        || {
            let mut dot = [0.0; TILE];
            for (a, b) in rows(a).iter().zip(rows(b)) {
                for (lane, dot) in dot.iter_mut().enumerate() {
                    *dot += a[lane] * b[lane];
                }
            }
            dot
        },
    )
}

/// One head of one panel of queries.
struct QueryTile<'a> {
    /// Index of the panel in the batch.
    number: usize,
    head: usize,
    /// The gradient of attention's output, `[dim][TILE]`.
    d_out: &'a [f32],
    /// Attention's output times its gradient, summed over the head's features, of each query.
    delta: &'a Row,
    /// The log of the sum of exp(score) of each query.
    lse: &'a Row,
}

impl QueryTile<'_> {
    /// Adds what one panel of keys contributes to the gradients of these queries and of its keys and values. With
    /// s = k^T q, p = exp(s - lse) and dp = v^T do, all `[keys][queries]`:
    ///
    /// ```text
    /// ds = p (dp - delta)    dq += k ds    dk += q ds^T    dv += do p^T
    /// ```
    fn backward(
        &self,
        layout: &PanelLayout,
        heads: Heads,
        qkv: &[f32],
        key_panel: usize,
        keys: Range<usize>,
        [d_queries, d_keys, d_values]: [&mut [f32]; 3],
    ) {
        let panel = &layout.panels[self.number];
        let tokens = panel.tokens;
        let queries = heads.queries(qkv, self.number, self.head);
        let key = heads.keys(qkv, key_panel, self.head);
        let value = heads.values(qkv, key_panel, self.head);
        let mut p = [0.0; TILE * TILE];
        let mut ds = [0.0; TILE * TILE];
        let size = keys.len() * TILE;
        matmul_transposed(key, queries, tokens, &mut p[..size]);
        matmul_transposed(value, self.d_out, tokens, &mut ds[..size]);
        let mut p_transposed = [0.0; TILE * TILE];
        let mut ds_transposed = [0.0; TILE * TILE];
        let p = &mut p[..size];
        if !panel.all_visible(&keys) {
            mask(p, panel, keys.start);
        }
        dispatch(SoftmaxBackward {
            scores: p,
            gradients: &mut ds,
            lse: self.lse,
            delta: self.delta,
        });
        vectorized(
            #[inline(always)]
            || {
                transpose(p, TILE, &mut p_transposed, TILE, keys.len(), TILE);
                transpose(&ds, TILE, &mut ds_transposed, TILE, keys.len(), TILE);
            },
        );
        let count = keys.len();
        add_matmul(key, &ds, count, tokens, d_queries);
        add_matmul(queries, &ds_transposed, tokens, count, d_keys);
        add_matmul(self.d_out, &p_transposed, tokens, count, d_values);
    }
}
