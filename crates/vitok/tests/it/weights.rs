//! Weights on disk: round trips, halves, precisions, and everything that can be wrong with a file.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use vitok::Remedy;
use vitok::media::ClipShape;
use vitok::patches::TokenGrid;
use vitok::tokenizer::Latents;
use vitok::tokenizer::LoadPart;
use vitok::tokenizer::vit::{Bottleneck, ModelConfig, ModelSpec, VitTokenizer, WeightsFormat, config_of_files};
use vitok::weights::{Dtype, NewTensor, TensorFile, write_tensors};

pub(crate) fn device() -> Device {
    Device::flex()
}

pub(crate) fn small(variant: &str) -> VitTokenizer {
    VitTokenizer::random(ModelConfig::of_variant(variant).unwrap(), 3, &device()).unwrap()
}

fn code() -> Latents {
    let grid = TokenGrid {
        frames: 1,
        rows: 2,
        cols: 2,
    };
    let values = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
    Latents::new(values, 6, grid, ClipShape::image(7, 8)).unwrap()
}

pub(crate) fn pixels(model: &VitTokenizer) -> Vec<f32> {
    let clip = model.decode_tensors(&[code()]).unwrap().remove(0);
    clip.try_into_vec_as().unwrap()
}

pub(crate) const V2: &str = "w32_d2_h2-w48_d3_h4/1x4x6";

#[test]
fn both_layouts_give_the_same_model_back() {
    for variant in [V2, "paper:w24_d1_h2/1x4x6"] {
        let model = small(variant);
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path(), WeightsFormat::Vitok, Dtype::F32).unwrap();
        let back = VitTokenizer::load(folder.path(), LoadPart::Both, None, &device()).unwrap();
        assert_eq!(back.config(), model.config());
        assert_eq!(back.fingerprint(), model.fingerprint());
        assert_eq!(pixels(&back), pixels(&model));
        // The file alone knows its plan.
        let file = folder.path().join("model.safetensors");
        let back = VitTokenizer::load(&file, LoadPart::Both, None, &device()).unwrap();
        assert_eq!(back.config(), model.config());
    }
}

/// Copies the tensors of a file without its metadata, as another program would save them.
fn without_metadata(from: &Path, to: &Path) {
    let mut file = TensorFile::open(from).unwrap();
    let mut tensors = Vec::new();
    for name in file.names() {
        let shape = file.shape(&name).unwrap().to_vec();
        let values = file.read(&name).unwrap();
        tensors.push((name, shape, values));
    }
    write(to, tensors);
}

/// A model in the release's layout, as we write it and as the release has it: without a config.
fn release(model: &VitTokenizer) -> [tempfile::TempDir; 2] {
    let [ours, bare] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    model.save(ours.path(), WeightsFormat::Release, Dtype::F32).unwrap();
    for name in ["encoder.safetensors", "decoder.safetensors"] {
        without_metadata(&ours.path().join(name), &bare.path().join(name));
    }
    [ours, bare]
}

