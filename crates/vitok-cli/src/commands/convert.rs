//! `vitok convert`

use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::ConvertArgs;
use crate::{commands, model, output};

pub fn run(args: &ConvertArgs) -> anyhow::Result<bool> {
    commands::init::check_target(&args.out)?;
    let device = vitok::open_device("cpu")?;
    let plan = args.variant.as_deref().map(model::plan_of).transpose()?;
    let tokenizer = Tokenizer::load(&model::locate(&args.model)?, LoadPart::Both, plan, &device)?;
    tokenizer.save(&args.out, args.layout.into(), args.dtype.into())?;
    output::line(&format!(
        "{}: {}",
        args.out.display(),
        tokenizer.plan().variant
    ))?;
    Ok(true)
}
