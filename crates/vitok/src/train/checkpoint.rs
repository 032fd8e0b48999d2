//! Checkpoints: everything a run needs to go on as if it had never stopped.
//!
//! `RUN/checkpoints/step-00000500/` holds
//!
//! - a model as any other (`config.json`, `model.safetensors`): the moving average of the weights, or the weights if the
//!   run has none;
//! - `training.safetensors`: `weight.PARAMETER`, `exp_avg.PARAMETER`, `exp_avg_sq.PARAMETER`, all flat;
//! - `run.json`: the [`CheckpointMeta`].
//!
//! The folder appears whole or not at all.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::TrainConfig;
use crate::device::to_host;
use crate::files::{replace_folder, write_atomically};
use crate::nn::params;
use crate::tokenizer::LoadPart;
use crate::tokenizer::vit::{ModelConfig, VitTokenizer, WeightsFormat};
use crate::weights::{Dtype, NewTensor, TensorFile, write_tensors};
use crate::{Error, Result};

const RUN: &str = "run.json";
const TRAINING: &str = "training.safetensors";

/// The state of a run between two steps. Tensors are flat, by the names of their parameters.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// What `run.json` holds.
    pub meta: CheckpointMeta,
    /// The weights.
    pub weights: BTreeMap<String, Tensor<1>>,
    /// Their moving average, if the run has one.
    pub ema: Option<BTreeMap<String, Tensor<1>>>,
    /// The optimizer's state, as [`Optimizer::state`](super::Optimizer::state) names it.
    pub optimizer: BTreeMap<String, Tensor<1>>,
}

/// A checkpoint without its tensors: the content of `run.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointMeta {
    /// Steps taken.
    pub step: u64,
    /// Seconds spent on them.
    pub seconds: f64,
    /// The run's configuration, with which these steps were taken.
    pub config: TrainConfig,
}

fn folder_of(run: &Path) -> PathBuf {
    run.join("checkpoints")
}

/// Removes what a killed run left of a checkpoint it was writing.
///
/// # Errors
/// [`Error::Io`].
pub(super) fn remove_unfinished(run: &Path) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder_of(run)) else {
        return Ok(());
    };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_string_lossy().starts_with(".vitok-");
        if ours && entry.path().is_dir() {
            let path = entry.path();
            std::fs::remove_dir_all(&path).map_err(|e| Error::io(&path, "remove", e))?;
        }
    }
    Ok(())
}

/// The checkpoints of a run, oldest first.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be searched.
pub(super) fn list(run: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let folder = folder_of(run);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::io(&folder, "search the folder", e)),
    };
    let mut checkpoints = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|e| Error::io(&folder, "search the folder", e))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("step-"));
        if let Some(step) = step.and_then(|step| step.parse().ok())
            && entry.path().is_dir()
        {
            checkpoints.push((step, entry.path()));
        }
    }
    checkpoints.sort();
    Ok(checkpoints)
}

impl Checkpoint {
    /// Writes the checkpoint into the folder of a run, and then removes all but the newest `keep_last`. `config` is the
    /// network's. Returns the checkpoint's folder.
    ///
    /// # Errors
    /// [`Error::Io`]; older checkpoints are then all still there.
    pub fn write(&self, run: &Path, config: &ModelConfig, keep_last: usize) -> Result<PathBuf> {
        let path = folder_of(run).join(format!("step-{:08}", self.meta.step));
        let model = self.model(config)?;
        replace_folder(
            &path,
            |_| true,
            |folder| {
                model.save(folder, WeightsFormat::Vitok, Dtype::F32)?;
                self.write_training(&folder.join(TRAINING))?;
                let meta = serde_json::to_string_pretty(&self.meta)
                    .map_err(|e| Error::Internal(format!("{RUN} cannot be written: {e}")))?;
                write_atomically(&folder.join(RUN), |out| out.write_all(meta.as_bytes()))
            },
        )
        .map_err(|error| match error {
            // The path is that of a temporary folder.
            Error::Io { action, source, .. } => Error::Io {
                path: path.clone(),
                action,
                source,
            },
            other => other,
        })?;
        let all = list(run)?;
        for (_, old) in &all[..all.len().saturating_sub(keep_last)] {
            std::fs::remove_dir_all(old).map_err(|e| Error::io(old, "remove", e))?;
        }
        Ok(path)
    }

