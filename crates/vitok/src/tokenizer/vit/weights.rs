//! Weights on disk.
//!
//! Two layouts hold the same tensors under the same names (those of the ViTok-v2 files):
//! - ours: a folder with `config.json` (the config) and `model.safetensors` (which carries the config
//!   too, so the file alone is enough);
//! - the release's: a folder with `encoder.safetensors` and `decoder.safetensors`, or one file with
//!   all tensors. It has no config; the config is read off the tensors' shapes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;

use super::config::ModelConfig;
use super::fingerprint::Fingerprint;
use super::infer::infer_config;
use super::model::VitTokenizer;
use super::network::{Decoder, Encoder, Network, tensor_name};
use crate::files::write_atomically;
use crate::nn::params;
use crate::tokenizer::load::LoadPart;
use crate::weights::{Dtype, NewTensor, TensorFile, write_tensors};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
const ENCODER: &str = "encoder.safetensors";
const DECODER: &str = "decoder.safetensors";

/// Metadata key of the config inside `model.safetensors`.
const CONFIG_KEY: &str = "vitok.config";

/// At most this many names are listed in an error.
const LISTED: usize = 6;

/// How to lay weights out on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsFormat {
    /// `config.json` and `model.safetensors`.
    Vitok,
    /// `encoder.safetensors` and `decoder.safetensors`, as the ViTok-v2 release.
    Release,
}

impl VitTokenizer {
    /// Loads a model from a folder in either layout, or from one safetensors file.
    ///
    /// Tensors are read one at a time, in f32, f16 or bf16, into f32. `config` overrides what the
    /// files say or imply; it is needed where shapes cannot tell (clips: q > 1).
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Config`], and [`Error::Weights`] for damaged files and for missing,
    /// unexpected, mis-shaped or non-finite tensors.
    pub fn load(path: &Path, part: LoadPart, config: Option<ModelConfig>, device: &Device) -> Result<Self> {
        let mut store = Store::open(path)?;
        let config = match (config, store.config()?) {
            (Some(config), _) | (None, Some(config)) => config,
            (None, None) => store.infer_config()?,
        };
        config.check()?;
        let network = Network {
            encoder: (part != LoadPart::Decoder).then(|| Encoder::new(&config, device)),
            decoder: (part != LoadPart::Encoder).then(|| Decoder::new(&config, device)),
        };
        store.check_tensors(&network, &config, part)?;
        // A decoder alone still knows which encoder's latents are its own, if that is there.
        let fingerprint = match part {
            LoadPart::Decoder => store.encoder_fingerprint()?,
            _ => Fingerprint::default(),
        };
        let read = |path: &str, _: &[usize]| store.read(tensor_name(path));
        Self::filled(config, network, device, fingerprint, read)
    }

    /// Writes the model to a folder, atomically file by file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::InvalidArgument`] if a part is absent.
    pub fn save(&self, folder: &Path, format: WeightsFormat, dtype: Dtype) -> Result<()> {
        let (Some(encoder), Some(decoder)) = (&self.network.encoder, &self.network.decoder) else {
            return Err(Error::InvalidArgument("only a whole model can be saved".into()));
        };
        let config = serde_json::to_string_pretty(&self.config)
            .map_err(|e| Error::InvalidArgument(format!("the config cannot be written as JSON: {e}")))?;
        match format {
            WeightsFormat::Vitok => {
                let metadata = BTreeMap::from([(CONFIG_KEY.to_owned(), config.clone())]);
                let mut tensors = tensors_of(encoder);
                tensors.extend(tensors_of(decoder));
                write_tensors(&folder.join(MODEL), &metadata, tensors, dtype)?;
                write_atomically(&folder.join(CONFIG), |out| {
                    out.write_all(config.as_bytes())?;
                    out.write_all(b"\n")
                })
            }
            WeightsFormat::Release => {
                let metadata = BTreeMap::new();
                let encoder = tensors_of(encoder);
                write_tensors(&folder.join(ENCODER), &metadata, encoder, dtype)?;
                write_tensors(&folder.join(DECODER), &metadata, tensors_of(decoder), dtype)
            }
        }
    }
}

fn is_of_encoder(name: &str) -> bool {
    ["encoder_", "patch_embed.", "to_code."]
        .iter()
        .any(|p| name.starts_with(p))
}

/// The config of a model on disk, without reading its weights.
///
/// # Errors
/// As [`VitTokenizer::load`].
pub fn config_of_files(path: &Path) -> Result<ModelConfig> {
    let store = Store::open(path)?;
    let config = match store.config()? {
        Some(config) => config,
        None => store.infer_config()?,
    };
    config.check()?;
    Ok(config)
}

fn tensors_of<M: Module>(part: &M) -> Vec<NewTensor<'_>> {
    let mut tensors = Vec::new();
    params::for_each(part, |name, shape, parameter| {
        let read = parameter.reader();
        tensors.push(NewTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            values: Box::new(move || read().map_err(std::io::Error::other)),
        });
    });
    tensors
}

