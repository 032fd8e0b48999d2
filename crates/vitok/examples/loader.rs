//! How many images a second the loader gives by itself: first from the files, then, where they fit
//! in memory, decoded already.
//!
//! `cargo run --release -p vitok --example loader -- CONFIG [KEY=VALUE…]`

use std::path::Path;
use std::time::Instant;

use vitok::data::Loader;
use vitok::train::TrainConfig;
use vitok::{Error, Result};

/// Epochs timed.
const EPOCHS: usize = 3;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::InvalidArgument("usage: loader CONFIG [KEY=VALUE…]".into());
    let path = arguments.next().ok_or_else(usage)?;
    let config = TrainConfig::read(Path::new(&path), &arguments.collect::<Vec<_>>())?;
    let (datasets, shares) = config.data.open()?;
    let images: usize = datasets.iter().map(|c| c.samples().len()).sum();
    let batch = config.train.batch_size;
    let mut loader = Loader::start(
        datasets,
        &shares,
        config.data.augment,
        config.data.loader.clone(),
        (batch, config.model_config()?.tubelet.patch),
        (config.seed, 0),
    )?;
    println!(
        "{images} images, {} threads, {} MiB for decoded images",
        config.data.loader.workers, config.data.loader.cache_mib
    );
    for epoch in 1..=EPOCHS {
        let begun = Instant::now();
        let batches = images.div_ceil(batch);
        for _ in 0..batches {
            loader.next_batch()?;
        }
        let rate = (batches * batch) as f64 / begun.elapsed().as_secs_f64();
        println!("epoch {epoch}: {rate:.1} images/s");
    }
    Ok(())
}
