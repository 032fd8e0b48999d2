//! Networks as lists of layers.

use burn::tensor::Tensor;

use crate::nn::conv::{Convolution, max_pool, mean_pool};
use crate::nn::window::{Sides, Window};

/// Layers one after the other, from clips `[B, C, T, H, W]` to clips.
#[derive(Clone, Debug, Default)]
pub struct Sequential(pub Vec<Layer>);

/// Kernel, stride and padding of a convolution or pool.
#[derive(Clone, Copy, Debug)]
pub enum Padding {
    /// The same for clips of all sizes.
    Fixed(Window),
    /// TensorFlow's "SAME" padding, which depends on the clip's size.
    Same { kernel: Sides, stride: Sides },
}

/// A layer, from clips `[B, C, T, H, W]` to clips.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A convolution and its activation.
    Conv(Box<Convolution>, Padding),
    /// The maximum of each window.
    MaxPool(Padding),
    /// The mean of each window; `true`: padding counts as zeros.
    AvgPool(Window, bool),
    /// The outputs of branches from the same input, concatenated along their channels.
    Branches(Vec<Sequential>),
    /// `x + f(x)`.
    Residual(Sequential),
}

impl Sequential {
    /// Clips `[B, C, T, H, W]` to clips.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.0.iter().fold(x, |x, layer| layer.forward(x))
    }
}

impl Layer {
    /// A max pool on images without padding.
    pub fn max_pool(kernel: usize, stride: usize) -> Self {
        Self::MaxPool(Padding::Fixed(Window::square(kernel, stride, 0)))
    }

    /// [`Layer::Branches`] of lists of layers.
    pub fn branches(branches: Vec<Vec<Layer>>) -> Self {
        Self::Branches(branches.into_iter().map(Sequential).collect())
    }

    /// Clips `[B, C, T, H, W]` to clips.
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        match self {
            Layer::Conv(convolution, padding) => {
                let window = padding.window(&x);
                convolution.forward(x, window)
            }
            Layer::MaxPool(padding) => {
                let window = padding.window(&x);
                max_pool(x, window)
            }
            Layer::AvgPool(window, count_padding) => mean_pool(x, *window, *count_padding),
            Layer::Branches(branches) => {
                let outputs = branches.iter().map(|branch| branch.forward(x.clone()));
                Tensor::cat(outputs.collect(), 1)
            }
            Layer::Residual(layers) => layers.forward(x.clone()) + x,
        }
    }
}

impl Padding {
    fn window(&self, x: &Tensor<5>) -> Window {
        match *self {
            Padding::Fixed(window) => window,
            Padding::Same { kernel, stride } => {
                let [_, _, t, h, w] = x.dims();
                Window::same(kernel, stride, [t, h, w])
            }
        }
    }
}

/// The mean over all positions: `[B, C, T, H, W]` to `[B, C]`.
pub fn global_avg_pool(x: Tensor<5>) -> Tensor<2> {
    let [b, c, t, h, w] = x.dims();
    x.reshape([b, c, t * h * w]).mean_dim(2).reshape([b, c])
}
