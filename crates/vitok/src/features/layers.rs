//! From a weight file to layers.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use crate::files::sha256_of_file;
use crate::nn::conv::{Activation, Convolution};
use crate::weights::{StateDict, read_state_dict};
use crate::{Error, Result};

/// The weights of a network, by the names its file has.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    sha256: String,
    weights: Weights,
    device: Device,
}

/// Values by name and shape.
type Make = dyn Fn(&str, &[usize]) -> Vec<f32> + Send + Sync;

#[derive(Clone)]
enum Weights {
    Read(StateDict),
    Made(Arc<Make>),
}

impl fmt::Debug for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Weights::Read(arrays) => write!(f, "{} arrays", arrays.len()),
            Weights::Made(_) => f.write_str("made by a function"),
        }
    }
}

/// A fully connected layer.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `[inputs, outputs]`.
    weight: Tensor<2>,
    bias: Tensor<1>,
}

impl Linear {
    /// `[B, inputs]` to `[B, outputs]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.without_bias(x) + self.bias.clone().unsqueeze()
    }

    /// The same without adding the bias.
    pub fn without_bias(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.clone())
    }
}

impl Source {
    /// Reads a file of any kind that [`read_state_dict`] knows.
    ///
    /// # Errors
    /// As [`read_state_dict`].
    pub fn open(path: &Path, device: &Device) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            sha256: sha256_of_file(path)?,
            weights: Weights::Read(read_state_dict(path)?),
            device: device.clone(),
        })
    }

    /// Weights that are already in memory; `name` stands for the file in messages.
    pub fn of_arrays(name: &str, arrays: StateDict, device: &Device) -> Self {
        Self {
            path: PathBuf::from(name),
            sha256: String::new(),
            weights: Weights::Read(arrays),
            device: device.clone(),
        }
    }

    /// Weights that a function of name and shape gives: random ones to measure speed with, say.
    pub fn made(make: impl Fn(&str, &[usize]) -> Vec<f32> + Send + Sync + 'static, device: &Device) -> Self {
        Self {
            path: PathBuf::from("made"),
            sha256: String::new(),
            weights: Weights::Made(Arc::new(make)),
            device: device.clone(),
        }
    }

    /// The same weights for tensors on another device.
    pub fn on(&self, device: &Device) -> Self {
        Self {
            device: device.clone(),
            ..self.clone()
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hash of the file, in hexadecimal digits.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Where its tensors go.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The values of an array of that shape, row-major.
    ///
    /// # Errors
    /// [`Error::Weights`] if there is none or it has another shape or values that are not finite.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Cow<'_, [f32]>> {
        let arrays = match &self.weights {
            Weights::Read(arrays) => arrays,
            Weights::Made(make) => return Ok(Cow::Owned(make(name, shape))),
        };
        let Some(array) = arrays.get(name) else {
            return Err(self.bad(format!("no array {name}; these are the weights of another network")));
        };
        if array.shape != shape {
            return Err(self.bad(format!(
                "{name} has the shape {:?}, not {shape:?}; these are the weights of another network",
                array.shape
            )));
        }
        if let Some(value) = array.values.iter().find(|v| !v.is_finite()) {
            return Err(self.bad(format!("{name} holds {value}; the file is damaged")));
        }
        Ok(Cow::Borrowed(&array.values))
    }

    /// A tensor of that shape.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        Ok(self.on_device(self.values(name, &shape)?.into_owned(), shape))
    }

    fn on_device<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A convolution on images: `NAME.weight` `[outputs, inputs, h, w]` and `NAME.bias`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn convolution(
        &self,
        name: &str,
        [outputs, inputs, h, w]: [usize; 4],
        activation: Activation,
    ) -> Result<Convolution> {
        let weight = self.tensor(&format!("{name}.weight"), [outputs, inputs, h, w])?;
        Ok(Convolution {
            weight: weight.reshape([outputs, inputs, 1, h, w]),
            bias: self.tensor(&format!("{name}.bias"), [outputs])?,
            groups: 1,
            activation,
        })
    }

    /// A convolution on images, with the normalisation that follows it worked into its weights:
    /// `CONVOLUTION.weight`, and `NORM.weight`, `bias`, `running_mean` and `running_var`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn normalized(
        &self,
        convolution: &str,
        norm: &str,
        shape: [usize; 4],
        groups: usize,
        activation: Activation,
    ) -> Result<Convolution> {
        let [outputs, inputs, h, w] = shape;
        let weight = self.values(&format!("{convolution}.weight"), &shape)?;
        let of = |part: &str| self.values(&format!("{norm}.{part}"), &[outputs]);
        let norm = Normalisation {
            scale: Some(of("weight")?),
            shift: of("bias")?,
            mean: of("running_mean")?,
            variance: of("running_var")?,
        };
        let (weight, bias) = norm.into_convolution(&weight);
        Ok(Convolution {
            weight: self.on_device(weight, [outputs, inputs, 1, h, w]),
            bias: self.on_device(bias, [outputs]),
            groups,
            activation,
        })
    }

    /// The same for clips, from arrays in Flax's order: the kernel is `[t, h, w, inputs, outputs]`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn flax_normalized(
        &self,
        name: &str,
        kernel: [usize; 3],
        [inputs, outputs]: [usize; 2],
    ) -> Result<Convolution> {
        let [t, h, w] = kernel;
        let convolution = format!("params/{name}/Conv_0/kernel");
        let weight = self.values(&convolution, &[t, h, w, inputs, outputs])?;
        let weight = outputs_first(&weight, outputs);
        let weight = outputs_first_of_each(&weight, outputs, inputs);
        let statistics = |part: &str| {
            let name = format!("batch_stats/{name}/BatchNorm_0/{part}");
            self.values(&name, &[1, 1, 1, 1, outputs])
        };
        let norm = Normalisation {
            scale: None,
            shift: self.values(&format!("params/{name}/BatchNorm_0/bias"), &[outputs])?,
            mean: statistics("mean")?,
            variance: statistics("var")?,
        };
        let (weight, bias) = norm.into_convolution(&weight);
        Ok(Convolution {
            weight: self.on_device(weight, [outputs, inputs, t, h, w]),
            bias: self.on_device(bias, [outputs]),
            groups: 1,
            activation: Activation::Relu,
        })
    }

    /// A fully connected layer: `NAME.weight` `[outputs, inputs]` and `NAME.bias`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let weight: Tensor<2> = self.tensor(&format!("{name}.weight"), [outputs, inputs])?;
        Ok(Linear {
            weight: weight.transpose(),
            bias: self.tensor(&format!("{name}.bias"), [outputs])?,
        })
    }

    /// A fully connected layer from a Flax convolution over one place.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn flax_dense(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let kernel = format!("params/{name}/Conv_0/kernel");
        let weight: Tensor<5> = self.tensor(&kernel, [1, 1, 1, inputs, outputs])?;
        Ok(Linear {
            weight: weight.reshape([inputs, outputs]),
            bias: self.tensor(&format!("params/{name}/Conv_0/bias"), [outputs])?,
        })
    }

    fn bad(&self, reason: String) -> Error {
        Error::Weights {
            path: self.path.clone(),
            reason,
        }
    }
}

