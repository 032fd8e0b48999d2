//! Clips: frames that belong together.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Image, Size};
use crate::{Error, Result};

/// Frames of one size, in order; an image is a clip of one frame. Never empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Clip {
    frames: Vec<Image>,
    fps: Option<f64>,
}

/// A clip's size in frames and pixels; an image has one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipShape {
    /// Frames T.
    pub frames: usize,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
}

impl Clip {
    /// A clip of `frames`, shown at `fps` frames a second where that is known.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for no frames or frames of different sizes.
    pub fn new(frames: Vec<Image>, fps: Option<f64>) -> Result<Self> {
        let Some(first) = frames.first() else {
            return Err(Error::InvalidArgument("a clip needs at least one frame".into()));
        };
        if let Some(other) = frames.iter().find(|frame| frame.size() != first.size()) {
            return Err(Error::InvalidArgument(format!(
                "a clip's frames must be of one size; there are {} and {}",
                first.size(),
                other.size()
            )));
        }
        Ok(Self { frames, fps })
    }

    /// A black clip.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a shape without pixels.
    pub fn blank(shape: ClipShape) -> Result<Self> {
        let frame = Image::new(shape.width, shape.height, vec![0; 3 * shape.width * shape.height])?;
        Self::new(vec![frame; shape.frames], None)
    }

    /// The frames.
    pub fn frames(&self) -> &[Image] {
        &self.frames
    }

    /// The frames, without a copy.
    pub fn into_frames(self) -> Vec<Image> {
        self.frames
    }

    /// Frames a second, where that is known.
    pub fn fps(&self) -> Option<f64> {
        self.fps
    }

    /// Width and height of every frame.
    pub fn size(&self) -> Size {
        self.frames[0].size()
    }

    /// Frames, height and width.
    pub fn shape(&self) -> ClipShape {
        let Size { width, height } = self.size();
        ClipShape {
            frames: self.frames.len(),
            height,
            width,
        }
    }

    /// The clip of what `f` makes of every frame.
    ///
    /// # Errors
    /// The first error of `f`; [`Error::InvalidArgument`] if it makes different sizes.
    pub fn map(self, f: impl FnMut(Image) -> Result<Image>) -> Result<Self> {
        let frames = self.frames.into_iter().map(f).collect::<Result<_>>()?;
        Self::new(frames, self.fps)
    }

    /// Refuses to compare a clip of another shape with this one.
    pub(crate) fn check_same_shape(&self, other: &Self) -> Result<()> {
        if self.shape() == other.shape() {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "clips of {} and {} cannot be compared",
            self.shape(),
            other.shape()
        )))
    }
}

/// An image is a clip of one frame.
impl From<Image> for Clip {
    fn from(image: Image) -> Self {
        Self {
            frames: vec![image],
            fps: None,
        }
    }
}

impl ClipShape {
    /// An image's shape.
    pub fn image(width: usize, height: usize) -> Self {
        Self {
            frames: 1,
            height,
            width,
        }
    }

    /// Values of the clip: three colors for each pixel of each frame; saturating.
    pub fn values(&self) -> usize {
        let pixels = self.height.saturating_mul(self.width);
        pixels.saturating_mul(self.frames).saturating_mul(3)
    }
}

impl fmt::Display for ClipShape {
    /// `640x427`, or `16x640x427` for a clip of 16 frames.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.frames != 1 {
            write!(f, "{}x", self.frames)?;
        }
        write!(f, "{}x{}", self.width, self.height)
    }
}
