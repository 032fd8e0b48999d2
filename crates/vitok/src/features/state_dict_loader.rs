//! From the named arrays of a weight file to layers.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};

use super::batch_norm::BatchNorm;
use super::linear::Linear;
use crate::files::sha256_of_file;
use crate::nn::conv::{Activation, Convolution};
use crate::weights::{StateDict, read_state_dict};
use crate::{Error, Result};

/// A state dict, by the names its file has, and the device on which layers are built from it.
#[derive(Clone, Debug)]
pub struct StateDictLoader {
    path: PathBuf,
    sha256: String,
    arrays: Arrays,
    device: Device,
}

/// Values by name and shape.
type Make = dyn Fn(&str, &[usize]) -> Vec<f32> + Send + Sync;

#[derive(Clone)]
enum Arrays {
    Read(StateDict),
    Made(Arc<Make>),
}

impl fmt::Debug for Arrays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Arrays::Read(arrays) => write!(f, "{} arrays", arrays.len()),
            Arrays::Made(_) => f.write_str("made by a function"),
        }
    }
}

impl StateDictLoader {
    /// Reads a file of any kind that [`read_state_dict`] knows.
    ///
    /// # Errors
    /// As [`read_state_dict`].
    pub fn open(path: &Path, device: &Device) -> Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            sha256: sha256_of_file(path)?,
            arrays: Arrays::Read(read_state_dict(path)?),
            device: device.clone(),
        })
    }

    /// Arrays that are already in memory; `name` stands for the file in messages.
    pub fn from_state_dict(name: &str, state_dict: StateDict, device: &Device) -> Self {
        Self {
            path: PathBuf::from(name),
            sha256: String::new(),
            arrays: Arrays::Read(state_dict),
            device: device.clone(),
        }
    }

    /// Arrays that a function of name and shape makes: random ones to measure speed with, say.
    pub fn from_fn(make: impl Fn(&str, &[usize]) -> Vec<f32> + Send + Sync + 'static, device: &Device) -> Self {
        Self {
            path: PathBuf::from("made"),
            sha256: String::new(),
            arrays: Arrays::Made(Arc::new(make)),
            device: device.clone(),
        }
    }

    /// The same arrays for layers on another device.
    pub fn to_device(&self, device: &Device) -> Self {
        Self {
            device: device.clone(),
            ..self.clone()
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, in hexadecimal digits; empty where there is none.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// The device of its layers.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The values of the array `name` of that shape, row-major.
    ///
    /// # Errors
    /// [`Error::Weights`] if there is none or it has another shape or values that are not finite.
    pub fn values(&self, name: &str, shape: &[usize]) -> Result<Cow<'_, [f32]>> {
        let arrays = match &self.arrays {
            Arrays::Read(arrays) => arrays,
            Arrays::Made(make) => return Ok(Cow::Owned(make(name, shape))),
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

    /// The array `name` of that shape as a tensor.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn tensor<const D: usize>(&self, name: &str, shape: [usize; D]) -> Result<Tensor<D>> {
        Ok(self.on_device(self.values(name, &shape)?.into_owned(), shape))
    }

    fn on_device<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// A convolution on images: `NAME.weight` `[outputs, inputs, h, w]` and `NAME.bias` `[outputs]`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn conv(&self, name: &str, [outputs, inputs, h, w]: [usize; 4], activation: Activation) -> Result<Convolution> {
        let weight = self.tensor(&format!("{name}.weight"), [outputs, inputs, h, w])?;
        Ok(Convolution {
            weight: weight.reshape([outputs, inputs, 1, h, w]),
            bias: self.tensor(&format!("{name}.bias"), [outputs])?,
            groups: 1,
            activation,
        })
    }

    /// A convolution on images with the batch norm that follows it folded into its weights: `CONV.weight`
    /// `[outputs, inputs of a group, h, w]`, and `NORM.weight`, `bias`, `running_mean` and `running_var`, `[outputs]` each.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn conv_bn(
        &self,
        conv: &str,
        norm: &str,
        shape: [usize; 4],
        groups: usize,
        activation: Activation,
    ) -> Result<Convolution> {
        let [outputs, inputs, h, w] = shape;
        let weight = self.values(&format!("{conv}.weight"), &shape)?;
        let of = |part: &str| self.values(&format!("{norm}.{part}"), &[outputs]);
        let norm = BatchNorm {
            weight: Some(of("weight")?),
            bias: of("bias")?,
            mean: of("running_mean")?,
            variance: of("running_var")?,
        };
        let (weight, bias) = norm.fold_into(&weight);
        Ok(Convolution {
            weight: self.on_device(weight, [outputs, inputs, 1, h, w]),
            bias: self.on_device(bias, [outputs]),
            groups,
            activation,
        })
    }

    /// A convolution on clips with batch norm folded in and a ReLU, from Flax's arrays, whose kernel is
    /// `[t, h, w, inputs, outputs]`.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn flax_conv_bn(&self, name: &str, kernel: [usize; 3], [inputs, outputs]: [usize; 2]) -> Result<Convolution> {
        let [t, h, w] = kernel;
        let weight = self.values(&format!("params/{name}/Conv_0/kernel"), &[t, h, w, inputs, outputs])?;
        let weight = last_axis_first(&weight, outputs);
        let each = weight.chunks(weight.len() / outputs);
        let weight: Vec<f32> = each.flat_map(|weight| last_axis_first(weight, inputs)).collect();
        let statistics = |part: &str| {
            let name = format!("batch_stats/{name}/BatchNorm_0/{part}");
            self.values(&name, &[1, 1, 1, 1, outputs])
        };
        let norm = BatchNorm {
            weight: None,
            bias: self.values(&format!("params/{name}/BatchNorm_0/bias"), &[outputs])?,
            mean: statistics("mean")?,
            variance: statistics("var")?,
        };
        let (weight, bias) = norm.fold_into(&weight);
        Ok(Convolution {
            weight: self.on_device(weight, [outputs, inputs, t, h, w]),
            bias: self.on_device(bias, [outputs]),
            groups: 1,
            activation: Activation::Relu,
        })
    }

    /// A fully connected layer: `NAME.weight` `[outputs, inputs]` and `NAME.bias` `[outputs]`.
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

    /// A fully connected layer from Flax's arrays of a 1 x 1 x 1 convolution.
    ///
    /// # Errors
    /// As [`values`](Self::values).
    pub fn flax_linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
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

/// `[rest, size]` to `[size, rest]`.
fn last_axis_first(values: &[f32], size: usize) -> Vec<f32> {
    let rest = values.len() / size;
    let at = |i: usize| values[i % rest * size + i / rest];
    (0..values.len()).map(at).collect()
}
