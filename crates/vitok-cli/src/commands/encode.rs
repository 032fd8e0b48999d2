//! `vitok encode`

use vitok::files::printable;
use vitok::pipeline::{EncodeOptions, encode_files};
use vitok::tokenizer::LoadPart;

use super::files::{milliseconds, report};
use super::{Outcome, model};
use crate::args::EncodeArgs;
use crate::terminal::Terminal;

pub fn run(args: &EncodeArgs) -> anyhow::Result<Outcome> {
    let tokenizer = model::load(&args.model, LoadPart::Encoder)?;
    let options = EncodeOptions {
        out: args.out.clone(),
        clip: args.clip.options(),
        dtype: args.dtype.into(),
    };
    let results = encode_files(&*tokenizer, &args.inputs, &options, &Terminal::new());
    report(
        &results,
        args.json,
        &["latents", "pixels", "tokens", "value bytes", "ms"],
        |file| {
            vec![
                printable(&file.output),
                file.shape.to_string(),
                file.grid.tokens().to_string(),
                file.bytes.to_string(),
                milliseconds(file.seconds),
            ]
        },
    )
}
