//! Weight files of other tools: `torch.save` in both formats, pickled numpy arrays. Whatever the bytes, no code runs, no
//! panic, no memory beyond the file's own measure.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    vitok_fuzz::with_file("weights.pth", bytes, |path| {
        let _ = vitok::weights::read_state_dict(path);
    });
});
