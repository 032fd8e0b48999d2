//! Attention over panels, forward: `softmax(q k^T) v`, where queries are scaled already. The scores of a panel of queries
//! and a panel of keys exist for a moment, never those of all tokens.
//!
//! The softmax is computed in one pass over the keys, with a running maximum and sum (Milakov and Gimelshein, 2018), as
//! FlashAttention does (Dao et al., 2022). A panel of scores is `[keys][queries]`, so that each query is a lane.

use std::ops::Range;

use rayon::prelude::*;

use super::elementwise::{Row, rows_mut};
use super::gemm::{Gemm, Lhs, TILE};
use super::panels::{Heads, Panel, PanelLayout};
use super::simd::{dispatch, vectorized};
use super::softmax::OnlineSoftmax;

/// The score of a key that a query does not attend to; its weight vanishes beside that of any visible key.
const MASKED: f32 = -1e30;

/// Panels of queries that share what is read of keys and values.
const QUERY_PANELS: usize = 8;

/// Attention of the query panels from panel `first` of the batch on, to all keys of their sequences.
///
/// `qkv`: all panels, `[panels][3 * heads * dim][TILE]`. `out` gets `[heads * dim][TILE]` for each query panel, and `lse`,
/// if given, `[heads][TILE]`: each query's log of the sum of exp(score).
pub fn attention(
    layout: &PanelLayout,
    heads: Heads,
    first: usize,
    qkv: &[f32],
    out: &mut [f32],
    lse: Option<&mut [f32]>,
) {
    let size = heads.dim * TILE;
    let count = out.len() / (heads.count * size);
    let tile_count = count * heads.count;
    let most = (tile_count / (4 * rayon::current_num_threads())).clamp(1, QUERY_PANELS);
    let mut outs = out.chunks_mut(size);
    let mut lses = lse.map(|lse| rows_mut(lse).iter_mut());
    let mut tasks: Vec<(usize, Vec<QueryTile>)> = Vec::with_capacity(tile_count);
    let mut start = 0;
    let panels = &layout.panels[first..first + count];
    for sequence in panels.chunk_by(|a, b| a.sequence == b.sequence) {
        for group in sequence.chunks(most) {
            let of_group = tasks.len();
            tasks.extend((0..heads.count).map(|head| (head, Vec::with_capacity(most))));
            for (i, panel) in group.iter().enumerate() {
                for ((head, tiles), out) in tasks[of_group..].iter_mut().zip(&mut outs) {
                    let number = first + start + i;
                    tiles.push(QueryTile {
                        number,
                        panel,
                        queries: heads.queries(qkv, number, *head),
                        out,
                        row_max: [MASKED; TILE],
                        row_sum: [0.0; TILE],
                        lse: lses.as_mut().and_then(Iterator::next),
                    });
                }
            }
            start += group.len();
        }
    }
    let tasks = tasks.into_par_iter().with_max_len(1);
    tasks.for_each(|(head, tiles)| attend(layout, heads, head, qkv, tiles));
}

/// One head of one panel of queries, with the state of its online softmax.
struct QueryTile<'a> {
    /// Index of the panel in the batch.
    number: usize,
    panel: &'a Panel,
    /// `[dim][TILE]`.
    queries: &'a [f32],
    /// The sum of exp(score - row_max) times the values so far, `[dim][TILE]`; at the end attention's output.
    out: &'a mut [f32],
    /// The highest score of each query so far.
    row_max: Row,
    /// The sum of exp(score - row_max) of each query so far.
    row_sum: Row,
    lse: Option<&'a mut Row>,
}

