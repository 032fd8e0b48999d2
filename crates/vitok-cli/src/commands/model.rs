//! Finding and loading the model that `--model` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use vitok::tokenizer::vit::{ModelConfig, ModelSpec, VitTokenizer};
use vitok::tokenizer::{LoadPart, Tokenizer, load as load_tokenizer};
use vitok::weights::{Dtype, Underflow, hub};

use crate::args::{ModelArgs, ModelFormat, WeightsDtype};
use crate::terminal;

/// The config of a variant name or of a TOML spec.
pub fn config_of(variant: &str) -> vitok::Result<ModelConfig> {
    let path = Path::new(variant);
    if path.extension().is_some_and(|e| e == "toml") {
        ModelConfig::resolve(&ModelSpec::read(path)?)
    } else {
        ModelConfig::of_variant(variant)
    }
}

/// Where a model's files are: the path itself, or its place in the download cache. A revision other than the main one
/// is written NAME@REVISION.
pub fn locate(name: &str) -> Result<PathBuf> {
    if Path::new(name).exists() {
        return Ok(PathBuf::from(name));
    }
    if hub::find(name).is_none() && ModelConfig::of_variant(name).is_ok() {
        bail!("{name} is a variant, not a model: try random:{name}, or make one with `vitok init {name} FOLDER`");
    }
    let (name, revision) = match name.split_once('@') {
        Some((name, revision)) => (name, Some(revision)),
        None => (name, None),
    };
    Ok(hub::Hub::from_env()?.cached(name, revision)?)
}

/// Whether a name that is none was meant as a variant: its last part is numbers, as in `S-B/4x16`.
pub fn looks_like_variant(name: &str) -> bool {
    let numbers = name.rsplit('/').next().unwrap_or(name);
    name.contains('/') && numbers.chars().all(|c| c.is_ascii_digit() || c == 'x')
}

/// Writes a model, and says what the dtype loses.
pub fn save(tokenizer: &VitTokenizer, out: &Path, format: ModelFormat, dtype: WeightsDtype) -> Result<()> {
    let dtype = Dtype::from(dtype);
    let lost = tokenizer.save(out, format.into(), dtype)?;
    let worst = lost.iter().max_by(|a, b| share(a).total_cmp(&share(b)));
    if let Some(worst) = worst {
        terminal::warning(&format!(
            "{}: {} loses {:.1} % of its values to 0 in {}, for which they are too small{}; --dtype bf16 or f32 keeps them",
            out.display(),
            worst.tensor,
            100.0 * share(worst),
            dtype.name(),
            match lost.len() - 1 {
                0 => String::new(),
                others => format!(", and {others} other tensors lose some"),
            }
        ));
    }
    Ok(())
}

fn share(lost: &Underflow) -> f64 {
    lost.zeros as f64 / lost.values as f64
}

/// Loads what `--model` names, or the part that is needed.
pub fn load(args: &ModelArgs, part: LoadPart) -> Result<Box<dyn Tokenizer>> {
    let device = vitok::open_device(args.device.name())?;
    let config = args.variant.as_deref().map(config_of).transpose()?;
    if let Some(variant) = args.model.strip_prefix("random:") {
        if config.is_some() {
            bail!("--variant says nothing beside random:VARIANT; give one of them");
        }
        terminal::note("random weights (seed 0); what they make of an image is noise");
        return Ok(Box::new(VitTokenizer::random(config_of(variant)?, 0, &device)?));
    }
    let path = locate(&args.model)?;
    let loaded = match config {
        None => load_tokenizer(&path, part, &device),
        Some(config) => VitTokenizer::load(&path, part, Some(config), &device).map(|model| Box::new(model) as _),
    };
    loaded.with_context(|| format!("cannot load the model {}", args.model))
}
