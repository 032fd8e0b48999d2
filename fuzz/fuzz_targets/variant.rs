//! Variant names: what parses prints as a name that parses to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitok::tokenizer::vit::Variant;

fuzz_target!(|name: &str| {
    if let Ok(variant) = name.parse::<Variant>() {
        let again: Variant = variant.to_string().parse().expect("a printed name parses");
        assert_eq!(again, variant);
    }
});
