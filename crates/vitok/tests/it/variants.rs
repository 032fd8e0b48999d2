//! Variant names: every name of the references, and what must not parse.

use proptest::prelude::*;
use vitok::patches::Tubelet;
use vitok::tokenizer::vit::{DEFAULT_MLP_RATIO, Family, Size, Variant};

fn parse(name: &str) -> Variant {
    name.parse().unwrap_or_else(|e| panic!("{e}"))
}

fn size(width: usize, depth: usize, heads: usize) -> Size {
    Size { width, depth, heads }
}

#[test]
fn names_of_the_references() {
    let (s, b, l) = (size(768, 6, 12), size(768, 12, 12), size(1152, 24, 16));
    let paper = [
        ("S-B/16", s, b, 1, 16),
        ("S-L/16", s, l, 1, 16),
        ("B/16", b, b, 1, 16),
        ("L/16", l, l, 1, 16),
        ("S-B/4x8", s, b, 4, 8),
        ("S-B/8x8", s, b, 8, 8),
        ("S-B/4x16", s, b, 4, 16),
    ];
    for (name, encoder, decoder, q, p) in paper {
        let v = parse(name);
        assert_eq!(v.family, Family::Paper, "{name}");
        assert_eq!((v.encoder, v.decoder), (encoder, decoder), "{name}");
        assert_eq!(v.tubelet, Tubelet { frames: q, patch: p }, "{name}");
        assert_eq!(v.channels, 16, "{name}");
        assert_eq!(v.to_string(), name);
    }
    let (l4, l24) = (size(1024, 4, 16), size(1024, 24, 16));
    let (t4, t40) = (size(3072, 4, 24), size(3072, 40, 24));
    let v2 = [
        ("Ld4-L/1x16x16", l4, l24, 16, 16),
        ("Ld4-L/1x16x64", l4, l24, 16, 64),
        ("Td4-T/1x16x32", t4, t40, 16, 32),
        ("Td4-T/1x32x256", t4, t40, 32, 256),
        ("B/1x16x64", size(768, 12, 12), size(768, 12, 12), 16, 64),
        ("G/1x16x64", size(1728, 32, 24), size(1728, 32, 24), 16, 64),
        ("E/1x16x64", size(4096, 48, 32), size(4096, 48, 32), 16, 64),
        ("w256_d6_h4/1x8x16", size(256, 6, 4), size(256, 6, 4), 8, 16),
    ];
    for (name, encoder, decoder, p, c) in v2 {
        let v = parse(name);
        assert_eq!(v.family, Family::V2, "{name}");
        assert_eq!((v.encoder, v.decoder), (encoder, decoder), "{name}");
        assert_eq!(v.tubelet, Tubelet { frames: 1, patch: p }, "{name}");
        assert_eq!(v.channels, c, "{name}");
        assert_eq!(v.to_string(), name);
    }
    // The release writes L's own depth out.
    assert_eq!(parse("Ld4-Ld24/1x16x64").to_string(), "Ld4-L/1x16x64");
    // PxC, the short v2 form.
    assert_eq!(parse("B/16x64"), parse("B/1x16x64"));
    assert_eq!(parse("Ld4-L/16x64"), parse("Ld4-Ld24/1x16x64"));
}

#[test]
fn overrides_come_in_any_order() {
    assert_eq!(parse("Ld4h8/1x16x16"), parse("Lh8d4/1x16x16"));
    assert_eq!(parse("w64_h2_d3/1x8x4"), parse("d3_w64_h2/1x8x4"));
    let v = parse("w64_d1_h2_m4-w32_d2_h2/1x16x6");
    assert_eq!(v.mlp_ratio, 4.0, "the larger of the two sides");
    assert_eq!(v.hidden(64), 256);
}

#[test]
fn hidden_widths() {
    assert_eq!(parse("B/16").hidden(768), 2050, "paper: floor(2.67 * 768)");
    assert_eq!(parse("B/1x16x64").hidden(768), 2048, "v2: to a multiple of 16");
    assert_eq!(parse("T/1x16x64").hidden(3072), 8208);
}

#[test]
fn a_prefix_decides_the_family() {
    assert_eq!(parse("paper:L/1x16x32").encoder.width, 1152);
    assert_eq!(parse("v2:L/16x32").encoder.width, 1024);
    assert_eq!(parse("paper:B-L/1x16x32").to_string(), "paper:B-L/1x16x32");
    assert_eq!(
        parse("S-B/1x16x32").to_string(),
        "S-B/1x16x32",
        "S is the paper's alone"
    );
}

#[test]
fn what_does_not_parse_says_why() {
    let bad = [
        ("", "expected SIZES/NUMBERS"),
        ("S-B", "expected SIZES/NUMBERS"),
        ("S-B/", "whole number"),
        ("S-B/0", "whole number"),
        ("S-B/4x16x16x16", "three numbers"),
        ("S-B/16.5", "whole number"),
        ("S-G/16", "no size G in the paper family"),
        ("Q/16", "no size Q"),
        ("d4/1x16x16", "no width"),
        ("w100_d2_h3/1x8x4", "does not divide"),
        ("Ld4d5/1x16x16", "stands twice"),
        ("Lz4/1x16x16", "none of w (width)"),
        ("w256_d6_h4/16", "PxC or QxPxC"),
        ("v3:B/16", "no family"),
        ("S-B/16 ", "whole number"),
        ("w99999999999999999999_d1_h1/1x1x1", "whole number"),
        ("Lm0/1x16x16", "MLP ratio"),
        ("Ł/16", "none of w"),
        ("B_/1x16x16", "underscore"),
    ];
    for (name, reason) in bad {
        let error = name.parse::<Variant>().expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
        assert!(error.contains(name), "the name is in: {error}");
    }
}

fn any_variant() -> impl Strategy<Value = Variant> {
    let side = || {
        let named = prop::sample::select(vec![
            size(768, 6, 12),
            size(768, 12, 12),
            size(1152, 24, 16),
            size(1024, 24, 16),
            size(1728, 32, 24),
        ]);
        let free = (1usize..9, 1usize..9, 1usize..9).prop_map(|(w, d, h)| size(w * h * 12, d, h));
        prop_oneof![named, free]
    };
    (
        prop::bool::ANY,
        side(),
        side(),
        prop::sample::select(vec![DEFAULT_MLP_RATIO, 2.0, 4.0, 3.25]),
        1usize..17,
        1usize..65,
        1usize..129,
    )
        .prop_map(
            |(paper, encoder, decoder, mlp_ratio, frames, patch, channels)| Variant {
                family: if paper { Family::Paper } else { Family::V2 },
                encoder,
                decoder,
                mlp_ratio,
                tubelet: Tubelet { frames, patch },
                channels,
            },
        )
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverses(variant in any_variant()) {
        let name = variant.to_string();
        prop_assert_eq!(parse(&name), variant, "{}", name);
    }

    #[test]
    fn no_text_panics(text in "[a-zA-Z0-9_:/.x-]{0,24}|\\PC{0,12}") {
        let _ = text.parse::<Variant>();
    }
}
