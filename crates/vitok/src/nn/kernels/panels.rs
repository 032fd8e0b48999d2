//! How the tokens of a batch are cut into panels, and which keys each token attends to.

use std::ops::Range;

use rayon::prelude::*;

use super::buffers::zeros;
use super::elementwise::transpose;
use super::gemm::TILE;
use super::simd::vectorized;

/// Positions and visible keys of a sequence's tokens.
#[derive(Clone, Debug)]
pub struct SequenceContext {
    /// The keys that each token attends to, `[tokens]`; starts and ends never decrease from token to token.
    pub visible_keys: Vec<Range<usize>>,
    /// Cosine and sine of RoPE's angle for each pair of a head's features, `[tokens][head_dim / 2]`.
    pub rope: Vec<[f32; 2]>,
}

/// A batch in panels of [`TILE`] tokens. Padding is left out: the last panel of a sequence holds the tokens that remain,
/// and zeros.
#[derive(Debug)]
pub struct PanelLayout {
    pub(super) panels: Vec<Panel>,
    /// The panels of each sequence.
    pub(super) sequences: Vec<Range<usize>>,
    /// Positions of a sequence in the padded batch.
    length: usize,
    /// `[head_dim][TILE]` for each panel of each context: the cosines of the pairs, then their sines.
    rope: Vec<f32>,
    head_dim: usize,
}

/// Up to [`TILE`] tokens that follow each other in a sequence.
#[derive(Debug)]
pub(super) struct Panel {
    /// Index of its sequence in the batch.
    pub sequence: usize,
    /// Index of its first token in the sequence.
    pub first: usize,
    /// How many tokens it holds.
    pub tokens: usize,
    /// Index of its part of the RoPE table.
    rope: usize,
    /// The first key that each token attends to.
    pub visible_start: [u32; TILE],
    /// One past the last key that each token attends to.
    pub visible_end: [u32; TILE],
}

impl Panel {
    /// The keys that some token attends to, and those between them.
    pub fn visible_keys(&self) -> Range<usize> {
        let first = self.visible_start.iter().min().copied().unwrap_or(0);
        let last = self.visible_end.iter().max().copied().unwrap_or(0);
        first as usize..last as usize
    }

    /// Whether some token attends to some of these keys.
    pub fn any_visible(&self, keys: &Range<usize>) -> bool {
        let visible = self.visible_keys();
        visible.start < keys.end && keys.start < visible.end
    }

    /// Whether every token attends to all of these keys.
    pub fn all_visible(&self, keys: &Range<usize>) -> bool {
        self.visible_start.iter().all(|start| *start as usize <= keys.start)
            && self.visible_end.iter().all(|end| keys.end <= *end as usize)
    }
}

impl PanelLayout {
    /// The panels of a batch `[B, length, ..]`, for heads of `head_dim` features. `sequences`: for each sequence of the
    /// batch, the index of its context in `contexts`.
    pub fn new(contexts: &[SequenceContext], sequences: &[usize], length: usize, head_dim: usize) -> Self {
        let mut rope = Vec::new();
        let mut first_rope = Vec::with_capacity(contexts.len());
        for context in contexts {
            first_rope.push(rope.len() / (head_dim * TILE));
            add_rope(&mut rope, &context.rope, head_dim);
        }
        let mut panels = Vec::new();
        let mut ranges = Vec::with_capacity(sequences.len());
        for (sequence, &context) in sequences.iter().enumerate() {
            let start = panels.len();
            let visible_keys = &contexts[context].visible_keys;
            for (number, tokens) in visible_keys.chunks(TILE).enumerate() {
                // Lanes past the last token attend to what it attends to.
                let visible = |lane: usize| &tokens[lane.min(tokens.len() - 1)];
                panels.push(Panel {
                    sequence,
                    first: number * TILE,
                    tokens: tokens.len(),
                    rope: first_rope[context] + number,
                    visible_start: std::array::from_fn(|lane| visible(lane).start as u32),
                    visible_end: std::array::from_fn(|lane| visible(lane).end as u32),
                });
            }
            ranges.push(start..panels.len());
        }
        Self {
            panels,
            sequences: ranges,
            length,
            rope,
            head_dim,
        }
    }

    /// Cosines and sines of the pairs of a panel's tokens, `[head_dim / 2][TILE]` each.
    pub fn rope(&self, panel: usize) -> (&[f32], &[f32]) {
        let size = self.head_dim * TILE;
        self.rope[self.panels[panel].rope * size..][..size].split_at(size / 2)
    }

    /// Number of values of panels with `features` features.
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

    /// Panels to tokens `[B, N, features]`; padding is 0.
    pub fn to_tokens(&self, panels: &[f32], features: usize) -> Vec<f32> {
        let mut out = zeros(self.sequences.len() * self.length * features);
        let sequences = out.par_chunks_mut(self.length * features).zip(&self.sequences);
        sequences.for_each(|(out, sequence)| {
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

/// Appends a sequence's RoPE table, a panel after the other.
fn add_rope(table: &mut Vec<f32>, rope: &[[f32; 2]], head_dim: usize) {
    let pairs = head_dim / 2;
    for tokens in rope.chunks(TILE * pairs) {
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

/// How queries, keys and values lie in panels: three parts of `count * dim` features.
#[derive(Clone, Copy, Debug)]
pub struct Heads {
    /// Number of heads.
    pub count: usize,
    /// Features of a head.
    pub dim: usize,
}

impl Heads {
    /// Values of a panel of queries, keys and values.
    pub fn panel_size(&self) -> usize {
        3 * self.count * self.dim * TILE
    }

    /// A head's queries in a panel, `[dim][TILE]`.
    pub fn queries<'a>(&self, qkv: &'a [f32], panel: usize, head: usize) -> &'a [f32] {
        self.part(qkv, panel, 0, head)
    }

    /// A head's keys in a panel, `[dim][TILE]`.
    pub fn keys<'a>(&self, qkv: &'a [f32], panel: usize, head: usize) -> &'a [f32] {
        self.part(qkv, panel, 1, head)
    }

    /// A head's values in a panel, `[dim][TILE]`.
    pub fn values<'a>(&self, qkv: &'a [f32], panel: usize, head: usize) -> &'a [f32] {
        self.part(qkv, panel, 2, head)
    }

    fn part<'a>(&self, qkv: &'a [f32], panel: usize, part: usize, head: usize) -> &'a [f32] {
        let size = self.dim * TILE;
        &qkv[panel * self.panel_size() + (part * self.count + head) * size..][..size]
    }

    /// A head's features in a panel of attention's output (or its gradient), `[dim][TILE]`.
    pub fn output<'a>(&self, out: &'a [f32], panel: usize, head: usize) -> &'a [f32] {
        let size = self.dim * TILE;
        &out[(panel * self.count + head) * size..][..size]
    }
}