/// The safetensors files a model lies in.
struct Store {
    /// What the user named.
    root: PathBuf,
    files: Vec<TensorFile>,
}

impl Store {
    fn open(root: &Path) -> Result<Self> {
        let about = std::fs::metadata(root).map_err(|e| Error::io(root, "read", e))?;
        let names: Vec<PathBuf> = if about.is_file() {
            vec![root.to_owned()]
        } else if root.join(MODEL).exists() {
            vec![root.join(MODEL)]
        } else {
            let parts = [root.join(ENCODER), root.join(DECODER)];
            parts.into_iter().filter(|p| p.exists()).collect()
        };
        if names.is_empty() {
            return Err(Error::Weights {
                path: root.to_owned(),
                reason: format!("no model here: expected {MODEL} (with {CONFIG}), or {ENCODER} and {DECODER}"),
            });
        }
        let files = names.iter().map(|p| TensorFile::open(p));
        Ok(Self {
            root: root.to_owned(),
            files: files.collect::<Result<_>>()?,
        })
    }

    fn bad(&self, reason: String) -> Error {
        Error::Weights {
            path: self.root.clone(),
            reason,
        }
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.files.iter().find_map(|f| f.shape(name))
    }

    fn read(&mut self, name: &str) -> Result<Vec<f32>> {
        let missing = self.bad(format!("no tensor {name}"));
        let file = self.files.iter_mut().find(|f| f.shape(name).is_some());
        file.ok_or(missing)?.read(name)
    }

    fn infer_config(&self) -> Result<ModelConfig> {
        infer_config(&|name| self.shape(name)).map_err(|reason| Error::UnknownArchitecture {
            path: self.root.clone(),
            reason,
        })
    }

    fn encoder_fingerprint(&mut self) -> Result<Fingerprint> {
        let mut fingerprint = Fingerprint::default();
        let names: BTreeSet<String> = self.files.iter().flat_map(|f| f.names()).collect();
        for name in names.iter().filter(|name| is_of_encoder(name)) {
            let shape = self.shape(name).unwrap_or_default().to_vec();
            fingerprint.add(&format!("encoder.{name}"), &shape, &self.read(name)?);
        }
        Ok(fingerprint)
    }

    /// The config that travels with the weights: in the folder's `config.json`, or in the file.
    fn config(&self) -> Result<Option<ModelConfig>> {
        let config = self.root.join(CONFIG);
        // Beside the release's files a config.json is somebody else's.
        let ours = self.files[0].path().ends_with(MODEL) && config.exists();
        let (path, text) = if ours {
            let text = std::fs::read_to_string(&config).map_err(|e| Error::io(&config, "read", e))?;
            (config, text)
        } else {
            let file = &self.files[0];
            match file.metadata(CONFIG_KEY) {
                Some(text) => (file.path().to_owned(), text.to_owned()),
                None => return Ok(None),
            }
        };
        let config: ModelConfig = serde_json::from_str(&text).map_err(|e| Error::Config {
            origin: path.display().to_string(),
            reason: format!("not the config of a model: {e}"),
        })?;
        Ok(Some(config))
    }

    /// Compares the files' tensors with the network's, before any of them is read.
    fn check_tensors(&self, network: &Network, config: &ModelConfig, part: LoadPart) -> Result<()> {
        let mut wanted = BTreeMap::new();
        params::for_each(network, |path, shape, _| {
            wanted.insert(tensor_name(path).to_owned(), shape.to_vec());
        });
        let present: BTreeSet<String> = self.files.iter().flat_map(|f| f.names()).collect();
        let missing = wanted.keys().filter(|n| !present.contains(*n)).cloned();
        let extra = present.iter().filter(|n| {
            let of_other_half = match part {
                LoadPart::Both => false,
                LoadPart::Encoder => n.starts_with("decoder_") || n.starts_with("to_pixels."),
                LoadPart::Decoder => is_of_encoder(n),
            };
            !wanted.contains_key(*n) && !of_other_half
        });
        let misshaped = wanted.iter().filter_map(|(name, shape)| {
            let found = self.shape(name)?;
            (found != shape).then(|| format!("{name} is {found:?}, expected {shape:?}"))
        });
        let complaints = [
            ("missing", listed(missing)),
            ("unexpected", listed(extra.cloned())),
            ("mis-shaped", listed(misshaped)),
        ];
        let complaints: Vec<String> = complaints
            .into_iter()
            .filter_map(|(what, names)| names.map(|names| format!("{what}: {names}")))
            .collect();
        if complaints.is_empty() {
            return Ok(());
        }
        Err(self.bad(format!(
            "the tensors do not fit {}; {}",
            config.variant,
            complaints.join("; ")
        )))
    }
}

fn listed(names: impl Iterator<Item = String>) -> Option<String> {
    let names: Vec<String> = names.collect();
    let shown = names[..names.len().min(LISTED)].join(", ");
    match names.len() {
        0 => None,
        n if n > LISTED => Some(format!("{shown} and {} more", n - LISTED)),
        _ => Some(shown),
    }
}
