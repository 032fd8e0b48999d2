//! `vitok init`

use std::path::Path;

use anyhow::bail;
use vitok::tokenizer::vit::Tokenizer;

use crate::args::InitArgs;
use crate::{model, output};

pub fn run(args: &InitArgs) -> anyhow::Result<bool> {
    let plan = model::plan_of(&args.variant)?;
    check_target(&args.out)?;
    let tokenizer = Tokenizer::random(plan, args.seed, &vitok::open_device("cpu")?)?;
    tokenizer.save(&args.out, args.layout.into(), args.dtype.into())?;
    output::line(&format!(
        "{} with random weights (seed {}) is in {}",
        tokenizer.plan().variant,
        args.seed,
        args.out.display()
    ))?;
    Ok(true)
}

/// Refuses to write a model among other things.
pub fn check_target(folder: &Path) -> anyhow::Result<()> {
    let not_empty = |mut entries: std::fs::ReadDir| entries.next().is_some();
    if folder.read_dir().is_ok_and(not_empty) {
        bail!("{}: not empty; choose another folder", folder.display());
    }
    Ok(())
}
