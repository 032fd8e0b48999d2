//! How the tokens of a batch are cut into panels, and what each token sees.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::elementwise::transpose;
use super::multiply::{LANES, vectorised};
use crate::config::{Attention, Rope};
use crate::nn::rope::turns;
use crate::patches::{Grid, Layout};

/// A batch in panels of [`LANES`] tokens. Padding is left out: the last panel of a sequence holds
/// what is left of it, and zeros.
#[derive(Debug)]
pub struct Geometry {
    pub(super) panels: Vec<Panel>,
    /// The panels of each sequence.
    pub(super) sequences: Vec<Range<usize>>,
    /// Places of a sequence in the padded batch.
    length: usize,
    /// `[head_dim][LANES]` for each panel of each distinct grid: the cosines of the pairs, then
    /// their sines.
    rope: Vec<f32>,
    head_dim: usize,
}

/// Up to [`LANES`] tokens that follow each other in a sequence.
#[derive(Debug)]
pub(super) struct Panel {
    pub sequence: usize,
    /// Its first token, within the sequence.
    pub first: usize,
    /// How many tokens it holds.
    pub tokens: usize,
    /// Its place in the table of turns.
    turns: usize,
    /// The first key each token sees, and the one after the last.
    pub sees: [[u32; LANES]; 2],
}

impl Panel {
    /// The keys that some token sees.
    pub fn keys(&self) -> Range<usize> {
        let [from, to] = &self.sees;
        let first = from.iter().min().copied().unwrap_or(0);
        let last = to.iter().max().copied().unwrap_or(0);
        first as usize..last as usize
    }

    /// Whether some token sees one of these keys.
    pub fn sees_some(&self, keys: &Range<usize>) -> bool {
        let seen = self.keys();
        seen.start < keys.end && keys.start < seen.end
    }

    /// Whether every token sees all of these keys.
    pub fn sees_all(&self, keys: &Range<usize>) -> bool {
        let [from, to] = &self.sees;
        from.iter().all(|from| *from as usize <= keys.start)
            && to.iter().all(|to| keys.end <= *to as usize)
    }
}

impl Geometry {
    /// The panels of a batch, for heads of `head_dim` values.
    pub fn new(layout: &Layout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        let mut panels = Vec::new();
        let mut sequences = Vec::new();
        let mut tables: Vec<(Grid, usize)> = Vec::new();
        let mut table = Vec::new();
        for (sequence, item) in layout.items().iter().enumerate() {
            let tokens = item.grid.tokens();
            let known = tables.iter().find(|(grid, _)| *grid == item.grid);
            let first_turns = match known {
                Some((_, first)) => *first,
                None => {
                    let first = table.len() / (head_dim * LANES);
                    add_turns(&mut table, rope, item.grid, head_dim);
                    tables.push((item.grid, first));
                    first
                }
            };
            let start = panels.len();
            for (number, first) in (0..tokens).step_by(LANES).enumerate() {
                // Places without a token see what the last one sees.
                let seen: [Range<usize>; LANES] = std::array::from_fn(|lane| {
                    layout.seen(attention, item, (first + lane).min(tokens - 1))
                });
                panels.push(Panel {
                    sequence,
                    first,
                    tokens: LANES.min(tokens - first),
                    turns: first_turns + number,
                    sees: [
                        std::array::from_fn(|lane| seen[lane].start as u32),
                        std::array::from_fn(|lane| seen[lane].end as u32),
                    ],
                });
            }
            sequences.push(start..panels.len());
        }
        Self {
            panels,
            sequences,
            length: layout.length(),
            rope: table,
            head_dim,
        }
    }

    /// Cosines and sines of a panel's pairs, `[head_dim / 2][LANES]` each.
    pub fn turns(&self, panel: usize) -> (&[f32], &[f32]) {
        let size = self.head_dim * LANES;
        self.rope[self.panels[panel].turns * size..][..size].split_at(size / 2)
    }

    /// Values of `features` features in panels.
    pub fn size(&self, features: usize) -> usize {
        self.panels.len() * features * LANES
    }

    /// The shape of tokens with `features` features, `[B, N, features]`.
    pub fn tokens_shape(&self, features: usize) -> [usize; 3] {
        [self.sequences.len(), self.length, features]
    }

    /// The shape of panels with `features` features, `[panels, features, LANES]`.
    pub fn panels_shape(&self, features: usize) -> [usize; 3] {
        [self.panels.len(), features, LANES]
    }

    /// Tokens `[B, N, features]` to panels.
    pub fn to_panels(&self, tokens: &[f32], features: usize) -> Vec<f32> {
        let mut out = zeros(self.size(features));
        let panels = out.par_chunks_mut(features * LANES).zip(&self.panels);
        panels.for_each(|(out, panel)| {
            let from = &tokens[(panel.sequence * self.length + panel.first) * features..];
            vectorised(
                #[inline(always)]
                || transpose(from, features, out, LANES, panel.tokens, features),
            );
        });
        out
    }

    /// Panels to tokens `[B, N, features]`; padding places hold 0.
    pub fn to_tokens(&self, panels: &[f32], features: usize) -> Vec<f32> {
        let mut out = zeros(self.sequences.len() * self.length * features);
        let places = out
            .par_chunks_mut(self.length * features)
            .zip(&self.sequences);
        places.for_each(|(out, sequence)| {
            let parts = out.par_chunks_mut(LANES * features).zip(sequence.clone());
            parts.for_each(|(out, number)| {
                let from = &panels[number * features * LANES..][..features * LANES];
                let tokens = self.panels[number].tokens;
                vectorised(
                    #[inline(always)]
                    || transpose(from, LANES, out, features, features, tokens),
                );
            });
        });
        out
    }
}

fn add_turns(table: &mut Vec<f32>, rope: Rope, grid: Grid, head_dim: usize) {
    let pairs = head_dim / 2;
    for tokens in turns(rope, grid, head_dim).chunks(LANES * pairs) {
        let start = table.len();
        table.resize(start + head_dim * LANES, 0.0);
        let (cosines, sines) = table[start..].split_at_mut(pairs * LANES);
        for (lane, token) in tokens.chunks(pairs).enumerate() {
            for (pair, [cosine, sine]) in token.iter().enumerate() {
                cosines[pair * LANES + lane] = *cosine;
                sines[pair * LANES + lane] = *sine;
            }
        }
    }
}
