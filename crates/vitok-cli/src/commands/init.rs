//! `vitok init`

use std::path::Path;

use anyhow::bail;
use vitok::tokenizer::vit::VitTokenizer;

use super::{Outcome, model};
use crate::args::InitArgs;
use crate::terminal;

pub fn run(args: &InitArgs) -> anyhow::Result<Outcome> {
    let config = model::config_of(&args.variant)?;
    check_target(&args.out)?;
    let tokenizer = VitTokenizer::random(config, args.seed, &vitok::open_device("cpu")?)?;
    model::save(&tokenizer, &args.out, args.format, args.dtype)?;
    terminal::line(&format!(
        "{} with random weights (seed {}) is in {}",
        tokenizer.config().variant,
        args.seed,
        args.out.display()
    ))?;
    Ok(Outcome::Done)
}

/// Refuses to write a model among other things.
pub fn check_target(folder: &Path) -> anyhow::Result<()> {
    let not_empty = |mut entries: std::fs::ReadDir| entries.next().is_some();
    if folder.read_dir().is_ok_and(not_empty) {
        bail!("{}: not empty; choose another folder", folder.display());
    }
    Ok(())
}