#[test]
fn the_releases_layout_gives_the_same_model_back() {
    let model = small(V2);
    let [ours, bare] = release(&model);
    let back = VitTokenizer::load(ours.path(), LoadPart::Both, None, &device()).unwrap();
    assert_eq!(back.config(), model.config());
    assert_eq!(pixels(&back), pixels(&model));
    // Somebody else's config, as repositories have.
    std::fs::write(bare.path().join("config.json"), r#"{"model_type": "vitok"}"#).unwrap();
    let back = VitTokenizer::load(bare.path(), LoadPart::Both, None, &device()).unwrap();
    let mut plan = model.config().clone();
    plan.layer_scale = back.config().layer_scale;
    assert_eq!(back.config(), &plan, "the plan is read off the shapes");
    assert_eq!(back.fingerprint(), model.fingerprint());
    assert_eq!(pixels(&back), pixels(&model));
}

/// What shapes do not tell travels with the files in every layout, or is refused.
#[test]
fn the_releases_layout_carries_every_model() {
    let kl = ModelSpec {
        bottleneck: Some(Bottleneck::Kl),
        ..ModelSpec::new(V2)
    };
    for config in [
        ModelConfig::resolve(&kl).unwrap(),
        ModelConfig::of_variant("paper:w24_d1_h2/2x4x6").unwrap(),
    ] {
        let model = VitTokenizer::random(config.clone(), 3, &device()).unwrap();
        let [ours, bare] = release(&model);
        let encoder = ours.path().join("encoder.safetensors");
        let decoder = ours.path().join("decoder.safetensors");
        let parts = [LoadPart::Both, LoadPart::Encoder, LoadPart::Decoder].map(|part| (ours.path(), part));
        let alone = [
            (encoder.as_path(), LoadPart::Encoder),
            (decoder.as_path(), LoadPart::Decoder),
        ];
        for (path, part) in parts.into_iter().chain(alone) {
            let back = VitTokenizer::load(path, part, None, &device()).unwrap();
            assert_eq!(back.config(), &config, "{part:?} of {}", path.display());
        }
        // Either the config beside or that in the files is enough.
        std::fs::remove_file(ours.path().join("config.json")).unwrap();
        assert_eq!(config_of_files(ours.path()).unwrap(), config);
        let json = serde_json::to_string(&config).unwrap();
        for part in [LoadPart::Both, LoadPart::Encoder] {
            let error = VitTokenizer::load(bare.path(), part, None, &device()).unwrap_err();
            assert_eq!(error.remedies(), [Remedy::NameVariant], "{error}");
        }
        std::fs::write(bare.path().join("config.json"), json).unwrap();
        assert_eq!(config_of_files(bare.path()).unwrap(), config);
    }
}

#[test]
fn saving_twice_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str| {
        let to = folder.path().join(name);
        small(V2).save(&to, WeightsFormat::Vitok, Dtype::F16).unwrap();
        std::fs::read(to.join("model.safetensors")).unwrap()
    };
    assert_eq!(save("a"), save("b"));
}

#[test]
fn half_precision_files_load() {
    let model = small(V2);
    let exact = pixels(&model);
    for (dtype, limit) in [(Dtype::F16, 5e-3), (Dtype::Bf16, 5e-2)] {
        let folder = tempfile::tempdir().unwrap();
        model.save(folder.path(), WeightsFormat::Release, dtype).unwrap();
        let back = VitTokenizer::load(folder.path(), LoadPart::Both, None, &device()).unwrap();
        let off = crate::golden::relative_difference(&pixels(&back), &exact);
        assert!(off > 0.0 && off < limit, "{dtype:?}: {off}");
    }
}

#[test]
fn either_half_loads_alone() {
    let model = small(V2);
    let folder = tempfile::tempdir().unwrap();
    model.save(folder.path(), WeightsFormat::Release, Dtype::F32).unwrap();
    let encoder = folder.path().join("encoder.safetensors");
    let decoder = folder.path().join("decoder.safetensors");
    for path in [folder.path(), &decoder] {
        let half = VitTokenizer::load(path, LoadPart::Decoder, None, &device()).unwrap();
        assert_eq!(pixels(&half), pixels(&model));
        let known = if path == decoder { "" } else { model.fingerprint() };
        assert_eq!(half.fingerprint(), known);
        assert!(half.network().encoder.is_none());
    }
    for path in [folder.path(), &encoder] {
        let half = VitTokenizer::load(path, LoadPart::Encoder, None, &device()).unwrap();
        assert_eq!(half.fingerprint(), model.fingerprint());
        let error = half.decode_tensors(&[code()]).unwrap_err().to_string();
        assert!(error.contains("no decoder"), "{error}");
    }
    let error = load_error(&encoder);
    assert!(error.contains("missing: decoder_"), "{error}");
}

pub(crate) fn load_error(path: &Path) -> String {
    match VitTokenizer::load(path, LoadPart::Both, None, &device()) {
        Ok(_) => panic!("{} loaded", path.display()),
        Err(error) => error.to_string(),
    }
}

/// All tensors of a small model, to be spoilt.
pub(crate) fn tensors(folder: &Path) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    small(V2).save(folder, WeightsFormat::Vitok, Dtype::F32).unwrap();
    let mut file = TensorFile::open(&folder.join("model.safetensors")).unwrap();
    let each = |name: String| {
        let shape = file.shape(&name).unwrap().to_vec();
        let values = file.read(&name).unwrap();
        (name, shape, values)
    };
    file_names(folder).into_iter().map(each).collect()
}

