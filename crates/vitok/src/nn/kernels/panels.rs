//! How the tokens of a batch are cut into panels, and what each token sees.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::elementwise::transpose;
use super::gemm::{TILE, vectorized};
use crate::nn::transformer::rope::turns;
use crate::nn::visible_keys;
use crate::nn::{Attention, Rope};
use crate::patches::{BatchLayout, TokenGrid};

/// A batch in panels of [`TILE`] tokens. Padding is left out: the last panel of a sequence holds
/// what is left of it, and zeros.
#[derive(Debug)]
pub struct PanelLayout {
    pub(super) panels: Vec<Panel>,
    /// The panels of each sequence.
    pub(super) sequences: Vec<Range<usize>>,
    /// Places of a sequence in the padded batch.
    length: usize,
    /// `[head_dim][TILE]` for each panel of each distinct grid: the cosines of the pairs, then
    /// their sines.
    rope: Vec<f32>,
    head_dim: usize,
}

/// Up to [`TILE`] tokens that follow each other in a sequence.
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
    pub sees: [[u32; TILE]; 2],
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
        from.iter().all(|from| *from as usize <= keys.start) && to.iter().all(|to| keys.end <= *to as usize)
    }
}

impl PanelLayout {
    /// The panels of a batch, for heads of `head_dim` values.
    pub fn new(layout: &BatchLayout, attention: Attention, rope: Rope, head_dim: usize) -> Self {
        let mut panels = Vec::new();
        let mut sequences = Vec::new();
        let mut tables: Vec<(TokenGrid, usize)> = Vec::new();
        let mut table = Vec::new();
        for (sequence, item) in layout.sequences().iter().enumerate() {
            let tokens = item.grid.tokens();
            let known = tables.iter().find(|(grid, _)| *grid == item.grid);
            let first_turns = match known {
                Some((_, first)) => *first,
                None => {
                    let first = table.len() / (head_dim * TILE);
                    add_turns(&mut table, rope, item.grid, head_dim);
                    tables.push((item.grid, first));
                    first
                }
            };
            let start = panels.len();
            for (number, first) in (0..tokens).step_by(TILE).enumerate() {
                // Places without a token see what the last one sees.
                let seen: [Range<usize>; TILE] =
                    std::array::from_fn(|lane| visible_keys(attention, item.grid, (first + lane).min(tokens - 1)));
                panels.push(Panel {
                    sequence,
                    first,
                    tokens: TILE.min(tokens - first),
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

    /// Cosines and sines of a panel's pairs, `[head_dim / 2][TILE]` each.
    pub fn turns(&self, panel: usize) -> (&[f32], &[f32]) {
        let size = self.head_dim * TILE;
        self.rope[self.panels[panel].turns * size..][..size].split_at(size / 2)
    }

    /// Values of `features` features in panels.
    pub fn size(&self, features: usize) -> usize {
        self.panels.len() * features * TILE
    }

    /// The shape of tokens with `features` features, `[B, N, features]`.
    pub fn tokens_shape(&self, features: usize) -> [usize; 3] {
        [self.sequences.len(), self.length, features]
    }

    /// The shape of panels with `features` features, `[panels, features, TILE]`.
    pub fn panels_shape(&self, features: usize) -> [usize; 3] {
        [self.panels.len(), features, TILE]
    }

    /// Tokens `[B, N, features]` to panels.
    pub fn to_panels(&self, tokens: &[f32], features: usize) -> Vec<f32> {
        let mut out = zeros(self.size(features));
        let panels = out.par_chunks_mut(features * TILE).zip(&self.panels);
        panels.for_each(|(out, panel)| {
            let from = &tokens[(panel.sequence * self.length + panel.first) * features..];
            vectorized(
                #[inline(always)]
                || transpose(from, features, out, TILE, panel.tokens, features),
            );
        });
        out
    }

    /// Panels to tokens `[B, N, features]`; padding places hold 0.
    pub fn to_tokens(&self, panels: &[f32], features: usize) -> Vec<f32> {
        let mut out = zeros(self.sequences.len() * self.length * features);
        let places = out.par_chunks_mut(self.length * features).zip(&self.sequences);
        places.for_each(|(out, sequence)| {
            let parts = out.par_chunks_mut(TILE * features).zip(sequence.clone());
            parts.for_each(|(out, number)| {
                let from = &panels[number * features * TILE..][..features * TILE];
                let tokens = self.panels[number].tokens;
                vectorized(
                    #[inline(always)]
                    || transpose(from, TILE, out, features, features, tokens),
                );
            });
        });
        out
    }
}

fn add_turns(table: &mut Vec<f32>, rope: Rope, grid: TokenGrid, head_dim: usize) {
    let pairs = head_dim / 2;
    for tokens in turns(rope, grid, head_dim).chunks(TILE * pairs) {
        let start = table.len();
        table.resize(start + head_dim * TILE, 0.0);
        let (cosines, sines) = table[start..].split_at_mut(pairs * TILE);
        for (lane, token) in tokens.chunks(pairs).enumerate() {
            for (pair, [cosine, sine]) in token.iter().enumerate() {
                cosines[pair * TILE + lane] = *cosine;
                sines[pair * TILE + lane] = *sine;
            }
        }
    }
}
