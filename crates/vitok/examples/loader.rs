//! Images a second of the data loader alone: in the first epoch from the files, then, where they fit, from the cache of
//! decoded images.
//!
//! `cargo run --release -p vitok --example loader -- CONFIG [KEY=VALUE…]`

use std::path::Path;
use std::time::Instant;

use vitok::data::{Loader, LoaderOptions};
use vitok::observe::Silent;
use vitok::train::TrainConfig;
use vitok::{Error, Result};

/// Epochs timed.
const EPOCHS: usize = 3;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = || Error::InvalidArgument("usage: loader CONFIG [KEY=VALUE…]".into());
    let path = arguments.next().ok_or_else(usage)?;
    let config = TrainConfig::read(Path::new(&path), &arguments.collect::<Vec<_>>())?;
    let (datasets, weights) = config.data.open(&Silent)?;
    let images: usize = datasets.iter().map(|dataset| dataset.samples().len()).sum();
    let batch_size = config.train.batch_size;
    let options = LoaderOptions {
        augment: config.data.augment,
        config: config.data.loader.clone(),
        batch_size,
        patch_size: config.model_config()?.tubelet.patch,
        seed: config.seed,
        first_position: 0,
    };
    let mut loader = Loader::start(datasets, &weights, options)?;
    println!(
        "{images} images, {} workers, {} MiB for decoded images",
        config.data.loader.workers, config.data.loader.cache_mib
    );
    for epoch in 1..=EPOCHS {
        let started = Instant::now();
        let batches = images.div_ceil(batch_size);
        for _ in 0..batches {
            loader.next_batch()?;
        }
        let images_per_second = (batches * batch_size) as f64 / started.elapsed().as_secs_f64();
        println!("epoch {epoch}: {images_per_second:.1} images/s");
    }
    Ok(())
}
