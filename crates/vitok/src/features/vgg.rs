//! VGG16 (Simonyan and Zisserman, 2014) up to its last convolution, with two kinds of pools, and
//! AlexNet (Krizhevsky, "One weird trick", 2014): the backbones of the perceptual distances.

use burn::tensor::{Tensor, TensorData};

use super::sequential::{Layer, Padding};
use super::state_dict_loader::StateDictLoader;
use crate::Result;
use crate::nn::conv::{Activation, Convolution};
use crate::nn::window::Window;

/// A network whose inner activations are compared.
#[derive(Clone, Debug)]
pub struct Backbone {
    stages: Vec<Vec<Stage>>,
    channels: Vec<usize>,
}

/// Reflection padding of each side before a blur, in pixels: one more than its filter of 3 needs, as its authors have it.
const BLUR_PADDING: usize = 2;

#[derive(Clone, Debug)]
enum Stage {
    Layer(Layer),
    /// Reflection padding, then a blur of stride 2.
    Blur(Box<Convolution>),
}

impl Backbone {
    /// Channels of each activation.
    pub fn channels(&self) -> &[usize] {
        &self.channels
    }

    /// The activations `[B, C, 1, h, w]` after the last ReLU of each stage, for images `[B, 3, 1, H, W]`.
    pub fn forward(&self, x: Tensor<5>) -> Vec<Tensor<5>> {
        let mut x = x;
        let mut activations = Vec::new();
        for stage in &self.stages {
            for part in stage {
                x = match part {
                    Stage::Layer(layer) => layer.forward(x),
                    Stage::Blur(blur) => blur.forward(reflection_pad(x), Window::square(3, 2, 0)),
                };
            }
            activations.push(x.clone());
        }
        activations
    }

    /// torchvision's VGG16, with the activations `relu1_2`, `relu2_2`, `relu3_3`, `relu4_3` and `relu5_3`.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn vgg16(loader: &StateDictLoader) -> Result<Self> {
        Self::vgg(loader, |_, number| format!("features.{number}"), false)
    }

    /// The VGG16 of ST-LPIPS (Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric",
    /// 2022), whose pools are blurred.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn shift_tolerant_vgg16(loader: &StateDictLoader) -> Result<Self> {
        let name = |stage: usize, number: usize| format!("net.slice{}.{number}", stage + 1);
        Self::vgg(loader, name, true)
    }

    fn vgg(loader: &StateDictLoader, name: impl Fn(usize, usize) -> String, shift_tolerant: bool) -> Result<Self> {
        let channels = [64, 128, 256, 512, 512];
        let (mut number, mut inputs) = (0, 3);
        let mut stages = Vec::new();
        for (s, (&outputs, count)) in channels.iter().zip([2, 2, 3, 3, 3]).enumerate() {
            let mut stage = Vec::new();
            if s > 0 && shift_tolerant {
                stage.push(Stage::Layer(Layer::max_pool(2, 1)));
                let filter = format!("{}.filt", name(s, number + 1));
                stage.push(Stage::Blur(Box::new(blur(loader, &filter, inputs)?)));
                number += 2;
            } else if s > 0 {
                stage.push(Stage::Layer(Layer::max_pool(2, 2)));
                number += 1;
            }
            for _ in 0..count {
                let shape = [outputs, inputs, 3, 3];
                let convolution = loader.conv(&name(s, number), shape, Activation::Relu)?;
                let padding = Padding::Fixed(Window::square(3, 1, 1));
                stage.push(Stage::Layer(Layer::Conv(Box::new(convolution), padding)));
                inputs = outputs;
                number += 2; // the convolution and its ReLU
            }
            stages.push(stage);
        }
        Ok(Self {
            stages,
            channels: channels.to_vec(),
        })
    }

    /// torchvision's AlexNet, with the activations after every ReLU.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn alexnet(loader: &StateDictLoader) -> Result<Self> {
        // Number, outputs, kernel, stride, padding, and whether a pool comes before.
        let layers = [
            (0, 64, 11, 4, 2, false),
            (3, 192, 5, 1, 2, true),
            (6, 384, 3, 1, 1, true),
            (8, 256, 3, 1, 1, false),
            (10, 256, 3, 1, 1, false),
        ];
        let mut inputs = 3;
        let mut stages = Vec::new();
        for (number, outputs, kernel, stride, padding, pool) in layers {
            let mut stage = Vec::new();
            if pool {
                stage.push(Stage::Layer(Layer::max_pool(3, 2)));
            }
            let shape = [outputs, inputs, kernel, kernel];
            let name = format!("features.{number}");
            let convolution = loader.conv(&name, shape, Activation::Relu)?;
            let padding = Padding::Fixed(Window::square(kernel, stride, padding));
            stage.push(Stage::Layer(Layer::Conv(Box::new(convolution), padding)));
            inputs = outputs;
            stages.push(stage);
        }
        Ok(Self {
            stages,
            channels: layers.map(|layer| layer.1).to_vec(),
        })
    }
}

/// A blur filter, the same for each channel, as a depthwise convolution.
fn blur(loader: &StateDictLoader, name: &str, channels: usize) -> Result<Convolution> {
    let weight: Tensor<4> = loader.tensor(name, [channels, 1, 3, 3])?;
    let bias = TensorData::new(vec![0f32; channels], [channels]);
    Ok(Convolution {
        bias: Tensor::from_data(bias, &weight.device()),
        weight: weight.reshape([channels, 1, 1, 3, 3]),
        groups: channels,
        activation: Activation::None,
    })
}

/// Pads height and width by [`BLUR_PADDING`] pixels on each side, reflected about the outermost ones.
fn reflection_pad(x: Tensor<5>) -> Tensor<5> {
    let mut x = x;
    for side in [3, 4] {
        let last = x.dims()[side] - 1;
        // Where there are too few pixels to reflect, the last one stands for those beyond.
        let at = |position: usize| x.clone().narrow(side, position.min(last), 1);
        let before = (1..=BLUR_PADDING).rev().map(at);
        let after = (1..=BLUR_PADDING).map(|i| at(last.saturating_sub(i)));
        let parts = before.chain([x.clone()]).chain(after);
        x = Tensor::cat(parts.collect(), side);
    }
    x
}
