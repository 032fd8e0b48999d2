//! Weights on disk.
//!
//! Two layouts hold the same tensors under the same names (those of the ViTok-v2 files):
//! - ours: a folder with `config.json` (the plan) and `model.safetensors` (which carries the plan
//!   too, so the file alone is enough);
//! - the release's: a folder with `encoder.safetensors` and `decoder.safetensors`, or one file with
//!   all tensors. It has no config; the plan is read off the tensors' shapes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::Device;
use sha2::{Digest, Sha256};

use super::{Decoder, Encoder, Network, Tokenizer};
use crate::config::{
    Attention, BlockKind, Bottleneck, DEFAULT_MLP_RATIO, Family, Plan, Rope, Size, StackPlan,
    Tubelet, Variant,
};
use crate::files::write_atomically;
use crate::nn::params;
use crate::tensor_file::{NewTensor, Precision, TensorFile, write_tensors};
use crate::{Error, Result};

const CONFIG: &str = "config.json";
const MODEL: &str = "model.safetensors";
const ENCODER: &str = "encoder.safetensors";
const DECODER: &str = "decoder.safetensors";

/// Metadata key of the plan inside `model.safetensors`.
const PLAN_KEY: &str = "vitok.plan";

/// At most this many names are listed in an error.
const LISTED: usize = 6;

/// Which half of a model to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Half {
    /// Encoder and decoder.
    Both,
    /// The encoder alone.
    Encoder,
    /// The decoder alone.
    Decoder,
}

/// How to lay weights out on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsLayout {
    /// `config.json` and `model.safetensors`.
    Vitok,
    /// `encoder.safetensors` and `decoder.safetensors`, as the ViTok-v2 release.
    Release,
}

impl Tokenizer {
    /// Loads a model from a folder in either layout, or from one safetensors file.
    ///
    /// Tensors are read one at a time, in f32, f16 or bf16, into f32. `plan` overrides what the
    /// files say or imply; it is needed where shapes cannot tell (clips: q > 1).
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Config`], and [`Error::Weights`] for damaged files and for missing,
    /// unexpected, mis-shaped or non-finite tensors.
    pub fn load(path: &Path, half: Half, plan: Option<Plan>, device: &Device) -> Result<Self> {
        let mut store = Store::open(path)?;
        let plan = match (plan, store.plan()?) {
            (Some(plan), _) | (None, Some(plan)) => plan,
            (None, None) => store.infer_plan()?,
        };
        plan.check()?;
        let network = Network {
            encoder: (half != Half::Decoder).then(|| Encoder::new(&plan, device)),
            decoder: (half != Half::Encoder).then(|| Decoder::new(&plan, device)),
        };
        store.check_tensors(&network, &plan, half)?;
        // A decoder alone still knows which encoder's latents are its own, if that is there.
        let fingerprint = match half {
            Half::Decoder => store.encoder_fingerprint()?,
            _ => Fingerprint::default(),
        };
        let read = |path: &str, _: &[usize]| store.read(tensor_name(path));
        Self::filled(plan, network, device, fingerprint, read)
    }

    /// Writes the model to a folder, atomically file by file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Input`] if a half is absent.
    pub fn save(&self, folder: &Path, layout: WeightsLayout, precision: Precision) -> Result<()> {
        let (Some(encoder), Some(decoder)) = (&self.network.encoder, &self.network.decoder) else {
            return Err(Error::Input("only a whole model can be saved".into()));
        };
        let plan = serde_json::to_string_pretty(&self.plan)
            .map_err(|e| Error::Input(format!("the plan cannot be written as JSON: {e}")))?;
        match layout {
            WeightsLayout::Vitok => {
                let metadata = BTreeMap::from([(PLAN_KEY.to_owned(), plan.clone())]);
                let mut tensors = tensors_of(encoder);
                tensors.extend(tensors_of(decoder));
                write_tensors(&folder.join(MODEL), &metadata, tensors, precision)?;
                write_atomically(&folder.join(CONFIG), |out| {
                    out.write_all(plan.as_bytes())?;
                    out.write_all(b"\n")
                })
            }
            WeightsLayout::Release => {
                let metadata = BTreeMap::new();
                let encoder = tensors_of(encoder);
                write_tensors(&folder.join(ENCODER), &metadata, encoder, precision)?;
                write_tensors(
                    &folder.join(DECODER),
                    &metadata,
                    tensors_of(decoder),
                    precision,
                )
            }
        }
    }
}

