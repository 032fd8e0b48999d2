//! Attention over panels, forward and backward: the scores of a panel of queries with a panel of
//! keys exist for a moment, never those of all with all.
//!
//! The softmax is computed in one pass over the keys with a running maximum (Milakov and
//! Gimelshein, 2018), and again in the backward pass from each query's log-sum (Dao et al., 2022).

use std::ops::Range;

use rayon::prelude::*;

use super::block::EPSILON;
use super::buffers::zeros;
use super::elementwise::{Row, rows, rows_mut, sum_rows, transpose};
use super::gemm::{Gemm, Left, TILE, dispatch, vectorized};
use super::panels::{Panel, PanelLayout};
use super::softmax;

/// A score no softmax notices.
const BLOCKED: f32 = -1e30;

/// Where the heads' queries, keys and values are: panels of three parts of `heads * dim` features.
#[derive(Clone, Copy)]
pub struct Heads {
    pub heads: usize,
    pub dim: usize,
}

impl Heads {
    /// Values of a panel.
    fn panel(&self) -> usize {
        3 * self.heads * self.dim * TILE
    }

    /// A head's queries (part 0), keys (1) or values (2) in a panel.
    fn part<'a>(&self, qkv: &'a [f32], panel: usize, part: usize, head: usize) -> &'a [f32] {
        let size = self.dim * TILE;
        &qkv[panel * self.panel() + (part * self.heads + head) * size..][..size]
    }
}

/// Attention of the query panels `first..` to all keys of their sequences.
///
/// `qkv` holds all panels, with queries already scaled; `out` gets `heads * dim` features for each
/// query panel, and `lse`, where there are any, a row for each head of each query panel.
pub fn attend(
    geometry: &PanelLayout,
    heads: Heads,
    first: usize,
    qkv: &[f32],
    out: &mut [f32],
    lse: Option<&mut [f32]>,
) {
    let size = heads.dim * TILE;
    let count = out.len() / (heads.heads * size);
    let tasks = count * heads.heads;
    let most = (tasks / (4 * rayon::current_num_threads())).clamp(1, TOGETHER);
    let mut outs = out.chunks_mut(size);
    let mut sums = lse.map(|sums| rows_mut(sums).iter_mut());
    let mut work: Vec<(usize, Vec<Queries>)> = Vec::with_capacity(tasks);
    let mut start = 0;
    let panels = &geometry.panels[first..first + count];
    for run in panels.chunk_by(|a, b| a.sequence == b.sequence) {
        for group in run.chunks(most) {
            let of_group = work.len();
            work.extend((0..heads.heads).map(|head| (head, Vec::with_capacity(most))));
            for (i, _) in group.iter().enumerate() {
                for ((head, queries), out) in work[of_group..].iter_mut().zip(&mut outs) {
                    let number = first + start + i;
                    let lse = sums.as_mut().and_then(Iterator::next);
                    queries.push(Queries::new(geometry, heads, number, *head, qkv, out, lse));
                }
            }
            start += group.len();
        }
    }
    let work = work.into_par_iter().with_max_len(1);
    work.for_each(|(head, queries)| attend_head(geometry, heads, head, qkv, queries));
}

/// Panels of queries that share what is read of keys and values.
const TOGETHER: usize = 8;

/// One head of one panel of queries, on its way along the keys.
struct Queries<'a> {
    number: usize,
    panel: &'a Panel,
    values: &'a [f32],
    out: &'a mut [f32],
    /// The highest score so far, and the sum of weights relative to it.
    highest: Row,
    sum: Row,
    lse: Option<&'a mut Row>,
}

impl<'a> Queries<'a> {
    fn new(
        geometry: &'a PanelLayout,
        heads: Heads,
        number: usize,
        head: usize,
        qkv: &'a [f32],
        out: &'a mut [f32],
        lse: Option<&'a mut Row>,
    ) -> Self {
        Self {
            number,
            panel: &geometry.panels[number],
            values: heads.part(qkv, number, 0, head),
            out,
            highest: [BLOCKED; TILE],
            sum: [0.0; TILE],
            lse,
        }
    }
}

