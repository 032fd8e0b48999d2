//! Inception v3 (Szegedy et al., "Rethinking the Inception Architecture", 2016), in two builds that
//! give different numbers: torchvision's, and the port of the 2015 TensorFlow graph in pytorch-fid,
//! which is the network of the standard FID.

use burn::tensor::Tensor;

use super::linear::Linear;
use super::sequential::{Layer, Padding, Sequential, global_avg_pool};
use super::state_dict_loader::StateDictLoader;
use crate::Result;
use crate::nn::conv::Activation;
use crate::nn::window::Window;

/// Which build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InceptionBuild {
    /// pytorch-fid's port: average pools leave padding out, the last block has a max pool, 1008 logits.
    Fid,
    /// torchvision's: 1000 logits.
    Torchvision,
}

/// The network.
#[derive(Clone, Debug)]
pub struct Inception {
    /// Up to each of the activations 64, 192 and 768 of pytorch-fid, and up to the last map.
    parts: [Sequential; 4],
    classifier: Linear,
}

/// What the network makes of images.
pub struct InceptionOutput {
    /// Means over positions of three inner activations: `[B, 64]`, `[B, 192]`, `[B, 768]`.
    pub inner: [Tensor<2>; 3],
    /// `[B, 2048]`: the features of the Frechet distance.
    pub features: Tensor<2>,
    /// `[B, 1008]` or `[B, 1000]`.
    pub logits: Tensor<2>,
}

impl Inception {
    /// Width and height of the images it takes.
    pub const SIDE: usize = 299;

    /// Features of an image.
    pub const FEATURES: usize = 2048;

    /// The network of a weight file, with the names of torchvision.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] for weights of another network.
    pub fn load(loader: &StateDictLoader, build: InceptionBuild) -> Result<Self> {
        let b = Builder { loader, build };
        let conv = |name: &str, io, kernel, stride, padding| {
            b.rectangle(name, io, [kernel, kernel], stride, [padding, padding])
        };
        let stem = vec![
            conv("Conv2d_1a_3x3", [3, 32], 3, 2, 0)?,
            conv("Conv2d_2a_3x3", [32, 32], 3, 1, 0)?,
            conv("Conv2d_2b_3x3", [32, 64], 3, 1, 1)?,
            Layer::max_pool(3, 2),
        ];
        let second = vec![
            conv("Conv2d_3b_1x1", [64, 80], 1, 1, 0)?,
            conv("Conv2d_4a_3x3", [80, 192], 3, 1, 0)?,
            Layer::max_pool(3, 2),
        ];
        let middle = vec![
            b.block_a("Mixed_5b", 192, 32)?,
            b.block_a("Mixed_5c", 256, 64)?,
            b.block_a("Mixed_5d", 288, 64)?,
            b.block_b("Mixed_6a", 288)?,
            b.block_c("Mixed_6b", 128)?,
            b.block_c("Mixed_6c", 160)?,
            b.block_c("Mixed_6d", 160)?,
            b.block_c("Mixed_6e", 192)?,
        ];
        let last_pool = match build {
            InceptionBuild::Fid => Layer::MaxPool(Padding::Fixed(Window::square(3, 1, 1))),
            InceptionBuild::Torchvision => b.avg_pool(),
        };
        let end = vec![
            b.block_d("Mixed_7a")?,
            b.block_e("Mixed_7b", 1280, b.avg_pool())?,
            b.block_e("Mixed_7c", 2048, last_pool)?,
        ];
        let classes = match build {
            InceptionBuild::Fid => 1008,
            InceptionBuild::Torchvision => 1000,
        };
        Ok(Self {
            parts: [stem, second, middle, end].map(Sequential),
            classifier: loader.linear("fc", Self::FEATURES, classes)?,
        })
    }

    /// Images `[B, 3, 1, 299, 299]` in [-1, 1].
    pub fn forward(&self, x: Tensor<5>) -> InceptionOutput {
        let [stem, second, middle, end] = &self.parts;
        let a = stem.forward(x);
        let b = second.forward(a.clone());
        let c = middle.forward(b.clone());
        let features = global_avg_pool(end.forward(c.clone()));
        InceptionOutput {
            inner: [a, b, c].map(global_avg_pool),
            logits: self.classifier.forward(features.clone()),
            features,
        }
    }

    /// Features `[B, 2048]` to logits without the last layer's bias: what the Inception Score's first
    /// program and torch-fidelity take.
    pub fn logits_without_bias(&self, features: &Tensor<2>) -> Tensor<2> {
        self.classifier.without_bias(features.clone())
    }
}

struct Builder<'a> {
    loader: &'a StateDictLoader,
    build: InceptionBuild,
}