    /// The model: the moving average of the weights, or the weights where there is none, on their device.
    ///
    /// # Errors
    /// [`Error::Device`]; [`Error::InvalidArgument`] if a parameter is missing.
    pub fn model(&self, config: &ModelConfig) -> Result<VitTokenizer> {
        let values = self.ema.as_ref().unwrap_or(&self.weights);
        let device = values.values().next().map(Tensor::device);
        tokenizer_of(values, config, &device.unwrap_or_else(Device::flex))
    }

    fn write_training(&self, path: &Path) -> Result<()> {
        let weights = self.weights.iter().map(|(n, t)| (format!("weight.{n}"), t));
        let optimizer = self.optimizer.iter().map(|(n, t)| (n.clone(), t));
        let tensors = weights.chain(optimizer).map(|(name, tensor)| {
            let tensor = tensor.clone();
            NewTensor {
                name,
                shape: tensor.dims().to_vec(),
                values: Box::new(move || to_host(tensor).map_err(std::io::Error::other)),
            }
        });
        write_tensors(path, &BTreeMap::new(), tensors.collect(), Dtype::F32)
    }

    /// Reads `run.json` of a checkpoint's folder.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Config`] if it is damaged or of another version.
    pub fn meta(folder: &Path) -> Result<CheckpointMeta> {
        let path = folder.join(RUN);
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, "read", e))?;
        serde_json::from_str(&text).map_err(|e| Error::Config {
            origin: path.display().to_string(),
            reason: format!("not a run this version can read: {e}"),
        })
    }

    /// Reads a checkpoint. Tensors go to `device`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Config`], [`Error::Weights`].
    pub fn read(folder: &Path, device: &Device) -> Result<Self> {
        let meta = Self::meta(folder)?;
        let on_device = |values: Vec<f32>| {
            let shape = [values.len()];
            Tensor::<1>::from_data(TensorData::new(values, shape), device)
        };
        let mut file = TensorFile::open(&folder.join(TRAINING))?;
        let (mut weights, mut optimizer) = (BTreeMap::new(), BTreeMap::new());
        for name in file.names() {
            let tensor = on_device(file.read(&name)?);
            match name.strip_prefix("weight.") {
                Some(name) => weights.insert(name.to_owned(), tensor),
                None => optimizer.insert(name, tensor),
            };
        }
        let ema = match meta.config.train.ema_decay > 0.0 {
            true => {
                let model = VitTokenizer::load(folder, LoadPart::Both, None, device)?;
                Some(params::values(model.network()))
            }
            false => None,
        };
        Ok(Self {
            meta,
            weights,
            ema,
            optimizer,
        })
    }
}

/// The model of a configuration whose parameters have these values, flat, by name.
///
/// # Errors
/// [`Error::Device`]; [`Error::InvalidArgument`] if a parameter is missing; [`Error::Diverged`] if one is not finite.
pub(super) fn tokenizer_of(
    values: &BTreeMap<String, Tensor<1>>,
    config: &ModelConfig,
    device: &Device,
) -> Result<VitTokenizer> {
    VitTokenizer::from_values(config.clone(), device, |name, _| {
        let value = values.get(name);
        let value = value.ok_or_else(|| Error::InvalidArgument(format!("there is no parameter {name}")))?;
        let values = to_host(value.clone())?;
        match values.iter().all(|v| v.is_finite()) {
            true => Ok(values),
            false => Err(Error::Diverged {
                what: format!("the parameter {name} is not finite"),
            }),
        }
    })
}