/// One head of neighboring panels of queries.
fn attend_head(geometry: &PanelLayout, heads: Heads, head: usize, qkv: &[f32], mut group: Vec<Queries>) {
    let mut buffer = [0.0; TILE * TILE];
    group.iter_mut().for_each(|queries| queries.out.fill(0.0));
    let (Some(first), Some(last)) = (group.first(), group.last()) else {
        return;
    };
    // What the first sees begins first, and what the last sees ends last.
    let keys = first.panel.keys().start..last.panel.keys().end;
    for (key_panel, keys) in key_panels(geometry, first.number, keys) {
        for queries in &mut group {
            let Queries {
                panel,
                values,
                out,
                highest,
                sum,
                ..
            } = queries;
            if !panel.sees_some(&keys) {
                continue;
            }
            let scores = &mut buffer[..keys.len() * TILE];
            score(heads, qkv, key_panel, head, 1, values, panel.tokens, scores);
            if !panel.sees_all(&keys) {
                block(scores, &panel.sees, keys.start);
            }
            dispatch(softmax::Step {
                scores,
                highest,
                sum,
                out,
            });
            Gemm {
                left: Left::new(heads.part(qkv, key_panel, 2, head), TILE, 1, keys.len()),
                rows: heads.dim,
                depth: keys.len(),
                right: scores,
                out,
                stride: TILE,
                lanes: panel.tokens,
                add: true,
            }
            .run();
        }
    }
    for Queries {
        out, highest, sum, lse, ..
    } in &mut group
    {
        vectorized(
            #[inline(always)]
            || {
                let inverse: Row = std::array::from_fn(|lane| 1.0 / sum[lane]);
                for row in rows_mut(out) {
                    for (value, inverse) in row.iter_mut().zip(&inverse) {
                        *value *= inverse;
                    }
                }
            },
        );
        if let Some(lse) = lse {
            **lse = std::array::from_fn(|lane| highest[lane] + sum[lane].ln());
        }
    }
}

/// The panels of a sequence that hold `seen` keys, and all keys of each.
fn key_panels(
    geometry: &PanelLayout,
    number: usize,
    seen: Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let first = geometry.sequences[geometry.panels[number].sequence].start;
    (seen.start / TILE..seen.end.div_ceil(TILE)).map(move |i| {
        let start = i * TILE;
        (first + i, start..start + geometry.panels[first + i].tokens)
    })
}

/// `scores[key][query]`: the products of the keys (`part` 1, or values: 2) with `right`.
#[expect(clippy::too_many_arguments, reason = "a product's operands, from where they lie")]
fn score(
    heads: Heads,
    qkv: &[f32],
    key_panel: usize,
    head: usize,
    part: usize,
    right: &[f32],
    lanes: usize,
    scores: &mut [f32],
) {
    Gemm {
        left: Left::new(heads.part(qkv, key_panel, part, head), 1, TILE, heads.dim),
        rows: scores.len() / TILE,
        depth: heads.dim,
        right,
        out: scores,
        stride: TILE,
        lanes,
        add: false,
    }
    .run();
}

/// Blocks what a query does not see.
fn block(scores: &mut [f32], sees: &[[u32; TILE]; 2], first_key: usize) {
    vectorized(
        #[inline(always)]
        || {
            for (key, row) in rows_mut(scores).iter_mut().enumerate() {
                let key = (first_key + key) as u32;
                for (lane, score) in row.iter_mut().enumerate() {
                    let seen = sees[0][lane] <= key && key < sees[1][lane];
                    *score = if seen { *score } else { BLOCKED };
                }
            }
        },
    );
}

