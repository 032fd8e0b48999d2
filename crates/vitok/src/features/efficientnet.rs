//! EfficientNet-Lite0 (Tan and Le, "EfficientNet", 2019, in the TensorFlow team's build of 2020 without
//! squeeze-and-excitation), with the names of the package `efficientnet_lite_pytorch`.

use burn::tensor::Tensor;

use super::linear::Linear;
use super::sequential::{Layer, Padding, Sequential, global_avg_pool};
use super::state_dict_loader::StateDictLoader;
use crate::Result;
use crate::nn::conv::Activation;

/// The network.
#[derive(Clone, Debug)]
pub struct EfficientNetLite0 {
    layers: Sequential,
    classifier: Linear,
}

/// Stages of blocks: kernel, stride of the first block, expansion, outputs, number of blocks.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];

impl EfficientNetLite0 {
    /// Width and height of the images it takes.
    pub const SIDE: usize = 224;

    /// Features of an image.
    pub const FEATURES: usize = 1280;

    /// The network of a weight file.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn load(loader: &StateDictLoader) -> Result<Self> {
        let mut layers = vec![conv(loader, ["_conv_stem", "_bn0"], [3, 32], 3, 2, Kind::Full)?];
        let (mut inputs, mut number) = (32, 0);
        for (kernel, stride, expansion, outputs, count) in STAGES {
            for i in 0..count {
                let stride = if i == 0 { stride } else { 1 };
                let block = inverted_residual(loader, number, [inputs, outputs], kernel, stride, expansion)?;
                if stride == 1 && inputs == outputs {
                    layers.push(Layer::Residual(Sequential(block)));
                } else {
                    layers.extend(block);
                }
                inputs = outputs;
                number += 1;
            }
        }
        let head = ["_conv_head", "_bn1"];
        layers.push(conv(loader, head, [inputs, Self::FEATURES], 1, 1, Kind::Full)?);
        Ok(Self {
            layers: Sequential(layers),
            classifier: loader.linear("_fc", Self::FEATURES, 1000)?,
        })
    }

    /// Images `[B, 3, 1, 224, 224]` of `(byte - 127) / 128` to features `[B, 1280]` and logits
    /// `[B, 1000]`.
    pub fn forward(&self, x: Tensor<5>) -> (Tensor<2>, Tensor<2>) {
        let features = global_avg_pool(self.layers.forward(x));
        (features.clone(), self.classifier.forward(features))
    }
}

/// What kind of convolution.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Over all channels, with a ReLU6.
    Full,
    /// Depthwise (each channel by itself), with a ReLU6.
    Depthwise,
    /// Over all channels, without an activation.
    Linear,
}

/// A convolution with batch norm.
fn conv(
    loader: &StateDictLoader,
    [conv, norm]: [&str; 2],
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    kind: Kind,
) -> Result<Layer> {
    let (group_inputs, groups) = match kind {
        Kind::Depthwise => (1, inputs),
        _ => (inputs, 1),
    };
    let activation = match kind {
        Kind::Linear => Activation::None,
        _ => Activation::Relu6,
    };
    let shape = [outputs, group_inputs, kernel, kernel];
    let convolution = loader.conv_bn(conv, norm, shape, groups, activation)?;
    let padding = Padding::Same {
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
    };
    Ok(Layer::Conv(Box::new(convolution), padding))
}

/// A pointwise expansion, a depthwise convolution and a pointwise projection: the inverted residual block of Sandler et
/// al., "MobileNetV2", 2018, section 3.3, without its residual.
fn inverted_residual(
    loader: &StateDictLoader,
    number: usize,
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    expansion: usize,
) -> Result<Vec<Layer>> {
    let layer = |names: [&str; 2], io, kernel, stride, kind| {
        let [name, norm] = names.map(|name| format!("_blocks.{number}.{name}"));
        conv(loader, [&name, &norm], io, kernel, stride, kind)
    };
    let inner = inputs * expansion;
    let mut layers = Vec::new();
    if expansion > 1 {
        layers.push(layer(["_expand_conv", "_bn0"], [inputs, inner], 1, 1, Kind::Full)?);
    }
    let depthwise = ["_depthwise_conv", "_bn1"];
    layers.push(layer(depthwise, [inner, inner], kernel, stride, Kind::Depthwise)?);
    let project = ["_project_conv", "_bn2"];
    layers.push(layer(project, [inner, outputs], 1, 1, Kind::Linear)?);
    Ok(layers)
}
