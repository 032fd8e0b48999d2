//! Plans and counts.

use vitok::media::ClipShape;
use vitok::nn::{Attention, Rope};
use vitok::tokenizer::vit::Counts;
use vitok::tokenizer::vit::{ModelConfig, ModelSpec};

fn within_a_percent(what: &str, found: f64, expected: f64) {
    let off = (found / expected - 1.0).abs();
    println!("{what}: {found:.2} (paper {expected})");
    assert!(off < 0.01, "{what}: {found:.2}, the paper has {expected}");
}

/// Table 1 of the paper: millions of parameters and GFLOPs at 256 tokens, counted on the network.
#[test]
fn the_papers_table_1() {
    let at_256 = |name: &str| Counts::new(&ModelConfig::of_variant(name).unwrap(), ClipShape::image(256, 256));
    let millions = |n: u64| n as f64 / 1e6;
    let giga = |n: u64| n as f64 / 1e9;
    let s_b = at_256("S-B/16");
    let l = at_256("L/16");
    assert_eq!(s_b.tokens, 256);
    within_a_percent("S params", millions(s_b.encoder_params), 43.3);
    within_a_percent("B params", millions(s_b.decoder_params), 85.8);
    within_a_percent("L params", millions(l.encoder_params), 383.7);
    within_a_percent("S GFLOPs", giga(s_b.encoder_macs), 11.6);
    within_a_percent("B GFLOPs", giga(s_b.decoder_macs), 23.1);
    within_a_percent("L GFLOPs", giga(l.encoder_macs), 101.8);
    within_a_percent("S-B params", millions(s_b.encoder_params + s_b.decoder_params), 129.0);
    within_a_percent("S-B GFLOPs", giga(s_b.encoder_macs + s_b.decoder_macs), 34.8);
    let s_b = Counts::new(&ModelConfig::of_variant("S-B/16").unwrap(), ClipShape::image(512, 512));
    within_a_percent("S-B GFLOPs at 512", giga(s_b.encoder_macs + s_b.decoder_macs), 160.8);
}

/// The paper's video table: 16 x 128 x 128.
///
/// It prints the image network's cost at the same number of tokens; a tubelet of more than 768
/// values costs more to embed and to predict, which we count.
#[test]
fn the_papers_clips() {
    let shape = ClipShape {
        frames: 16,
        height: 128,
        width: 128,
    };
    for (name, tokens, gflops) in [
        ("S-B/4x8", 1024, 160.8),
        ("S-B/8x8", 512, 73.2),
        ("S-B/4x16", 256, 34.8),
    ] {
        let plan = ModelConfig::of_variant(name).unwrap();
        let counts = Counts::new(&plan, shape);
        assert_eq!(counts.tokens, tokens, "{name}");
        assert_eq!(counts.latent_values, tokens * 16, "{name}");
        let larger_tubelets = 2 * tokens * (plan.patch_values() - 768) * 768;
        let macs = counts.encoder_macs + counts.decoder_macs - larger_tubelets as u64;
        within_a_percent(name, macs as f64 / 1e9, gflops);
    }
}

/// 51M / 303M and 463M / 4.5B as the release states them.
#[test]
fn the_releases_sizes() {
    let shape = ClipShape::image(256, 256);
    let small = Counts::new(&ModelConfig::of_variant("Ld4-Ld24/1x16x64").unwrap(), shape);
    assert_eq!(small.encoder_params.div_ceil(1_000_000), 52);
    assert_eq!(small.decoder_params / 1_000_000, 303);
    let large = Counts::new(&ModelConfig::of_variant("Td4-T/1x16x64").unwrap(), shape);
    assert!((455..470).contains(&(large.encoder_params / 1_000_000)));
    assert!((4_400..4_600).contains(&(large.decoder_params / 1_000_000)));
}

#[test]
fn cheaper_attention_counts_less() {
    let plan = |attention| {
        ModelConfig::resolve(&ModelSpec {
            attention: Some(attention),
            ..ModelSpec::new("S-B/4x16")
        })
        .unwrap()
    };
    let shape = ClipShape {
        frames: 16,
        height: 64,
        width: 64,
    };
    let macs = |attention| Counts::new(&plan(attention), shape).encoder_macs;
    let full = macs(Attention::Full);
    assert_eq!(macs(Attention::Window(1000)), full);
    assert!(macs(Attention::Window(3)) < full);
    assert!(macs(Attention::BlockCausal) < full);
}

#[test]
fn specs_reject_unknown_keys_and_survive_toml() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.toml");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        ModelSpec::read(&path)
    };
    let spec = read("variant = \"S-B/4x16\"\nattention = { window = 7 }\nrope = \"3d\"\n").unwrap();
    assert_eq!(spec.attention, Some(Attention::Window(7)));
    assert_eq!(spec.rope, Some(Rope::ThreeD));
    let causal = read("variant = \"S-B/4x16\"\nattention = \"block-causal\"\n").unwrap();
    assert_eq!(causal.attention, Some(Attention::BlockCausal));

    let error = read("variant = \"S-B/16\"\natention = \"full\"\n")
        .unwrap_err()
        .to_string();
    assert!(error.contains("model.toml"), "{error}");
    assert!(error.contains("atention") && error.contains("attention"), "{error}");
    assert!(error.contains("line 2"), "{error}");
    assert!(read("variant = 3").is_err());
    assert!(read("").unwrap_err().to_string().contains("variant"));
    let missing = ModelSpec::read(&folder.path().join("no.toml")).unwrap_err();
    assert!(missing.to_string().contains("no.toml"));
}

#[test]
fn plans_that_cannot_be_built_are_refused() {
    let refused = |spec: ModelSpec, why: &str| {
        let error = ModelConfig::resolve(&spec).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    // Heads of 6: 2D RoPE turns quarters.
    refused(ModelSpec::new("w12_d1_h2/1x8x4"), "multiple of 4");
    refused(ModelSpec::new("paper:w8_d1_h2/1x8x4"), "at least 6");
    refused(
        ModelSpec {
            rope: Some(Rope::TwoD),
            ..ModelSpec::new("S-B/4x16")
        },
        "knows no time",
    );
}

#[test]
fn plans_survive_json() {
    for name in ["S-B/4x16", "Ld4-Ld24/1x16x64", "w256_d6_h4_m4/1x8x16"] {
        let plan = ModelConfig::of_variant(name).unwrap();
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<ModelConfig>(&json).unwrap(), plan);
        let odd = json.replacen('{', "{\"color\":3,", 1);
        assert!(
            serde_json::from_str::<ModelConfig>(&odd).is_err(),
            "unknown keys are refused"
        );
    }
}