/// `[rest, outputs]` to `[outputs, rest]`.
fn outputs_first(values: &[f32], outputs: usize) -> Vec<f32> {
    let rest = values.len() / outputs;
    let place = |i: usize| values[i % rest * outputs + i / rest];
    (0..values.len()).map(place).collect()
}

/// `[outputs, places, inputs]` to `[outputs, inputs, places]`.
fn outputs_first_of_each(values: &[f32], outputs: usize, inputs: usize) -> Vec<f32> {
    let each = values.chunks(values.len() / outputs);
    each.flat_map(|values| outputs_first(values, inputs)).collect()
}

/// A batch normalisation as it stands after training: `(x - mean) / sqrt(variance + eps) * scale +
/// shift` for each channel.
struct Normalisation<'a> {
    scale: Option<Cow<'a, [f32]>>,
    shift: Cow<'a, [f32]>,
    mean: Cow<'a, [f32]>,
    variance: Cow<'a, [f32]>,
}

impl Normalisation<'_> {
    /// That of every network here.
    const EPSILON: f64 = 1e-3;

    /// Weight (`[outputs, ..]`) and bias of the convolution that does both.
    fn into_convolution(self, weight: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let outputs = self.mean.len();
        let factor = |i: usize| {
            let scale = self.scale.as_ref().map_or(1.0, |scale| f64::from(scale[i]));
            scale / (f64::from(self.variance[i]) + Self::EPSILON).sqrt()
        };
        let rows = weight.chunks(weight.len() / outputs).enumerate();
        let weight = rows.flat_map(|(i, row)| {
            let factor = factor(i);
            row.iter().map(move |w| (f64::from(*w) * factor) as f32)
        });
        let bias = (0..outputs).map(|i| (f64::from(self.shift[i]) - f64::from(self.mean[i]) * factor(i)) as f32);
        (weight.collect(), bias.collect())
    }
}
