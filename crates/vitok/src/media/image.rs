//! An 8-bit RGB image.

use std::fmt;

use crate::{Error, Result};

/// Most pixels an image may be resized to; a guard against a mistyped size, not a format limit.
const LARGEST_TARGET: usize = 1 << 30;

/// Width and height in pixels, named so that they cannot be swapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Pixels in a row.
    pub width: usize,
    /// Number of rows.
    pub height: usize,
}

impl Size {
    /// `width` x `height` pixels.
    pub fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// Number of pixels; saturates instead of wrapping.
    pub fn pixels(self) -> usize {
        self.width.saturating_mul(self.height)
    }

    /// The longer side.
    pub fn longest(self) -> usize {
        self.width.max(self.height)
    }

    /// The shorter side.
    pub fn shortest(self) -> usize {
        self.width.min(self.height)
    }

    /// Refuses a size nothing can be resized to.
    pub(super) fn check_target(self) -> Result<()> {
        if self.width == 0 || self.height == 0 {
            return Err(Error::InvalidArgument(format!(
                "cannot resize to {self}: both sides must be at least 1"
            )));
        }
        if self.pixels() > LARGEST_TARGET {
            return Err(Error::InvalidArgument(format!(
                "cannot resize to {self}: that is over {LARGEST_TARGET} pixels"
            )));
        }
        Ok(())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} x {}", self.width, self.height)
    }
}

/// An RGB image, 8 bits a channel: rows from top to bottom, pixels from left to right, the
/// three channels side by side ("HWC"). Never empty.
#[derive(Clone, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Image {
    /// An image of `width` x `height` pixels; `rgb` holds `height * width * 3` bytes.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a side is zero or `rgb` has another length.
    pub fn new(width: usize, height: usize, rgb: Vec<u8>) -> Result<Self> {
        let size = Size::new(width, height);
        if width == 0 || height == 0 {
            return Err(Error::InvalidArgument(format!("an image of {size} has no pixels")));
        }
        if size.pixels().checked_mul(3) != Some(rgb.len()) {
            return Err(Error::InvalidArgument(format!(
                "an image of {size} needs 3 bytes a pixel, not {} bytes in all",
                rgb.len()
            )));
        }
        Ok(Self { width, height, rgb })
    }

    /// Pixels in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Width and height.
    pub fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }

    /// Refuses to set an image of another size beside this one.
    pub(crate) fn check_size_of(&self, other: &Self) -> Result<()> {
        if self.size() == other.size() {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "images of {} and {} cannot be compared",
            self.size(),
            other.size()
        )))
    }

    /// The bytes: `height * width * 3`, channels side by side.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The bytes, without a copy.
    pub fn into_rgb(self) -> Vec<u8> {
        self.rgb
    }

    /// The `width` x `height` pixels whose upper left corner is at column `x`, row `y`.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if that is empty or reaches over the edge.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Result<Self> {
        let fits = |start: usize, length: usize, whole: usize| {
            length > 0 && start.checked_add(length).is_some_and(|end| end <= whole)
        };
        if !fits(x, width, self.width) || !fits(y, height, self.height) {
            return Err(Error::InvalidArgument(format!(
                "cannot crop {} at column {x}, row {y} from an image of {}",
                Size::new(width, height),
                self.size()
            )));
        }
        let mut rgb = Vec::with_capacity(width * height * 3);
        for row in self.rgb.chunks_exact(self.width * 3).skip(y).take(height) {
            rgb.extend_from_slice(&row[x * 3..(x + width) * 3]);
        }
        Ok(Self { width, height, rgb })
    }
}

/// The size only: a failed comparison should not print a million bytes.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({})", self.size())
    }
}

/// An image's bytes plane by plane as floats, `[3, H, W]`, 0 to 255: what metrics and feature networks take.
pub fn byte_planes(image: &Image) -> Vec<f32> {
    let plane = |c: usize| image.rgb()[c..].iter().step_by(3).map(|&b| f32::from(b));
    (0..3).flat_map(plane).collect()
}
