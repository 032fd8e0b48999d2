//! VGG16 (Simonyan and Zisserman, 2014) up to its last convolution, with two kinds of pools, and
//! AlexNet (Krizhevsky, "One weird trick", 2014): the trunks of the perceptual distances.

use burn::tensor::{Tensor, TensorData};

use super::layers::Source;
use super::sequential::{Placing, Step, run};
use crate::Result;
use crate::nn::conv::{Activation, Convolution};
use crate::nn::window::Window;

/// A network whose inner maps are compared.
#[derive(Clone, Debug)]
pub struct Backbone {
    stages: Vec<Vec<Stage>>,
    channels: Vec<usize>,
}

/// Pixels on each side before a blur: one more than its filter reaches, as its authors have it.
const BORDER: usize = 2;

#[derive(Clone, Debug)]
enum Stage {
    Step(Step),
    /// A mirrored border, then a blur of every other place.
    Blur(Box<Convolution>),
}

impl Backbone {
    /// Channels of each tap.
    pub fn channels(&self) -> &[usize] {
        &self.channels
    }

    /// The maps after the last ReLU of each stage, for images `[B, 3, 1, H, W]`.
    pub fn forward(&self, x: Tensor<5>) -> Vec<Tensor<5>> {
        let mut x = x;
        let mut activations = Vec::new();
        for stage in &self.stages {
            for part in stage {
                x = match part {
                    Stage::Step(step) => run(std::slice::from_ref(step), x),
                    Stage::Blur(blur) => blur.forward(mirrored(x), Window::square(3, 2, 0)),
                };
            }
            activations.push(x.clone());
        }
        activations
    }

    /// torchvision's VGG16, tapped after `relu1_2`, `relu2_2`, `relu3_3`, `relu4_3` and `relu5_3`.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn vgg16(source: &Source) -> Result<Self> {
        Self::vgg(source, |_, number| format!("features.{number}"), false)
    }

    /// The VGG16 of ST-LPIPS (Ghildyal and Liu, "Shift-tolerant Perceptual Similarity Metric",
    /// 2022), whose pools are blurred.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn shift_tolerant_vgg16(source: &Source) -> Result<Self> {
        let name = |stage: usize, number: usize| format!("net.slice{}.{number}", stage + 1);
        Self::vgg(source, name, true)
    }

    fn vgg(source: &Source, name: impl Fn(usize, usize) -> String, shift_tolerant: bool) -> Result<Self> {
        let channels = [64, 128, 256, 512, 512];
        let (mut number, mut inputs) = (0, 3);
        let mut stages = Vec::new();
        for (s, (&outputs, count)) in channels.iter().zip([2, 2, 3, 3, 3]).enumerate() {
            let mut stage = Vec::new();
            if s > 0 && shift_tolerant {
                stage.push(Stage::Step(Step::max_pool(2, 1)));
                let filter = format!("{}.filt", name(s, number + 1));
                stage.push(Stage::Blur(Box::new(blur(source, &filter, inputs)?)));
                number += 2;
            } else if s > 0 {
                stage.push(Stage::Step(Step::max_pool(2, 2)));
                number += 1;
            }
            for _ in 0..count {
                let shape = [outputs, inputs, 3, 3];
                let convolution = source.convolution(&name(s, number), shape, Activation::Relu)?;
                let placing = Placing::Fixed(Window::square(3, 1, 1));
                stage.push(Stage::Step(Step::Convolve(Box::new(convolution), placing)));
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

    /// torchvision's AlexNet, tapped after every ReLU.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn alexnet(source: &Source) -> Result<Self> {
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
                stage.push(Stage::Step(Step::max_pool(3, 2)));
            }
            let shape = [outputs, inputs, kernel, kernel];
            let name = format!("features.{number}");
            let convolution = source.convolution(&name, shape, Activation::Relu)?;
            let placing = Placing::Fixed(Window::square(kernel, stride, padding));
            stage.push(Stage::Step(Step::Convolve(Box::new(convolution), placing)));
            inputs = outputs;
            stages.push(stage);
        }
        Ok(Self {
            stages,
            channels: layers.map(|layer| layer.1).to_vec(),
        })
    }
}

/// The filter, the same for each channel, as a convolution.
fn blur(source: &Source, name: &str, channels: usize) -> Result<Convolution> {
    let weight: Tensor<4> = source.tensor(name, [channels, 1, 3, 3])?;
    let bias = TensorData::new(vec![0f32; channels], [channels]);
    Ok(Convolution {
        bias: Tensor::from_data(bias, &weight.device()),
        weight: weight.reshape([channels, 1, 1, 3, 3]),
        groups: channels,
        activation: Activation::None,
    })
}

/// Adds a border of [`BORDER`] pixels, mirrored about the outermost ones.
fn mirrored(x: Tensor<5>) -> Tensor<5> {
    let mut x = x;
    for side in [3, 4] {
        let last = x.dims()[side] - 1;
        // Where there are too few pixels to mirror the last one stands for those beyond.
        let at = |place: usize| x.clone().narrow(side, place.min(last), 1);
        let before = (1..=BORDER).rev().map(at);
        let after = (1..=BORDER).map(|i| at(last.saturating_sub(i)));
        let parts = before.chain([x.clone()]).chain(after);
        x = Tensor::cat(parts.collect(), side);
    }
    x
}
