//! Latent files.

use vitok::media::ClipShape;
use vitok::patches::TokenGrid;
use vitok::tokenizer::vit::ModelConfig;
use vitok::tokenizer::{Latents, LatentsInfo, TokenizerInfo};
use vitok::weights::Dtype;

fn some() -> (Latents, LatentsInfo) {
    let shape = ClipShape {
        frames: 5,
        height: 17,
        width: 40,
    };
    let plan = ModelConfig::of_variant("S-B/4x16").unwrap();
    let grid = TokenGrid::covering(shape, plan.tubelet);
    let values = (0..grid.tokens() * 16).map(|i| (i as f32 * 0.37).sin() * 3.0).collect();
    let latents = Latents::new(values, 16, grid, shape).unwrap();
    let tokenizer = TokenizerInfo {
        kind: "vit".into(),
        name: plan.variant,
        fingerprint: "0123456789abcdef".into(),
    };
    let latents = Latents {
        fps: Some(8.0),
        ..latents
    };
    let mut info = LatentsInfo::new(&latents, tokenizer);
    info.source = Some("clip \"one\".gif".into());
    (latents, info)
}

#[test]
fn what_is_written_is_read_back() {
    let (latents, info) = some();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/folder/a.safetensors");
    latents.write(&path, &info, Dtype::F32).unwrap();
    let (back, about) = Latents::read(&path).unwrap();
    assert_eq!(back, latents);
    assert_eq!(about, info);
    assert_eq!(
        about.grid,
        TokenGrid {
            frames: 2,
            rows: 2,
            cols: 3
        }
    );

    latents.write(&path, &info, Dtype::F16).unwrap();
    let (back, _) = Latents::read(&path).unwrap();
    let off = crate::golden::relative_difference(&back.values, &latents.values);
    assert!(off > 0.0 && off < 1e-3, "{off}");
    // Nothing but the file is left behind.
    let parent = path.parent().unwrap();
    assert_eq!(std::fs::read_dir(parent).unwrap().count(), 1);
}

#[test]
fn statistics_are_those_of_the_values() {
    let grid = TokenGrid {
        frames: 1,
        rows: 1,
        cols: 2,
    };
    let latents = Latents::new(vec![1.0, 10.0, 3.0, -2.0], 2, grid, ClipShape::image(2, 1)).unwrap();
    let s = latents.statistics();
    assert_eq!((s.mean, s.std), (vec![2.0, 4.0], vec![1.0, 6.0]));
    assert_eq!((s.min, s.max), (-2.0, 10.0));
}

#[test]
fn other_files_are_refused() {
    let (latents, info) = some();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let refused = |why: &str| {
        let error = Latents::read(&path).unwrap_err().to_string();
        assert!(error.contains("a.safetensors") && error.contains(why), "{error}");
    };
    std::fs::write(&path, b"").unwrap();
    refused("too few");
    std::fs::write(&path, b"hello, hello, hello, hello").unwrap();
    refused("not a safetensors file");
    latents.write(&path, &info, Dtype::F32).unwrap();
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &good[..good.len() - 4]).unwrap();
    refused("bytes long");
    let swap = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = good.windows(from.len()).position(|w| w == from.as_bytes());
        let mut bytes = good.clone();
        let at = at.unwrap_or_else(|| panic!("{from} is in the header"));
        bytes[at..at + from.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&path, bytes).unwrap();
    };
    swap("vitok-latents/2", "vitok-latents/9");
    refused("vitok-latents/9");
    swap(r#"\"rows\":2"#, r#"\"rows\":9"#);
    refused("grid");
    swap("\"statistics\"", "\"statistigs\"");
    refused("statistics");
    // A NaN in the values.
    let mut bytes = good.clone();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    refused("NaN");
}

#[test]
fn latents_of_another_model_do_not_decode() {
    let (latents, _) = some();
    let fits = |variant: &str| {
        let config = ModelConfig::of_variant(variant).unwrap();
        latents.check_fits(variant, config.latent_shape(latents.shape)).is_ok()
    };
    assert!(fits("S-B/4x16"));
    for other in ["S-B/4x16x8", "S-B/8x16", "S-B/4x8"] {
        assert!(!fits(other), "{other}");
    }
}