fn file_names(folder: &Path) -> Vec<String> {
    TensorFile::open(&folder.join("model.safetensors")).unwrap().names()
}

fn write(path: &Path, tensors: Vec<(String, Vec<usize>, Vec<f32>)>) {
    let tensors = tensors.into_iter().map(|(name, shape, values)| NewTensor {
        name,
        shape,
        values: Box::new(move || Ok(values)),
    });
    write_tensors(path, &BTreeMap::new(), tensors.collect(), Dtype::F32).unwrap();
}

#[test]
fn wrong_tensors_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spoilt.safetensors");
    let good = tensors(folder.path());

    let mut missing = good.clone();
    missing.retain(|(name, ..)| name != "encoder_blocks.1.ffn.fc1.weight");
    write(&path, missing);
    let error = load_error(&path);
    assert!(error.contains("spoilt.safetensors"), "{error}");
    assert!(error.contains("missing: encoder_blocks.1.ffn.fc1.weight"), "{error}");

    let mut extra = good.clone();
    extra.push(("optimizer.step".into(), vec![1], vec![1.0]));
    write(&path, extra);
    let error = load_error(&path);
    assert!(error.contains("unexpected: optimizer.step"), "{error}");

    let mut misshaped = good.clone();
    for (name, shape, values) in &mut misshaped {
        if name == "to_code.bias" {
            *shape = vec![7];
            values.push(0.0);
        }
    }
    write(&path, misshaped);
    let error = load_error(&path);
    assert!(error.contains("to_code.bias is [7], expected [6]"), "{error}");

    for rubbish in [f32::NAN, f32::INFINITY] {
        let mut spoilt = good.clone();
        spoilt[5].2[1] = rubbish;
        let name = spoilt[5].0.clone();
        write(&path, spoilt);
        let error = load_error(&path);
        assert!(error.contains(&name) && error.contains("spoilt.safetensors"), "{error}");
    }
}

#[test]
fn damaged_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    tensors(folder.path());
    let good = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let path = folder.path().join("damaged.safetensors");
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;

    let mut lying_length = good.clone();
    lying_length[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    let mut longer_header = good.clone();
    longer_header[..8].copy_from_slice(&((header + 64) as u64).to_le_bytes());
    let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
    let lying_offsets = [
        &good[..8],
        text.replacen("[0,", "[1,", 1).as_bytes(),
        &good[8 + header..],
    ]
    .concat();
    let cases: [(&str, Vec<u8>); 7] = [
        ("empty", vec![]),
        ("tiny", vec![1, 2, 3]),
        ("text", b"this is not a model at all, just text".to_vec()),
        ("truncated", good[..good.len() - 100].to_vec()),
        ("lying length", lying_length),
        ("longer header", longer_header),
        ("lying offsets", lying_offsets),
    ];
    for (what, bytes) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = load_error(&path);
        assert!(error.contains("damaged.safetensors"), "{what}: {error}");
        println!("{what}: {error}");
    }
    // A header that announces more data than any machine has must not be believed.
    let bomb = br#"{"patch_embed.weight":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}"#;
    let mut bytes = (bomb.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(bomb);
    bytes.extend_from_slice(&[0; 16]);
    std::fs::write(&path, bytes).unwrap();
    assert!(load_error(&path).contains("damaged"));

    assert!(load_error(&folder.path().join("nowhere")).contains("nowhere"));
    let empty = folder.path().join("empty-folder");
    std::fs::create_dir(&empty).unwrap();
    assert!(load_error(&empty).contains("no model here"));
}

#[test]
fn a_config_with_a_misspelt_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    tensors(folder.path());
    let config = folder.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("\"channels\"", "\"chanels\"")).unwrap();
    let error = load_error(folder.path());
    assert!(error.contains("config.json") && error.contains("chanels"), "{error}");
}

#[test]
fn initial_values_depend_on_name_and_seed_alone() {
    let [a, b] =
        [1, 1].map(|seed| VitTokenizer::random(ModelConfig::of_variant(V2).unwrap(), seed, &device()).unwrap());
    assert_eq!(a.fingerprint(), b.fingerprint());
    let other = VitTokenizer::random(ModelConfig::of_variant(V2).unwrap(), 2, &device()).unwrap();
    assert_ne!(a.fingerprint(), other.fingerprint());
}