impl Builder<'_> {
    fn rectangle(
        &self,
        name: &str,
        [inputs, outputs]: [usize; 2],
        kernel: [usize; 2],
        stride: usize,
        padding: [usize; 2],
    ) -> Result<Layer> {
        let convolution = self.loader.conv_bn(
            &format!("{name}.conv"),
            &format!("{name}.bn"),
            [outputs, inputs, kernel[0], kernel[1]],
            1,
            Activation::Relu,
        )?;
        let window = Window::rectangle(kernel, stride, padding);
        Ok(Layer::Conv(Box::new(convolution), Padding::Fixed(window)))
    }

    /// A convolution whose output has the size of its input.
    fn same(&self, name: &str, io: [usize; 2], kernel: [usize; 2]) -> Result<Layer> {
        self.rectangle(name, io, kernel, 1, kernel.map(|side| side / 2))
    }

    /// A convolution without padding of stride 2.
    fn half(&self, name: &str, io: [usize; 2]) -> Result<Layer> {
        self.rectangle(name, io, [3, 3], 2, [0, 0])
    }

    fn avg_pool(&self) -> Layer {
        let counts_padding = self.build == InceptionBuild::Torchvision;
        Layer::AvgPool(Window::square(3, 1, 1), counts_padding)
    }

    fn block_a(&self, block: &str, inputs: usize, pooled: usize) -> Result<Layer> {
        let conv = |name: &str, io, kernel| self.same(&format!("{block}.{name}"), io, [kernel, kernel]);
        Ok(Layer::branches(vec![
            vec![conv("branch1x1", [inputs, 64], 1)?],
            vec![conv("branch5x5_1", [inputs, 48], 1)?, conv("branch5x5_2", [48, 64], 5)?],
            vec![
                conv("branch3x3dbl_1", [inputs, 64], 1)?,
                conv("branch3x3dbl_2", [64, 96], 3)?,
                conv("branch3x3dbl_3", [96, 96], 3)?,
            ],
            vec![self.avg_pool(), conv("branch_pool", [inputs, pooled], 1)?],
        ]))
    }

    fn block_b(&self, block: &str, inputs: usize) -> Result<Layer> {
        let name = |name: &str| format!("{block}.{name}");
        Ok(Layer::branches(vec![
            vec![self.half(&name("branch3x3"), [inputs, 384])?],
            vec![
                self.same(&name("branch3x3dbl_1"), [inputs, 64], [1, 1])?,
                self.same(&name("branch3x3dbl_2"), [64, 96], [3, 3])?,
                self.half(&name("branch3x3dbl_3"), [96, 96])?,
            ],
            vec![Layer::max_pool(3, 2)],
        ]))
    }

    fn block_c(&self, block: &str, inner: usize) -> Result<Layer> {
        let conv = |name: &str, io, kernel| self.same(&format!("{block}.{name}"), io, kernel);
        let (flat, tall) = ([1, 7], [7, 1]);
        Ok(Layer::branches(vec![
            vec![conv("branch1x1", [768, 192], [1, 1])?],
            vec![
                conv("branch7x7_1", [768, inner], [1, 1])?,
                conv("branch7x7_2", [inner, inner], flat)?,
                conv("branch7x7_3", [inner, 192], tall)?,
            ],
            vec![
                conv("branch7x7dbl_1", [768, inner], [1, 1])?,
                conv("branch7x7dbl_2", [inner, inner], tall)?,
                conv("branch7x7dbl_3", [inner, inner], flat)?,
                conv("branch7x7dbl_4", [inner, inner], tall)?,
                conv("branch7x7dbl_5", [inner, 192], flat)?,
            ],
            vec![self.avg_pool(), conv("branch_pool", [768, 192], [1, 1])?],
        ]))
    }

    fn block_d(&self, block: &str) -> Result<Layer> {
        let name = |name: &str| format!("{block}.{name}");
        Ok(Layer::branches(vec![
            vec![
                self.same(&name("branch3x3_1"), [768, 192], [1, 1])?,
                self.half(&name("branch3x3_2"), [192, 320])?,
            ],
            vec![
                self.same(&name("branch7x7x3_1"), [768, 192], [1, 1])?,
                self.same(&name("branch7x7x3_2"), [192, 192], [1, 7])?,
                self.same(&name("branch7x7x3_3"), [192, 192], [7, 1])?,
                self.half(&name("branch7x7x3_4"), [192, 192])?,
            ],
            vec![Layer::max_pool(3, 2)],
        ]))
    }

    fn block_e(&self, block: &str, inputs: usize, pool: Layer) -> Result<Layer> {
        let conv = |name: &str, io, kernel| self.same(&format!("{block}.{name}"), io, kernel);
        let (flat, tall) = ([1, 3], [3, 1]);
        let both = |a: &str, b: &str| -> Result<Layer> {
            Ok(Layer::branches(vec![
                vec![conv(a, [384, 384], flat)?],
                vec![conv(b, [384, 384], tall)?],
            ]))
        };
        Ok(Layer::branches(vec![
            vec![conv("branch1x1", [inputs, 320], [1, 1])?],
            vec![
                conv("branch3x3_1", [inputs, 384], [1, 1])?,
                both("branch3x3_2a", "branch3x3_2b")?,
            ],
            vec![
                conv("branch3x3dbl_1", [inputs, 448], [1, 1])?,
                conv("branch3x3dbl_2", [448, 384], [3, 3])?,
                both("branch3x3dbl_3a", "branch3x3dbl_3b")?,
            ],
            vec![pool, conv("branch_pool", [inputs, 192], [1, 1])?],
        ]))
    }
}
