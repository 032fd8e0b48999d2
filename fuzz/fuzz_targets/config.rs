//! Training configurations.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    vitok_fuzz::with_file("config.toml", bytes, |path| {
        let _ = vitok::train::TrainConfig::read(path, &[]);
    });
});
