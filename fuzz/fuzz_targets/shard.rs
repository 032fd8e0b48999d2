//! WebDataset shards: the index of a tar file, and what its entries hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitok::data::Dataset;
use vitok::media::ReadOptions;

fuzz_target!(|bytes: &[u8]| {
    vitok_fuzz::with_file("shard.tar", bytes, |path| {
        let Ok(dataset) = Dataset::open(path) else {
            return;
        };
        // Decoders have a target of their own; small images keep this one quick.
        let options = ReadOptions {
            max_pixels: 1 << 12,
            ..Default::default()
        };
        for index in 0..dataset.samples().len().min(4) {
            let _ = dataset.clip(index, &options);
            let _ = dataset.class(index);
        }
    });
});
