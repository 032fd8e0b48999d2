//! `vitok convert`

use vitok::tokenizer::{Half, Tokenizer};

use crate::args::ConvertArgs;
use crate::{commands, model, output};

pub fn run(args: &ConvertArgs) -> anyhow::Result<bool> {
    commands::init::check_target(&args.out)?;
    let device = vitok::open_device("cpu")?;
    let plan = args.variant.as_deref().map(model::plan_of).transpose()?;
    let tokenizer = Tokenizer::load(&model::locate(&args.model)?, Half::Both, plan, &device)?;
    tokenizer.save(&args.out, args.layout.into(), args.precision.into())?;
    output::line(&format!(
        "{}: {}",
        args.out.display(),
        tokenizer.plan().variant
    ))?;
    Ok(true)
}
