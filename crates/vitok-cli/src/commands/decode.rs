//! `vitok decode`

use vitok::files::printable;
use vitok::pipeline::{DecodeOptions, decode_files};
use vitok::tokenizer::LoadPart;

use super::files::{milliseconds, report};
use super::{Outcome, model};
use crate::args::DecodeArgs;
use crate::terminal::Terminal;

pub fn run(args: &DecodeArgs) -> anyhow::Result<Outcome> {
    let tokenizer = model::load(&args.model, LoadPart::Decoder)?;
    let options = DecodeOptions {
        out: args.out.clone(),
        extension: args.format.extension().into(),
        any_tokenizer: args.any_model,
    };
    let results = decode_files(&*tokenizer, &args.inputs, &options, &Terminal::new());
    report(&results, args.json, &["image", "pixels", "ms"], |file| {
        vec![
            printable(&file.output),
            file.shape.to_string(),
            milliseconds(file.seconds),
        ]
    })
}
