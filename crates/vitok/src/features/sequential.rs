//! A network as a list of steps.

use burn::tensor::Tensor;

use crate::nn::conv::{Convolution, max_pool, mean_pool};
use crate::nn::window::{Sides, Window};

/// Where a kernel or pool goes.
#[derive(Clone, Copy, Debug)]
pub enum Placing {
    /// With the same padding for clips of all sizes.
    Fixed(Window),
    /// With TensorFlow's "SAME" padding.
    Same { kernel: Sides, stride: Sides },
}

impl Placing {
    fn window(&self, x: &Tensor<5>) -> Window {
        match *self {
            Placing::Fixed(window) => window,
            Placing::Same { kernel, stride } => {
                let [_, _, t, h, w] = x.dims();
                Window::same(kernel, stride, [t, h, w])
            }
        }
    }
}

/// One step, from clips `[B, C, T, H, W]` to clips.
#[derive(Clone, Debug)]
pub enum Step {
    /// A convolution and what follows it.
    Convolve(Box<Convolution>, Placing),
    /// The highest of each window.
    MaxPool(Placing),
    /// The mean of each window; `true`: padding counts.
    MeanPool(Window, bool),
    /// Several ways from the same input, their channels one after the other.
    Branches(Vec<Vec<Step>>),
    /// Adds its input to what its steps make of it.
    Residual(Vec<Step>),
}

impl Step {
    /// A max pool on images without padding.
    pub fn max_pool(kernel: usize, stride: usize) -> Self {
        Self::MaxPool(Placing::Fixed(Window::square(kernel, stride, 0)))
    }

    fn apply(&self, x: Tensor<5>) -> Tensor<5> {
        match self {
            Step::Convolve(convolution, placing) => {
                let window = placing.window(&x);
                convolution.forward(x, window)
            }
            Step::MaxPool(placing) => {
                let window = placing.window(&x);
                max_pool(x, window)
            }
            Step::MeanPool(window, count_padding) => mean_pool(x, *window, *count_padding),
            Step::Branches(ways) => {
                let ends = ways.iter().map(|way| run(way, x.clone()));
                Tensor::cat(ends.collect(), 1)
            }
            Step::Residual(steps) => run(steps, x.clone()) + x,
        }
    }
}

/// Takes `steps` one after the other.
pub fn run(steps: &[Step], x: Tensor<5>) -> Tensor<5> {
    steps.iter().fold(x, |x, step| step.apply(x))
}

/// The mean over all places, `[B, C]`.
pub fn mean_of_places(x: Tensor<5>) -> Tensor<2> {
    let [b, c, t, h, w] = x.dims();
    x.reshape([b, c, t * h * w]).mean_dim(2).reshape([b, c])
}
