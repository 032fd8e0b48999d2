//! Weights on disk: which files a model lies in, and reading it from them.
//!
//! Two layouts hold the same tensors under the same names (those of the ViTok-v2 files):
//! - ours: a folder with `config.json` (the config) and `model.safetensors` (which carries the config
//!   too, so the file alone is enough);
//! - the release's: a folder with `encoder.safetensors` and `decoder.safetensors`, or one file with
//!   all tensors. Where we write it, it has the config beside it and in each file too; for the release's own
//!   files the config is read off the tensors' shapes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::Device;

use super::config::ModelConfig;
use super::fingerprint::Fingerprint;
use super::infer::infer_config;
use super::model::VitTokenizer;
use super::network::{Decoder, Encoder, Network, tensor_name};
use crate::nn::params;
use crate::tokenizer::load::LoadPart;
use crate::weights::{Dtype, TensorFile};
use crate::{Error, Result};

pub(super) const CONFIG: &str = "config.json";
pub(super) const MODEL: &str = "model.safetensors";
pub(super) const ENCODER: &str = "encoder.safetensors";
pub(super) const DECODER: &str = "decoder.safetensors";

/// Metadata key of the config inside `model.safetensors`.
pub(super) const CONFIG_KEY: &str = "vitok.config";

/// At most this many names are listed in an error.
const LISTED: usize = 6;

impl VitTokenizer {
    /// Loads a model from a folder in either layout, or from one safetensors file.
    ///
    /// Tensors are read one at a time, of whatever dtype, into f32. `config` overrides what the
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

    fn dtype(&self, name: &str) -> Option<Dtype> {
        self.files.iter().find_map(|f| f.dtype(name))
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
        let beside = self.root.join(CONFIG);
        if beside.exists() {
            let text = std::fs::read_to_string(&beside).map_err(|e| Error::io(&beside, "read", e))?;
            // Beside the release's own files a config.json is somebody else's.
            if self.files[0].path().ends_with(MODEL) || is_ours(&text) {
                return parsed(&beside, &text).map(Some);
            }
        }
        let file = &self.files[0];
        let text = file.metadata(CONFIG_KEY);
        text.map(|text| parsed(file.path(), text)).transpose()
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
            !wanted.contains_key(*n) && !of_other_half && !is_buffer(n, self.dtype(n))
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

/// Whether a tensor is none of a network's weights, but what PyTorch saves with them: counters and positions, which are
/// whole numbers, or were before somebody stored all tensors in one dtype.
fn is_buffer(name: &str, dtype: Option<Dtype>) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    dtype.is_some_and(|dtype| !dtype.is_float()) || ["num_batches_tracked", "position_ids"].contains(&last)
}

/// Whether a text is a JSON object with keys that a [`ModelConfig`] has.
fn is_ours(text: &str) -> bool {
    let keys = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text);
    keys.is_ok_and(|keys| ["variant", "tubelet"].iter().any(|key| keys.contains_key(*key)))
}

fn parsed(path: &Path, text: &str) -> Result<ModelConfig> {
    serde_json::from_str(text).map_err(|e| Error::Config {
        origin: path.display().to_string(),
        reason: format!("not the config of a model: {e}"),
    })
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
