//! The window of a convolution or pool: its size, stride and padding.

/// Sizes along time, height and width.
pub type Sides = [usize; 3];

/// Size, stride and padding of a kernel along time, height and width. Images are clips of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Size of the kernel.
    pub kernel: Sides,
    /// From output position to output position.
    pub stride: Sides,
    /// Padding before the first frame, row and column.
    pub pad_before: Sides,
    /// Padding after the last frame, row and column.
    pub pad_after: Sides,
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
            pad_before: padding,
            pad_after: padding,
        }
    }

    /// TensorFlow's "SAME" padding for inputs of this size: outputs of size `ceil(input / stride)`, half of the padding
    /// on each side, an odd one at the end.
    pub fn same(kernel: Sides, stride: Sides, input: Sides) -> Self {
        let padding = |i: usize| {
            let output = input[i].div_ceil(stride[i]).max(1);
            ((output - 1) * stride[i] + kernel[i]).saturating_sub(input[i])
        };
        Self {
            kernel,
            stride,
            pad_before: [0, 1, 2].map(|i| padding(i) / 2),
            pad_after: [0, 1, 2].map(|i| padding(i).div_ceil(2)),
        }
    }

    /// Size of the input with its padding.
    pub fn padded_size(&self, input: Sides) -> Sides {
        [0, 1, 2].map(|i| self.pad_before[i] + input[i] + self.pad_after[i])
    }

    /// Size of the output: output positions along each axis; 0 along one that is too small.
    pub fn output_size(&self, input: Sides) -> Sides {
        let padded = self.padded_size(input);
        [0, 1, 2].map(|i| match padded[i].checked_sub(self.kernel[i]) {
            Some(rest) => rest / self.stride[i] + 1,
            None => 0,
        })
    }

    /// Whether it covers one frame at a time, so that frames can be taken as images.
    pub fn is_2d(&self) -> bool {
        self.kernel[0] == 1 && self.stride[0] == 1 && self.pad_before[0] + self.pad_after[0] == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_gives_an_output_for_every_stride() {
        for (side, kernel, stride) in [(224, 7, 2), (112, 3, 2), (7, 2, 1), (5, 3, 1), (1, 3, 2)] {
            let window = Window::same([kernel; 3], [stride; 3], [side; 3]);
            assert_eq!(window.output_size([side; 3]), [side.div_ceil(stride); 3]);
            assert!(window.pad_after[0] - window.pad_before[0] <= 1);
        }
    }
}
