//! `vitok convert`

use vitok::tokenizer::LoadPart;
use vitok::tokenizer::vit::VitTokenizer;

use super::init::check_target;
use super::{Outcome, model};
use crate::args::ConvertArgs;
use crate::terminal;

pub fn run(args: &ConvertArgs) -> anyhow::Result<Outcome> {
    check_target(&args.out)?;
    let device = vitok::open_device("cpu")?;
    let config = args.variant.as_deref().map(model::config_of).transpose()?;
    let tokenizer = VitTokenizer::load(&model::locate(&args.model)?, LoadPart::Both, config, &device)?;
    model::save(&tokenizer, &args.out, args.format, args.dtype)?;
    terminal::line(&format!("{}: {}", args.out.display(), tokenizer.config().variant))?;
    Ok(Outcome::Done)
}
