//! What the sequences of a batch are.

use burn::tensor::{Tensor, TensorData};

use super::TokenGrid;
use crate::media::ClipShape;
use crate::{Error, Result};

/// One sequence of a batch: a clip, its size and its tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Size in pixels to crop back to.
    pub shape: ClipShape,
    /// Size in tokens.
    pub grid: TokenGrid,
}

/// The sequences of a batch. Each holds its tokens in (time, row, column) raster order from
/// position 0; positions from its token count up to `length` are padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchLayout {
    sequences: Vec<Sequence>,
    length: usize,
}

/// Tokens of a batch, patches or latents: `[B, N, D]` with their layout.
#[derive(Clone, Debug)]
pub struct TokenBatch {
    /// `[B, N, D]`; padding positions hold 0.
    pub tokens: Tensor<3>,
    /// What the B sequences are.
    pub layout: BatchLayout,
}

impl BatchLayout {
    /// A layout whose sequences are as long as the longest sequence.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no sequences or a sequence without tokens.
    pub fn new(sequences: Vec<Sequence>) -> Result<Self> {
        let length = sequences.iter().map(|i| i.grid.tokens()).max().unwrap_or(0);
        if sequences.iter().any(|i| i.grid.tokens() == 0) || sequences.is_empty() {
            return Err(Error::InvalidArgument(
                "a batch needs at least one clip of at least one pixel".into(),
            ));
        }
        Ok(Self { sequences, length })
    }

    /// The same sequences, padded to `length` positions.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a sequence has more tokens than that.
    pub fn padded_to(mut self, length: usize) -> Result<Self> {
        if length < self.length {
            return Err(Error::InvalidArgument(format!(
                "cannot pad to {length} tokens: the longest sequence has {}",
                self.length
            )));
        }
        self.length = length;
        Ok(self)
    }

    /// The sequences.
    pub fn sequences(&self) -> &[Sequence] {
        &self.sequences
    }

    /// Positions N of each sequence, padding included.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Whether some position of some sequence is padding.
    pub fn has_padding(&self) -> bool {
        self.sequences.iter().any(|i| i.grid.tokens() < self.length)
    }

    /// Sets padding positions to 0. `x`: `[B, N, D]`.
    pub fn clear_padding(&self, x: Tensor<3>) -> Tensor<3> {
        if !self.has_padding() {
            return x;
        }
        let real: Vec<f32> = self
            .sequences
            .iter()
            .flat_map(|sequence| {
                let tokens = sequence.grid.tokens();
                (0..self.length).map(move |i| if i < tokens { 1.0 } else { 0.0 })
            })
            .collect();
        let shape = [self.sequences.len(), self.length, 1];
        let real = Tensor::from_data(TensorData::new(real, shape), &x.device());
        x * real
    }
}
