//! Convolutions and pools over clips `[B, C, T, H, W]`, for the networks that features come from.
//!
//! On the CPU and without a history they are kernels of ours; everywhere else Burn's operations.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::module::{avg_pool2d, conv2d, conv3d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Tensor, TensorData};

use super::kernels::conv::{Convolve, max_pool as fused_max_pool, sum_pool as fused_sum_pool};
use super::kernels::on_cpu;
use super::window::{Sides, Window};

/// What follows a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0).
    Relu,
    /// max(x, 0), at most 6.
    Relu6,
}

impl Activation {
    /// Adds `bias`, and applies itself.
    #[inline(always)]
    pub(super) fn apply(self, values: &mut [f32], bias: f32) {
        // Comparisons that let a NaN through.
        let positive = |x: f32| if x < 0.0 { 0.0 } else { x };
        match self {
            Activation::None => values.iter_mut().for_each(|v| *v += bias),
            Activation::Relu => values.iter_mut().for_each(|v| *v = positive(*v + bias)),
            Activation::Relu6 => values.iter_mut().for_each(|v| {
                let x = positive(*v + bias);
                *v = if x > 6.0 { 6.0 } else { x };
            }),
        }
    }

    fn of<const D: usize>(self, x: Tensor<D>) -> Tensor<D> {
        match self {
            Activation::None => x,
            Activation::Relu => burn::tensor::activation::relu(x),
            Activation::Relu6 => x.clamp(0.0, 6.0),
        }
    }
}

/// A convolution with a bias and what follows it.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// `[outputs, inputs of a group, T, H, W]` of the kernel.
    pub weight: Tensor<5>,
    /// `[outputs]`.
    pub bias: Tensor<1>,
    /// Inputs and outputs fall into so many groups; outputs see those of theirs.
    pub groups: usize,
    /// What follows.
    pub activation: Activation,
}

impl Convolution {
    /// `[B, inputs, T, H, W]` to `[B, outputs, places]`; the kernel is the weight's, whatever
    /// `window` says of its size.
    pub fn forward(&self, x: Tensor<5>, window: Window) -> Tensor<5> {
        match self.fused(&x, window) {
            Some(y) => y,
            None => self.composed(x, window),
        }
    }

    fn fused(&self, x: &Tensor<5>, window: Window) -> Option<Tensor<5>> {
        let [batch, inputs, t, h, w] = x.dims();
        let [outputs, per_group, ..] = self.weight.dims();
        let own = self.groups == inputs && outputs == inputs && per_group == 1;
        if self.groups != 1 && !own {
            return None;
        }
        let (x, weight) = (on_cpu(x)?, on_cpu(&self.weight)?);
        let bias = on_cpu(&self.bias)?;
        let convolve = Convolve {
            weight: weight.storage(),
            bias: bias.storage(),
            outputs,
            inputs,
            own: own && inputs > 1,
            window,
            activation: self.activation,
        };
        let [pt, ph, pw] = window.places([t, h, w]);
        let values = convolve.run(x.storage(), [t, h, w]);
        Some(tensor(values, [batch, outputs, pt, ph, pw]))
    }

    /// [`forward`](Self::forward) of Burn's operations.
    pub fn composed(&self, x: Tensor<5>, window: Window) -> Tensor<5> {
        let bias = Some(self.bias.clone());
        let y = if window.is_flat() {
            let [outputs, per_group, _, h, w] = self.weight.dims();
            let weight = self.weight.clone().reshape([outputs, per_group, h, w]);
            let [_, sy, sx] = window.stride;
            let mut options = ConvOptions::new([sy, sx], [0, 0], [1, 1], self.groups);
            options.padding = [1, 2].map(|i| (window.before[i], window.after[i]));
            frames(x, |x| conv2d(x, weight, bias, options))
        } else {
            let options = ConvOptions::new(window.stride, [0; 3], [1; 3], self.groups);
            conv3d(pad(x, &window, 0.0), self.weight.clone(), bias, options)
        };
        self.activation.of(y)
    }
}

