//! Finding and loading the model that `--model` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use vitok::tokenizer::vit::{ModelConfig, ModelSpec, VitTokenizer};
use vitok::tokenizer::{LoadPart, Tokenizer, load as load_tokenizer};
use vitok::weights::hub;

use crate::args::ModelArgs;
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
