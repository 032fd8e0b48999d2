//! `vitok init`

use anyhow::bail;
use vitok::tensor_file::Precision;
use vitok::tokenizer::{Tokenizer, WeightsLayout};

use crate::args::{InitArgs, ModelLayout, WeightPrecision};
use crate::{model, output};

pub fn run(args: &InitArgs) -> anyhow::Result<bool> {
    let plan = model::plan_of(&args.variant)?;
    if args
        .out
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        bail!("{}: not empty; choose another folder", args.out.display());
    }
    let tokenizer = Tokenizer::random(plan, args.seed, &vitok::open_device("cpu")?)?;
    let layout = match args.layout {
        ModelLayout::Vitok => WeightsLayout::Vitok,
        ModelLayout::Release => WeightsLayout::Release,
    };
    let precision = match args.precision {
        WeightPrecision::F32 => Precision::F32,
        WeightPrecision::F16 => Precision::F16,
        WeightPrecision::Bf16 => Precision::Bf16,
    };
    tokenizer.save(&args.out, layout, precision)?;
    output::line(&format!(
        "{} with random weights (seed {}) is in {}",
        tokenizer.plan().variant,
        args.seed,
        args.out.display()
    ))?;
    Ok(true)
}