/// The highest value of each window; padding does not count.
pub fn max_pool(x: Tensor<5>, window: Window) -> Tensor<5> {
    if let Some(y) = pooled(&x, &window, fused_max_pool) {
        return y;
    }
    max_pool_composed(x, window)
}

/// [`max_pool`] of Burn's operations.
pub fn max_pool_composed(x: Tensor<5>, window: Window) -> Tensor<5> {
    let [kt, kh, kw] = window.kernel;
    let [st, sh, sw] = window.stride;
    let x = pad(x, &window, f32::MIN);
    let options = MaxPoolOptions::new([kh, kw]).with_stride([sh, sw]);
    let x = frames(x, |x| max_pool2d(x, options));
    let places = (x.dims()[2] - kt) / st + 1;
    let taps = (0..kt).map(|tap| {
        let at: Vec<_> = (0..places).map(|p| x.clone().narrow(2, p * st + tap, 1)).collect();
        Tensor::cat(at, 2)
    });
    taps.reduce(Tensor::max_pair).unwrap_or(x.clone())
}

/// The mean of each window. `count_padding`: whether padding counts, as zeros, or the mean is over
/// what there is.
pub fn mean_pool(x: Tensor<5>, window: Window, count_padding: bool) -> Tensor<5> {
    let [_, _, t, h, w] = x.dims();
    let Some(sums) = pooled(&x, &window, fused_sum_pool) else {
        return mean_pool_composed(x, window, count_padding);
    };
    if count_padding {
        let count: usize = window.kernel.iter().product();
        return sums / count as f64;
    }
    let device = sums.device();
    let ones = Tensor::ones([1, 1, t, h, w], &device);
    match pooled(&ones, &window, fused_sum_pool) {
        Some(counts) => sums / counts,
        None => mean_pool_composed(x, window, count_padding),
    }
}

/// [`mean_pool`] of Burn's operations, for windows on images.
pub fn mean_pool_composed(x: Tensor<5>, window: Window, count_padding: bool) -> Tensor<5> {
    let [_, kh, kw] = window.kernel;
    let [_, sh, sw] = window.stride;
    let mut options = AvgPoolOptions::new([kh, kw]).with_stride([sh, sw]);
    options.padding = [1, 2].map(|i| (window.before[i], window.after[i]));
    options.count_include_pad = count_padding;
    frames(x, |x| avg_pool2d(x, options))
}

fn pooled(x: &Tensor<5>, window: &Window, pool: fn(&[f32], Sides, &Window) -> Vec<f32>) -> Option<Tensor<5>> {
    let [batch, channels, t, h, w] = x.dims();
    let x = on_cpu(x)?;
    let [pt, ph, pw] = window.places([t, h, w]);
    let values = pool(x.storage(), [t, h, w], window);
    Some(tensor(values, [batch, channels, pt, ph, pw]))
}

fn tensor(values: Vec<f32>, shape: [usize; 5]) -> Tensor<5> {
    let values = FlexTensor::from_data(TensorData::new(values, shape));
    Tensor::from_primitive::<Flex>(values)
}

/// Does something to every frame as to an image.
fn frames(x: Tensor<5>, f: impl FnOnce(Tensor<4>) -> Tensor<4>) -> Tensor<5> {
    let [b, c, t, h, w] = x.dims();
    let y = f(x.swap_dims(1, 2).reshape([b * t, c, h, w]));
    let [_, c, h, w] = y.dims();
    y.reshape([b, t, c, h, w]).swap_dims(1, 2)
}

fn pad(mut x: Tensor<5>, window: &Window, value: f32) -> Tensor<5> {
    for i in 0..3 {
        let device = x.device();
        let edge = |count: usize, mut shape: [usize; 5]| {
            shape[2 + i] = count;
            (count > 0).then(|| Tensor::full(shape, value, &device))
        };
        let shape = x.dims();
        let (before, after) = (edge(window.before[i], shape), edge(window.after[i], shape));
        let parts: Vec<_> = before.into_iter().chain([x]).chain(after).collect();
        x = Tensor::cat(parts, 2 + i);
    }
    x
}
