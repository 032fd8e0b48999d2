//! Sizes in pixels and in tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::Tubelet;

/// A clip's size in frames and pixels; an image has one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extent {
    /// Frames T.
    pub frames: usize,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
}

/// A clip's size in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// Tubelets along time.
    pub frames: usize,
    /// Tubelets from top to bottom.
    pub rows: usize,
    /// Tubelets from left to right.
    pub cols: usize,
}

impl Extent {
    /// A picture's extent.
    pub fn image(width: usize, height: usize) -> Self {
        Self {
            frames: 1,
            height,
            width,
        }
    }

    /// Values of the clip: three colours for each pixel of each frame; saturating.
    pub fn values(&self) -> usize {
        let pixels = self.height.saturating_mul(self.width);
        pixels.saturating_mul(self.frames).saturating_mul(3)
    }
}

impl fmt::Display for Extent {
    /// 640x427, or 16x640x427 for a clip of 16 frames.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames != 1 {
            write!(f, "{}x", self.frames)?;
        }
        write!(f, "{}x{}", self.width, self.height)
    }
}

impl Grid {
    /// The tubelets that cover `extent`; the last of each axis may reach past its end.
    pub fn covering(extent: Extent, tubelet: Tubelet) -> Self {
        Self {
            frames: extent.frames.div_ceil(tubelet.frames),
            rows: extent.height.div_ceil(tubelet.patch),
            cols: extent.width.div_ceil(tubelet.patch),
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
        let Grid { frames, rows, cols } = *self;
        (0..frames)
            .flat_map(move |t| (0..rows).flat_map(move |r| (0..cols).map(move |c| [t, r, c])))
    }
}