/// The gradient of `qkv` (with scaled queries) from that of attention's result.
pub fn attend_backward(
    geometry: &PanelLayout,
    heads: Heads,
    qkv: &[f32],
    result: &[f32],
    lse: &[f32],
    d_result: &[f32],
) -> Vec<f32> {
    let mut d_qkv = zeros(qkv.len());
    // What each (sequence, head) writes: its panels' queries, keys and values.
    let mut pieces: Vec<[Vec<&mut [f32]>; 3]> = Vec::new();
    pieces.resize_with(geometry.sequences.len() * heads.heads, Default::default);
    let size = heads.dim * TILE;
    for (panel, values) in geometry.panels.iter().zip(d_qkv.chunks_mut(heads.panel())) {
        for (i, values) in values.chunks_mut(size).enumerate() {
            let (part, head) = (i / heads.heads, i % heads.heads);
            pieces[panel.sequence * heads.heads + head][part].push(values);
        }
    }
    let work = pieces.into_par_iter().enumerate().with_max_len(1);
    work.for_each(|(i, [mut q, mut k, mut v])| {
        let (sequence, head) = (i / heads.heads, i % heads.heads);
        let panels = geometry.sequences[sequence].clone();
        let whole = |values, number| rows_of_head(values, heads, number, head);
        for number in panels.clone() {
            let d_out = whole(d_result, number);
            let dot = vectorized(
                #[inline(always)]
                || {
                    let mut dot = [0.0; TILE];
                    for (a, b) in rows(whole(result, number)).iter().zip(rows(d_out)) {
                        for (lane, dot) in dot.iter_mut().enumerate() {
                            *dot += a[lane] * b[lane];
                        }
                    }
                    dot
                },
            );
            let lse = &rows(lse)[number * heads.heads + head];
            let query = Query {
                number,
                head,
                d_out,
                dot: &dot,
                lse,
            };
            for (key_panel, keys) in key_panels(geometry, number, geometry.panels[number].keys()) {
                let key = key_panel - panels.start;
                let gradients = [&mut *q[number - panels.start], &mut *k[key], &mut *v[key]];
                query.backward(geometry, heads, qkv, key_panel, keys, gradients);
            }
        }
    });
    d_qkv
}

fn rows_of_head(values: &[f32], heads: Heads, panel: usize, head: usize) -> &[f32] {
    let size = heads.dim * TILE;
    &values[(panel * heads.heads + head) * size..][..size]
}

/// One head of a panel of queries, on the way back.
struct Query<'a> {
    number: usize,
    head: usize,
    d_out: &'a [f32],
    /// Each query's result times its gradient.
    dot: &'a Row,
    lse: &'a Row,
}

impl Query<'_> {
    /// Adds what one panel of keys contributes to the gradients of these queries and of its keys
    /// and values.
    fn backward(
        &self,
        geometry: &PanelLayout,
        heads: Heads,
        qkv: &[f32],
        key_panel: usize,
        keys: Range<usize>,
        [d_queries, d_keys, d_values]: [&mut [f32]; 3],
    ) {
        let panel = &geometry.panels[self.number];
        let lanes = panel.tokens;
        let queries = heads.part(qkv, self.number, 0, self.head);
        let mut weights = [0.0; TILE * TILE];
        let mut d_scores = [0.0; TILE * TILE];
        let size = keys.len() * TILE;
        score(
            heads,
            qkv,
            key_panel,
            self.head,
            1,
            queries,
            lanes,
            &mut weights[..size],
        );
        score(
            heads,
            qkv,
            key_panel,
            self.head,
            2,
            self.d_out,
            lanes,
            &mut d_scores[..size],
        );
        let mut weights_turned = [0.0; TILE * TILE];
        let mut d_scores_turned = [0.0; TILE * TILE];
        let weights = &mut weights[..size];
        if !panel.sees_all(&keys) {
            block(weights, &panel.sees, keys.start);
        }
        dispatch(softmax::StepBack {
            scores: weights,
            gradients: &mut d_scores,
            lse: self.lse,
            dot: self.dot,
        });
        vectorized(
            #[inline(always)]
            || {
                transpose(weights, TILE, &mut weights_turned, TILE, keys.len(), TILE);
                transpose(&d_scores, TILE, &mut d_scores_turned, TILE, keys.len(), TILE);
            },
        );
        let product = |left: &[f32], depth, right: &[f32], lanes, out: &mut [f32]| {
            Gemm {
                left: Left::new(left, TILE, 1, depth),
                rows: heads.dim,
                depth,
                right,
                out,
                stride: TILE,
                lanes,
                add: true,
            }
            .run();
        };
        let key = heads.part(qkv, key_panel, 1, self.head);
        let count = keys.len();
        product(key, count, &d_scores, lanes, d_queries);
        product(queries, lanes, &d_scores_turned, count, d_keys);
        product(self.d_out, lanes, &weights_turned, count, d_values);
    }
}

