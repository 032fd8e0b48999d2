//! Tubelets and the grid of tokens they make of a clip.

use serde::{Deserialize, Serialize};

use crate::media::ClipShape;

/// The box of pixels that becomes one token (paper, section 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tubelet {
    /// Frames q.
    pub frames: usize,
    /// Side p of the square patch in pixels.
    pub patch: usize,
}

/// A clip's size in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenGrid {
    /// Tubelets along time.
    pub frames: usize,
    /// Tubelets from top to bottom.
    pub rows: usize,
    /// Tubelets from left to right.
    pub cols: usize,
}

impl TokenGrid {
    /// The tubelets that cover a clip of this shape; the last of each axis may reach past its end.
    pub fn covering(shape: ClipShape, tubelet: Tubelet) -> Self {
        Self {
            frames: shape.frames.div_ceil(tubelet.frames),
            rows: shape.height.div_ceil(tubelet.patch),
            cols: shape.width.div_ceil(tubelet.patch),
        }
    }

    /// Number of tokens L.
    pub fn tokens(&self) -> usize {
        self.frames * self.rows * self.cols
    }

    /// [`Self::tokens`], or nothing for a grid too large to count.
    pub fn checked_tokens(&self) -> Option<usize> {
        let frame = self.rows.checked_mul(self.cols)?;
        frame.checked_mul(self.frames)
    }

    /// (time, row, column) of every token in raster order.
    pub fn positions(&self) -> impl Iterator<Item = [usize; 3]> + use<> {
        let TokenGrid { frames, rows, cols } = *self;
        (0..frames).flat_map(move |t| (0..rows).flat_map(move |r| (0..cols).map(move |c| [t, r, c])))
    }
}
