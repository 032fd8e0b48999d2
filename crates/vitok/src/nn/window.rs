//! How a kernel or a pool goes over a clip.

/// Sizes along time, height and width.
pub type Sides = [usize; 3];

/// A kernel's size, steps and padding along time, height and width. Images are clips of one
/// frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size.
    pub kernel: Sides,
    /// From place to place.
    pub stride: Sides,
    /// Padding before the first frame, row and column.
    pub before: Sides,
    /// Padding after the last.
    pub after: Sides,
}

impl Window {
    /// A square window on images, with as much padding on every side.
    pub fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self::rectangle([kernel, kernel], stride, [padding, padding])
    }

    /// A window on images: size and padding along height and width.
    pub fn rectangle(kernel: [usize; 2], stride: usize, padding: [usize; 2]) -> Self {
        let padding = [0, padding[0], padding[1]];
        Self {
            kernel: [1, kernel[0], kernel[1]],
            stride: [1, stride, stride],
            before: padding,
            after: padding,
        }
    }

    /// TensorFlow's "SAME" padding for a clip of this size: one place for every `stride` values,
    /// what is missing shared between both ends, the odd one at the end.
    pub fn same(kernel: Sides, stride: Sides, clip: Sides) -> Self {
        let missing = |i: usize| {
            let places = clip[i].div_ceil(stride[i]).max(1);
            ((places - 1) * stride[i] + kernel[i]).saturating_sub(clip[i])
        };
        Self {
            kernel,
            stride,
            before: [0, 1, 2].map(|i| missing(i) / 2),
            after: [0, 1, 2].map(|i| missing(i).div_ceil(2)),
        }
    }

    /// A clip's sides with the padding.
    pub fn padded(&self, clip: Sides) -> Sides {
        [0, 1, 2].map(|i| self.before[i] + clip[i] + self.after[i])
    }

    /// Places of the window in a clip; 0 along a side that is too small.
    pub fn places(&self, clip: Sides) -> Sides {
        let padded = self.padded(clip);
        [0, 1, 2].map(|i| match padded[i].checked_sub(self.kernel[i]) {
            Some(rest) => rest / self.stride[i] + 1,
            None => 0,
        })
    }

    /// Whether it looks at one frame at a time, so that frames are as good as images.
    pub fn is_flat(&self) -> bool {
        self.kernel[0] == 1 && self.stride[0] == 1 && self.before[0] + self.after[0] == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_gives_a_place_for_every_stride() {
        for (side, kernel, stride) in [(224, 7, 2), (112, 3, 2), (7, 2, 1), (5, 3, 1), (1, 3, 2)] {
            let window = Window::same([kernel; 3], [stride; 3], [side; 3]);
            assert_eq!(window.places([side; 3]), [side.div_ceil(stride); 3]);
            assert!(window.after[0] - window.before[0] <= 1);
        }
    }
}