/// The name on disk of the parameter at a path of [`Network`]: the path less the half.
pub(super) fn tensor_name(path: &str) -> &str {
    path.strip_prefix("encoder.")
        .or_else(|| path.strip_prefix("decoder."))
        .unwrap_or(path)
}

/// Identifies the encoder: a hash of its tensors' names, shapes and up to 64 values of each.
///
/// Sampled, because hashing a large model whole would take longer than loading it; any training
/// step changes it. The same weights in another precision are another encoder.
#[derive(Default)]
pub(super) struct Fingerprint(BTreeMap<String, [u8; 32]>);

impl Fingerprint {
    /// Adds a parameter at its path in [`Network`]; those of the decoder do not count.
    pub(super) fn add(&mut self, path: &str, shape: &[usize], values: &[f32]) {
        if !path.starts_with("encoder.") {
            return;
        }
        let mut hash = Sha256::new();
        hash.update(format!("{shape:?}"));
        for value in values.iter().step_by(values.len().div_ceil(64).max(1)) {
            hash.update(value.to_le_bytes());
        }
        self.0.insert(path.to_owned(), hash.finalize().into());
    }

    /// Sixteen hexadecimal digits; none if nothing was added.
    pub(super) fn finish(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new();
        for (path, digest) in &self.0 {
            hash.update(path);
            hash.update(digest);
        }
        hash.finalize()[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}

fn is_of_encoder(name: &str) -> bool {
    ["encoder_", "patch_embed.", "to_code."]
        .iter()
        .any(|p| name.starts_with(p))
}

/// The plan of a model on disk, without reading its weights.
///
/// # Errors
/// As [`Tokenizer::load`].
pub fn plan_of_files(path: &Path) -> Result<Plan> {
    let store = Store::open(path)?;
    let plan = match store.plan()? {
        Some(plan) => plan,
        None => store.infer_plan()?,
    };
    plan.check()?;
    Ok(plan)
}

fn tensors_of<M: Module>(half: &M) -> Vec<NewTensor<'_>> {
    let mut tensors = Vec::new();
    params::for_each(half, |name, shape, parameter| {
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
            let halves = [root.join(ENCODER), root.join(DECODER)];
            halves.into_iter().filter(|p| p.exists()).collect()
        };
        if names.is_empty() {
            return Err(Error::Weights {
                path: root.to_owned(),
                reason: format!(
                    "no model here: expected {MODEL} (with {CONFIG}), or {ENCODER} and {DECODER}"
                ),
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

    fn encoder_fingerprint(&mut self) -> Result<Fingerprint> {
        let mut fingerprint = Fingerprint::default();
        let names: BTreeSet<String> = self.files.iter().flat_map(|f| f.names()).collect();
        for name in names.iter().filter(|name| is_of_encoder(name)) {
            let shape = self.shape(name).unwrap_or_default().to_vec();
            fingerprint.add(&format!("encoder.{name}"), &shape, &self.read(name)?);
        }
        Ok(fingerprint)
    }

    /// The plan that travels with the weights: in the folder's `config.json`, or in the file.
    fn plan(&self) -> Result<Option<Plan>> {
        let config = self.root.join(CONFIG);
        // Beside the release's files a config.json is somebody else's.
        let ours = self.files[0].path().ends_with(MODEL) && config.exists();
        let (path, text) = if ours {
            let text =
                std::fs::read_to_string(&config).map_err(|e| Error::io(&config, "read", e))?;
            (config, text)
        } else {
            let file = &self.files[0];
            match file.metadata(PLAN_KEY) {
                Some(text) => (file.path().to_owned(), text.to_owned()),
                None => return Ok(None),
            }
        };
        let plan: Plan = serde_json::from_str(&text).map_err(|e| Error::Config {
            path,
            reason: format!("not a vitok plan: {e}"),
        })?;
        Ok(Some(plan))
    }

    /// Reads the plan of a v2 model off its tensors' shapes.
    fn infer_plan(&self) -> Result<Plan> {
        let unknown = |what: &str| {
            self.bad(format!(
                "cannot tell the model from its tensors ({what}); pass its --variant"
            ))
        };
        let matrix = |name: &str| match self.shape(name) {
            Some(&[rows, cols]) => Some((rows, cols)),
            _ => None,
        };
        let encoder = matrix("patch_embed.weight").zip(matrix("to_code.weight"));
        let decoder = matrix("to_pixels.weight").zip(matrix("decoder_embed.weight"));
        let (values, channels) = match (encoder, decoder) {
            (Some(((_, values), (channels, _))), _) => (values, channels),
            (None, Some(((values, _), (_, channels)))) => (values, channels),
            (None, None) => return Err(unknown("neither patch_embed nor to_pixels is there")),
        };
        let patch = (values / 3).isqrt();
        if patch == 0 || 3 * patch * patch != values {
            return Err(unknown(&format!(
                "a patch of {values} values is no square of RGB pixels"
            )));
        }
        let encoder = self.infer_stack("encoder_blocks", encoder.map(|((w, _), _)| w));
        let decoder = self.infer_stack("decoder_blocks", decoder.map(|(_, (w, _))| w));
        // A half that is not in the files is never built; the other stands in for its numbers.
        let (name, encoder, decoder) = match (encoder, decoder) {
            (Some(e), Some(d)) => (None, e, d),
            (Some(e), None) => (Some("encoder only"), e, e),
            (None, Some(d)) => (Some("decoder only"), d, d),
            (None, None) => return Err(unknown("no complete stack of blocks")),
        };
        let size = |s: &StackPlan| Size {
            width: s.width,
            depth: s.depth,
            heads: s.heads,
        };
        let mut variant = Variant {
            family: Family::V2,
            encoder: size(&encoder),
            decoder: size(&decoder),
            mlp_ratio: DEFAULT_MLP_RATIO,
            tubelet: Tubelet { frames: 1, patch },
            channels,
        };
        if variant.hidden(encoder.width) != encoder.hidden {
            variant.mlp_ratio = encoder.hidden as f64 / encoder.width as f64;
        }
        Ok(Plan {
            variant: match name {
                Some(which) => format!("{variant} ({which})"),
                None => variant.to_string(),
            },
            tubelet: variant.tubelet,
            colours: 3,
            encoder,
            channels,
            bottleneck: Bottleneck::LayerNorm,
            decoder,
            block: BlockKind::Parallel,
            rope: Rope::TwoD,
            attention: Attention::Full,
            layer_scale: 1e-4,
        })
    }

    fn infer_stack(&self, prefix: &str, width: Option<usize>) -> Option<StackPlan> {
        let width = width?;
        let depth =
            (0..).take_while(|i| self.shape(&format!("{prefix}.{i}.norm1.weight")).is_some());
        let depth = depth.count();
        let head_dim = *self
            .shape(&format!("{prefix}.0.attn.norm_q.weight"))?
            .first()?;
        let hidden = *self.shape(&format!("{prefix}.0.ffn.fc2.weight"))?.get(1)?;
        let heads = width.checked_div(head_dim)?;
        Some(StackPlan {
            width,
            depth,
            heads,
            hidden,
        })
    }

    /// Compares the files' tensors with the network's, before any of them is read.
    fn check_tensors(&self, network: &Network, plan: &Plan, half: Half) -> Result<()> {
        let mut wanted = BTreeMap::new();
        params::for_each(network, |path, shape, _| {
            wanted.insert(tensor_name(path).to_owned(), shape.to_vec());
        });
        let present: BTreeSet<String> = self.files.iter().flat_map(|f| f.names()).collect();
        let missing = wanted.keys().filter(|n| !present.contains(*n)).cloned();
        let extra = present.iter().filter(|n| {
            let of_other_half = match half {
                Half::Both => false,
                Half::Encoder => n.starts_with("decoder_") || n.starts_with("to_pixels."),
                Half::Decoder => is_of_encoder(n),
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
            plan.variant,
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
