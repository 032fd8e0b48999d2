//! Convolutions and pools over clips `[B, C, T, H, W]`, for the networks that compute features.
//!
//! On the CPU and outside of autodiff graphs they are our kernels; everywhere else Burn's operations.

use burn::tensor::module::{avg_pool2d, conv2d, conv3d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation};

pub use super::activation::Activation;
use super::kernels::{self, on_cpu, to_tensor};
use super::window::{Sides, Window};

/// A convolution with a bias and an activation function.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// `[out_channels, in_channels / groups, kernel T, kernel H, kernel W]`.
    pub weight: Tensor<5>,
    /// `[out_channels]`.
    pub bias: Tensor<1>,
    /// Input and output channels are split into so many groups; an output depends on the inputs of its group.
    pub groups: usize,
    /// What follows.
    pub activation: Activation,
}

impl Convolution {
    /// `[B, in_channels, T, H, W]` to `[B, out_channels, T', H', W']`, with (T', H', W') =
    /// [`window.output_size`](Window::output_size). The window's kernel must be of the weight's size.
    pub fn forward(&self, x: Tensor<5>, window: Window) -> Tensor<5> {
        match self.fused(&x, window) {
            Some(y) => y,
            None => self.composed(x, window),
        }
    }

    /// [`forward`](Self::forward) by our kernels; `None` where they do not support it.
    fn fused(&self, x: &Tensor<5>, window: Window) -> Option<Tensor<5>> {
        let [batch, in_channels, t, h, w] = x.dims();
        let [out_channels, per_group, ..] = self.weight.dims();
        let depthwise = self.groups == in_channels && out_channels == in_channels && per_group == 1;
        if self.groups != 1 && !depthwise {
            return None;
        }
        let (x, weight) = (on_cpu(x)?, on_cpu(&self.weight)?);
        let bias = on_cpu(&self.bias)?;
        let conv = kernels::Conv {
            weight: weight.storage(),
            bias: bias.storage(),
            out_channels,
            in_channels,
            depthwise: depthwise && in_channels > 1,
            window,
            activation: self.activation,
        };
        let [ot, oh, ow] = window.output_size([t, h, w]);
        let values = conv.forward(x.storage(), [t, h, w]);
        Some(to_tensor(values, [batch, out_channels, ot, oh, ow]))
    }

    /// [`forward`](Self::forward), composed of Burn's operations.
    pub fn composed(&self, x: Tensor<5>, window: Window) -> Tensor<5> {
        let bias = Some(self.bias.clone());
        let y = if window.is_2d() {
            let [out_channels, per_group, _, h, w] = self.weight.dims();
            let weight = self.weight.clone().reshape([out_channels, per_group, h, w]);
            let [_, sy, sx] = window.stride;
            let mut options = ConvOptions::new([sy, sx], [0, 0], [1, 1], self.groups);
            options.padding = [1, 2].map(|i| (window.pad_before[i], window.pad_after[i]));
            frames(x, |x| conv2d(x, weight, bias, options))
        } else {
            let options = ConvOptions::new(window.stride, [0; 3], [1; 3], self.groups);
            conv3d(pad(x, &window, 0.0), self.weight.clone(), bias, options)
        };
        activate(self.activation, y)
    }
}

fn activate(function: Activation, x: Tensor<5>) -> Tensor<5> {
    match function {
        Activation::None => x,
        Activation::Relu => activation::relu(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
    }
}

/// The highest value of each window; padding does not count. `[B, C, T, H, W]` to `[B, C, T', H', W']`, with
/// (T', H', W') = [`window.output_size`](Window::output_size).
pub fn max_pool(x: Tensor<5>, window: Window) -> Tensor<5> {
    if let Some(y) = fused_pool(&x, &window, kernels::max_pool) {
        return y;
    }
    max_pool_composed(x, window)
}

/// [`max_pool`], composed of Burn's operations.
pub fn max_pool_composed(x: Tensor<5>, window: Window) -> Tensor<5> {
    let [kt, kh, kw] = window.kernel;
    let [st, sh, sw] = window.stride;
    let x = pad(x, &window, f32::MIN);
    let options = MaxPoolOptions::new([kh, kw]).with_stride([sh, sw]);
    let x = frames(x, |x| max_pool2d(x, options));
    let output = (x.dims()[2] - kt) / st + 1;
    let shifted = (0..kt).map(|shift| {
        let frames: Vec<_> = (0..output).map(|t| x.clone().narrow(2, t * st + shift, 1)).collect();
        Tensor::cat(frames, 2)
    });
    shifted.reduce(Tensor::max_pair).unwrap_or(x.clone())
}

/// The mean of each window, shapes as for [`max_pool`]. `count_padding`: whether padding counts, as zeros, or the mean is
/// over the input's values alone.
pub fn mean_pool(x: Tensor<5>, window: Window, count_padding: bool) -> Tensor<5> {
    let [_, _, t, h, w] = x.dims();
    let Some(sums) = fused_pool(&x, &window, kernels::sum_pool) else {
        return mean_pool_composed(x, window, count_padding);
    };
    if count_padding {
        let count: usize = window.kernel.iter().product();
        return sums / count as f64;
    }
    let device = sums.device();
    let ones = Tensor::ones([1, 1, t, h, w], &device);
    match fused_pool(&ones, &window, kernels::sum_pool) {
        Some(counts) => sums / counts,
        None => mean_pool_composed(x, window, count_padding),
    }
}

/// [`mean_pool`], composed of Burn's operations, for windows on images.
pub fn mean_pool_composed(x: Tensor<5>, window: Window, count_padding: bool) -> Tensor<5> {
    let [_, kh, kw] = window.kernel;
    let [_, sh, sw] = window.stride;
    let mut options = AvgPoolOptions::new([kh, kw]).with_stride([sh, sw]);
    options.padding = [1, 2].map(|i| (window.pad_before[i], window.pad_after[i]));
    options.count_include_pad = count_padding;
    frames(x, |x| avg_pool2d(x, options))
}

/// A pool by our kernels; `None` where they do not support it.
fn fused_pool(x: &Tensor<5>, window: &Window, pool: fn(&[f32], Sides, &Window) -> Vec<f32>) -> Option<Tensor<5>> {
    let [batch, channels, t, h, w] = x.dims();
    let x = on_cpu(x)?;
    let [ot, oh, ow] = window.output_size([t, h, w]);
    let values = pool(x.storage(), [t, h, w], window);
    Some(to_tensor(values, [batch, channels, ot, oh, ow]))
}

/// `f` of every frame, as of an image `[C, H, W]`.
fn frames(x: Tensor<5>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<5> {
    let [b, c, t, h, w] = x.dims();
    let y = f(x.swap_dims(1, 2).reshape([b * t, c, h, w]));
    let [_, c, h, w] = y.dims();
    y.reshape([b, t, c, h, w]).swap_dims(1, 2)
}

/// `x` with the window's padding, filled with `value`.
fn pad(mut x: Tensor<5>, window: &Window, value: f32) -> Tensor<5> {
    for i in 0..3 {
        let device = x.device();
        let edge = |count: usize, mut shape: [usize; 5]| {
            shape[2 + i] = count;
            (count > 0).then(|| Tensor::full(shape, value, &device))
        };
        let shape = x.dims();
        let (before, after) = (edge(window.pad_before[i], shape), edge(window.pad_after[i], shape));
        let parts: Vec<_> = before.into_iter().chain([x]).chain(after).collect();
        x = Tensor::cat(parts, 2 + i);
    }
    x
}
