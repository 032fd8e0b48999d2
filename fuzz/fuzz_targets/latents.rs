//! Latent files.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    vitok_fuzz::with_file("latents.safetensors", bytes, |path| {
        if let Ok((latents, _)) = vitok::Latents::read(path) {
            assert_eq!(latents.values.len(), latents.grid.tokens() * latents.channels);
        }
    });
});
