//! What the sequences of a batch are.

use std::ops::Range;

use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::{Extent, Grid};
use crate::config::Attention;
use crate::{Error, Result};

/// One sequence of a batch: a clip, its size and its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// Size in pixels to crop back to.
    pub extent: Extent,
    /// Size in tokens.
    pub grid: Grid,
}

/// The sequences of a batch. Each holds its tokens in (time, row, column) raster order from
/// place 0; places from its token count up to `length` are padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    items: Vec<Item>,
    length: usize,
}

/// Tokens of a batch, patches or latents: `[B, N, D]` with their layout.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// `[B, N, D]`; padding places hold 0.
    pub tokens: Tensor<3>,
    /// What the B sequences are.
    pub layout: Layout,
}

impl Layout {
    /// A layout whose sequences are as long as the longest item.
    ///
    /// # Errors
    /// [`Error::Input`] for no items or an item without tokens.
    pub fn new(items: Vec<Item>) -> Result<Self> {
        let length = items.iter().map(|i| i.grid.tokens()).max().unwrap_or(0);
        if items.iter().any(|i| i.grid.tokens() == 0) || items.is_empty() {
            return Err(Error::Input(
                "a batch needs at least one clip of at least one pixel".into(),
            ));
        }
        Ok(Self { items, length })
    }

    /// The same items in sequences of `length` places.
    ///
    /// # Errors
    /// [`Error::Input`] if an item has more tokens than that.
    pub fn padded_to(mut self, length: usize) -> Result<Self> {
        if length < self.length {
            return Err(Error::Input(format!(
                "cannot pad to {length} tokens: the longest sequence has {}",
                self.length
            )));
        }
        self.length = length;
        Ok(self)
    }

    /// The sequences.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Places N of each sequence, padding included.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether some place of some sequence is padding.
    pub fn has_padding(&self) -> bool {
        self.items.iter().any(|i| i.grid.tokens() < self.length)
    }

    /// Sets padding places to 0. `x`: `[B, N, D]`.
    pub fn clear_padding(&self, x: Tensor<3>) -> Tensor<3> {
        if !self.has_padding() {
            return x;
        }
        let real: Vec<f32> = self
            .items
            .iter()
            .flat_map(|item| {
                let tokens = item.grid.tokens();
                (0..self.length).map(move |i| if i < tokens { 1.0 } else { 0.0 })
            })
            .collect();
        let shape = [self.items.len(), self.length, 1];
        let real = Tensor::from_data(TensorData::new(real, shape), &x.device());
        x * real
    }

    /// The keys that a token `query` of `item` sees.
    pub fn seen(&self, attention: Attention, item: &Item, query: usize) -> Range<usize> {
        let tokens = item.grid.tokens();
        match attention {
            Attention::Full => 0..tokens,
            Attention::Window(reach) => {
                query.saturating_sub(reach)..query.saturating_add(reach + 1).min(tokens)
            }
            Attention::BlockCausal => {
                let per_frame = item.grid.rows * item.grid.cols;
                0..(query / per_frame + 1) * per_frame
            }
        }
    }

    /// `[B or 1, 1, N, N]`, true where a query (row) must not see a key (column); `None` where
    /// every token sees every other.
    ///
    /// A padding place sees itself alone, so that its softmax stays finite; nothing sees it.
    pub fn blocked(&self, attention: Attention, device: &Device) -> Option<Tensor<4, Bool>> {
        let n = self.length;
        let reaches_all = match attention {
            Attention::Full => true,
            Attention::Window(reach) => reach >= n - 1,
            Attention::BlockCausal => self.items.iter().all(|i| i.grid.frames == 1),
        };
        if reaches_all && !self.has_padding() {
            return None;
        }
        // One mask serves the batch where all its sequences are alike.
        let alike = self.items.iter().all(|i| i.grid == self.items[0].grid);
        let distinct = if alike { &self.items[..1] } else { &self.items };
        let mut blocked = Vec::with_capacity(distinct.len() * n * n);
        for item in distinct {
            let tokens = item.grid.tokens();
            for query in 0..n {
                let seen = match query < tokens {
                    true => self.seen(attention, item, query),
                    false => query..query + 1,
                };
                blocked.extend((0..n).map(|key| !seen.contains(&key)));
            }
        }
        let shape = [distinct.len(), 1, n, n];
        Some(Tensor::from_data(TensorData::new(blocked, shape), device))
    }
}