/// Turns and, in v2, normalizes the queries and keys of a panel; scales the queries.
#[derive(Clone, Copy)]
pub struct Turn<'a> {
    pub heads: Heads,
    /// Weights of the RMSNorm of queries and of keys.
    pub norms: Option<[&'a [f32]; 2]>,
    pub geometry: &'a PanelLayout,
}

impl Turn<'_> {
    fn scale(&self, part: usize) -> f32 {
        match part {
            0 => 1.0 / (self.heads.dim as f32).sqrt(),
            _ => 1.0,
        }
    }

    /// Some rows of `qkv` of a panel, whole heads, in place.
    pub fn forward(&self, first_row: usize, panel: usize, values: &mut [f32]) {
        let Heads { heads, dim } = self.heads;
        let (cosines, sines) = self.geometry.turns(panel);
        for (i, values) in values.chunks_mut(dim * TILE).enumerate() {
            let part = (first_row / dim + i) / heads;
            if part == 2 {
                break;
            }
            let scale = self.scale(part);
            vectorized(
                #[inline(always)]
                || {
                    let values = rows_mut(values);
                    if let Some(norms) = self.norms {
                        let inverse = inverse_rms(values);
                        for (row, weight) in values.iter_mut().zip(norms[part]) {
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

    /// From the gradient of turned queries and keys to that of `qkv`, a panel's, in place. `raw` is
    /// `qkv` before turning. Adds to the gradients of the norms' weights, `[2][dim]`.
    pub fn backward(&self, panel: usize, raw: &[f32], gradient: &mut [f32], d_norms: &mut [f32]) {
        let Heads { heads, dim } = self.heads;
        let (cosines, sines) = self.geometry.turns(panel);
        let each = gradient.chunks_mut(dim * TILE).zip(raw.chunks(dim * TILE));
        for (i, (gradient, raw)) in each.take(2 * heads).enumerate() {
            let part = i / heads;
            vectorized(
                #[inline(always)]
                || {
                    let gradient = rows_mut(gradient);
                    rotate(gradient, rows(cosines), rows(sines), self.scale(part), -1.0);
                    if let Some(norms) = self.norms {
                        let d_norm = &mut d_norms[part * dim..][..dim];
                        rms_backward(rows(raw), norms[part], gradient, d_norm);
                    }
                },
            );
        }
    }
}

/// Turns the pairs of rows and scales them; `direction` -1 turns back.
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

/// 1 / sqrt(mean(x^2) + eps) of every token.
#[inline(always)]
pub fn inverse_rms(values: &[Row]) -> Row {
    let count = values.len() as f32;
    sum_rows(values, |_, x| x * x).map(|sum| 1.0 / (sum / count + EPSILON).sqrt())
}

/// Back through an RMSNorm of `raw` with `weight`: the gradient of its result becomes that of
/// `raw`. Adds to the weight's gradient.
#[inline(always)]
pub fn rms_backward(raw: &[Row], weight: &[f32], gradient: &mut [Row], d_weight: &mut [f32]) {
    let inverse = inverse_rms(raw);
    let mut mean = [0.0; TILE];
    for (((raw, gradient), weight), d_weight) in raw.iter().zip(&mut *gradient).zip(weight).zip(d_weight) {
        let mut sum = [0.0; TILE];
        for lane in 0..TILE {
            let normed = raw[lane] * inverse[lane];
            sum[lane] = gradient[lane] * normed;
            gradient[lane] *= weight;
            mean[lane] += gradient[lane] * normed;
        }
        *d_weight += sum.iter().sum::<f32>();
    }
    let count = raw.len() as f32;
    for (raw, gradient) in raw.iter().zip(gradient) {
        for lane in 0..TILE {
            let normed = raw[lane] * inverse[lane];
            gradient[lane] = inverse[lane] * (gradient[lane] - normed * mean[lane] / count);
        }
    }
}
