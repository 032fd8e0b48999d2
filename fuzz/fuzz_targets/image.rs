//! Images and animations of every format. Whatever the bytes, no panic, no memory error in the C libraries, and no more
//! pixels than allowed.
#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use vitok::media::{ReadOptions, decode_image, read_clip};

fuzz_target!(|bytes: &[u8]| {
    // Small images keep it quick.
    let options = ReadOptions {
        max_pixels: 1 << 14,
        ..Default::default()
    };
    if let Ok(image) = decode_image(Path::new("image"), bytes.to_vec(), &options) {
        assert!(image.size().pixels() as u64 <= options.max_pixels);
        vitok_fuzz::with_file("image", bytes, |path| {
            if let Ok(clip) = read_clip(path, &options, 4) {
                assert!(clip.shape().values() as u64 <= 3 * options.max_pixels);
            }
        });
    }
});
