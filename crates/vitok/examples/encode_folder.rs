//! Encodes a folder of images to latent files, as `vitok encode` does.
//!
//! `cargo run --release -p vitok --example encode_folder -- examples/images models/photographs-64 latents`

use std::path::PathBuf;

use vitok::media::{ClipOptions, ClipResize};
use vitok::observe::{Event, Observer};
use vitok::pipeline::{EncodeOptions, encode_files};
use vitok::weights::Dtype;
use vitok::{Error, LoadPart, Result};

/// Prints what fails, and every tenth file.
struct Log;

impl Observer for Log {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Progress { done, item } if done % 10 == 0 => println!("{done}: {item}"),
            Event::Failure { file, error } => eprintln!("{}: {}", file.display(), error.message()),
            _ => {}
        }
    }
}

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let [images, model, out] = arguments.as_slice() else {
        return Err(Error::InvalidArgument("usage: encode_folder IMAGES MODEL OUT".into()));
    };
    let tokenizer = vitok::load(model, LoadPart::Encoder, &vitok::open_device("cpu")?)?;
    let options = EncodeOptions {
        out: out.clone(),
        clip: ClipOptions {
            resize: Some(ClipResize::CenterCrop(256)),
            ..Default::default()
        },
        dtype: Dtype::F16,
    };
    let results = encode_files(&*tokenizer, std::slice::from_ref(images), &options, &Log);
    for file in &results.done {
        println!(
            "{} -> {} ({} tokens)",
            file.input.display(),
            file.output.display(),
            file.grid.tokens()
        );
    }
    println!("{} done, {} failed", results.done.len(), results.failed.len());
    Ok(())
}