/// Attention of one head of neighboring panels of queries of a sequence.
fn attend(layout: &PanelLayout, heads: Heads, head: usize, qkv: &[f32], mut tiles: Vec<QueryTile>) {
    let mut buffer = [0.0; TILE * TILE];
    tiles.iter_mut().for_each(|tile| tile.out.fill(0.0));
    let (Some(first), Some(last)) = (tiles.first(), tiles.last()) else {
        return;
    };
    // Visible keys never start or end earlier for a later query.
    let visible = first.panel.visible_keys().start..last.panel.visible_keys().end;
    for (key_panel, keys) in key_panels(layout, first.number, visible) {
        for tile in &mut tiles {
            let QueryTile {
                panel,
                queries,
                out,
                row_max,
                row_sum,
                ..
            } = tile;
            if !panel.any_visible(&keys) {
                continue;
            }
            let scores = &mut buffer[..keys.len() * TILE];
            matmul_transposed(heads.keys(qkv, key_panel, head), queries, panel.tokens, scores);
            if !panel.all_visible(&keys) {
                mask(scores, panel, keys.start);
            }
            dispatch(OnlineSoftmax {
                scores,
                row_max,
                row_sum,
                out,
            });
            let values = heads.values(qkv, key_panel, head);
            add_matmul(values, scores, keys.len(), panel.tokens, out);
        }
    }
    tiles.into_iter().for_each(QueryTile::finish);
}

impl QueryTile<'_> {
    /// Divides by the sum of exponentials.
    fn finish(self) {
        let Self {
            out,
            row_max,
            row_sum,
            lse,
            ..
        } = self;
        vectorized(
            #[inline(always)]
            || {
                let inverse: Row = std::array::from_fn(|lane| 1.0 / row_sum[lane]);
                for row in rows_mut(out) {
                    for (value, inverse) in row.iter_mut().zip(&inverse) {
                        *value *= inverse;
                    }
                }
            },
        );
        if let Some(lse) = lse {
            *lse = std::array::from_fn(|lane| row_max[lane] + row_sum[lane].ln());
        }
    }
}

/// The panels that hold the keys `visible` of the sequence of panel `number`, and all keys of each.
pub(super) fn key_panels(
    layout: &PanelLayout,
    number: usize,
    visible: Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let first = layout.sequences[layout.panels[number].sequence].start;
    (visible.start / TILE..visible.end.div_ceil(TILE)).map(move |i| {
        let start = i * TILE;
        (first + i, start..start + layout.panels[first + i].tokens)
    })
}

/// `out[i][j] = sum over d of a[d][i] * b[d][j]`, for the rows of `out` and its first `columns` columns; `a`, `b`:
/// `[dim][TILE]`. With keys and queries these are the scores.
pub(super) fn matmul_transposed(a: &[f32], b: &[f32], columns: usize, out: &mut [f32]) {
    let dim = a.len() / TILE;
    Gemm {
        lhs: Lhs::new(a, 1, TILE, dim),
        rows: out.len() / TILE,
        depth: dim,
        rhs: b,
        out,
        out_stride: TILE,
        columns,
        accumulate: false,
    }
    .run();
}

/// `out[d][j] += sum over i of a[d][i] * b[i][j]`, for the first `depth` i and the first `columns` j; `a`, `out`:
/// `[dim][TILE]`. With values and the weights of their keys these are attention's output.
pub(super) fn add_matmul(a: &[f32], b: &[f32], depth: usize, columns: usize, out: &mut [f32]) {
    Gemm {
        lhs: Lhs::new(a, TILE, 1, depth),
        rows: a.len() / TILE,
        depth,
        rhs: b,
        out,
        out_stride: TILE,
        columns,
        accumulate: true,
    }
    .run();
}

/// Masks the scores of the keys from `first_key` on that a query of the panel does not attend to.
pub(super) fn mask(scores: &mut [f32], panel: &Panel, first_key: usize) {
    vectorized(
        #[inline(always)]
        || {
            for (key, row) in rows_mut(scores).iter_mut().enumerate() {
                let key = (first_key + key) as u32;
                for (lane, score) in row.iter_mut().enumerate() {
                    let visible = panel.visible_start[lane] <= key && key < panel.visible_end[lane];
                    *score = if visible { *score } else { MASKED };
                }
            }
        },
    );
}
