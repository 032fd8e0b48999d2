//! EfficientNet-Lite0 (the TensorFlow team's EfficientNet without squeeze-and-excitation, 2020),
//! with the names of the package `efficientnet_lite_pytorch`.

use burn::tensor::Tensor;

use super::layers::{Linear, Source};
use super::sequential::{Placing, Step, mean_of_places, run};
use crate::Result;
use crate::nn::conv::Activation;

/// The network.
#[derive(Clone, Debug)]
pub struct EfficientNetLite0 {
    steps: Vec<Step>,
    last: Linear,
}

/// Blocks of one shape: kernel, stride of the first, expansion, outputs, how many.
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
    pub fn load(source: &Source) -> Result<Self> {
        let mut steps = vec![layer(source, ["_conv_stem", "_bn0"], [3, 32], 3, 2, Kind::Full)?];
        let (mut inputs, mut number) = (32, 0);
        for (kernel, stride, expansion, outputs, count) in STAGES {
            for i in 0..count {
                let stride = if i == 0 { stride } else { 1 };
                let block = block(source, number, [inputs, outputs], kernel, stride, expansion)?;
                if stride == 1 && inputs == outputs {
                    steps.push(Step::Residual(block));
                } else {
                    steps.extend(block);
                }
                inputs = outputs;
                number += 1;
            }
        }
        let head = ["_conv_head", "_bn1"];
        steps.push(layer(source, head, [inputs, Self::FEATURES], 1, 1, Kind::Full)?);
        Ok(Self {
            steps,
            last: source.linear("_fc", Self::FEATURES, 1000)?,
        })
    }

    /// Images `[B, 3, 1, 224, 224]` of `(byte - 127) / 128` to features `[B, 1280]` and logits
    /// `[B, 1000]`.
    pub fn forward(&self, x: Tensor<5>) -> (Tensor<2>, Tensor<2>) {
        let features = mean_of_places(run(&self.steps, x));
        (features.clone(), self.last.forward(features))
    }
}

/// What kind of convolution.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Full,
    /// Each channel by itself.
    Own,
    /// Without an activation.
    Linear,
}

fn layer(
    source: &Source,
    [convolution, norm]: [&str; 2],
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    kind: Kind,
) -> Result<Step> {
    let (seen, groups) = match kind {
        Kind::Own => (1, inputs),
        _ => (inputs, 1),
    };
    let activation = match kind {
        Kind::Linear => Activation::None,
        _ => Activation::Relu6,
    };
    let shape = [outputs, seen, kernel, kernel];
    let convolution = source.normalized(convolution, norm, shape, groups, activation)?;
    let placing = Placing::Same {
        kernel: [1, kernel, kernel],
        stride: [1, stride, stride],
    };
    Ok(Step::Convolve(Box::new(convolution), placing))
}

/// Expand, look at each channel, and project (Sandler et al., MobileNetV2, 2018).
fn block(
    source: &Source,
    number: usize,
    [inputs, outputs]: [usize; 2],
    kernel: usize,
    stride: usize,
    expansion: usize,
) -> Result<Vec<Step>> {
    let layer = |names: [&str; 2], io, kernel, stride, kind| {
        let [convolution, norm] = names.map(|name| format!("_blocks.{number}.{name}"));
        layer(source, [&convolution, &norm], io, kernel, stride, kind)
    };
    let inner = inputs * expansion;
    let mut steps = Vec::new();
    if expansion > 1 {
        steps.push(layer(["_expand_conv", "_bn0"], [inputs, inner], 1, 1, Kind::Full)?);
    }
    let own = ["_depthwise_conv", "_bn1"];
    steps.push(layer(own, [inner, inner], kernel, stride, Kind::Own)?);
    let project = ["_project_conv", "_bn2"];
    steps.push(layer(project, [inner, outputs], 1, 1, Kind::Linear)?);
    Ok(steps)
}
