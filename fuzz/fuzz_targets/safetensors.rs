//! Safetensors files: the header and every tensor it describes.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    vitok_fuzz::with_file("model.safetensors", bytes, |path| {
        let Ok(mut file) = vitok::weights::TensorFile::open(path) else {
            return;
        };
        for name in file.names() {
            let _ = file.read(&name);
        }
    });
});
