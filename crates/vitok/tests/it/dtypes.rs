//! Weights of every dtype: what is read of them, and what storing them in a narrower one loses.

use safetensors::Dtype as D;
use safetensors::tensor::TensorView;
use vitok::tokenizer::LoadPart;
use vitok::tokenizer::vit::{ModelConfig, VitTokenizer, WeightsFormat};
use vitok::weights::{Dtype, TensorFile, Underflow, read_state_dict};
use vitok::{Error, Remedy};

use crate::weights::{V2, device, load_error, pixels, small, tensors};

/// A model of which one weight has this value, and another tensor's are all this small.
fn with_values(large: f32, small: f32) -> VitTokenizer {
    let config = ModelConfig::of_variant(V2).unwrap();
    let values = |path: &str, shape: &[usize]| {
        let mut values = vec![0.5; shape.iter().product()];
        match path {
            "decoder.decoder_embed.weight" => values[7] = large,
            "encoder.to_code.bias" => values.fill(small),
            _ => {}
        }
        Ok(values)
    };
    VitTokenizer::from_values(config, &device(), values).unwrap()
}

#[test]
fn what_a_dtype_cannot_hold_is_refused_before_anything_is_written() {
    for format in [WeightsFormat::Vitok, WeightsFormat::Release] {
        for (value, dtype, wide_enough) in [
            (-65520.0, Dtype::F16, vec!["bf16", "f32"]),
            (f32::MAX, Dtype::F16, vec!["f32"]),
            (f32::MAX, Dtype::Bf16, vec!["f32"]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let error = with_values(value, 0.5).save(folder.path(), format, dtype).unwrap_err();
            let text = error.to_string();
            assert!(
                text.contains("decoder_embed.weight") && text.contains(dtype.name()),
                "{text}"
            );
            assert!(matches!(&error, Error::WeightRange { value: found, .. } if *found == value));
            assert_eq!(error.remedies(), [Remedy::StoreAs(wide_enough)]);
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{format:?}");
        }
        let folder = tempfile::tempdir().unwrap();
        for dtype in Dtype::STORABLE {
            let lost = with_values(-65504.0, 0.5).save(folder.path(), format, dtype).unwrap();
            assert_eq!(lost, []);
        }
        VitTokenizer::load(folder.path(), LoadPart::Both, None, &device()).unwrap();
    }
}

#[test]
fn what_becomes_zero_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let save = |dtype| {
        with_values(0.5, 1e-8)
            .save(folder.path(), WeightsFormat::Vitok, dtype)
            .unwrap()
    };
    let lost = Underflow {
        tensor: "to_code.bias".into(),
        zeros: 6,
        values: 6,
    };
    assert_eq!(save(Dtype::F16), [lost]);
    assert_eq!(save(Dtype::Bf16), []);
    assert_eq!(save(Dtype::F32), []);
}

/// A file of one tensor of each dtype, and what f32 makes of it.
#[test]
fn every_dtype_of_the_format_is_read() {
    let all: [(D, Vec<u8>, [f32; 2]); 18] = [
        (D::BOOL, vec![0, 1], [0.0, 1.0]),
        (D::U8, vec![0, 255], [0.0, 255.0]),
        (D::I8, vec![127, 128], [127.0, -128.0]),
        (D::F8_E4M3, vec![0x38, 0xfe], [1.0, -448.0]),
        (D::F8_E5M2, vec![0x3c, 0xfb], [1.0, -57344.0]),
        (D::F8_E8M0, vec![127, 117], [1.0, 2f32.powi(-10)]),
        (D::F8_E4M3FNUZ, vec![0x40, 0xff], [1.0, -240.0]),
        (D::F8_E5M2FNUZ, vec![0x40, 0xff], [1.0, -57344.0]),
        (D::I16, [3i16, -4].map(i16::to_le_bytes).concat(), [3.0, -4.0]),
        (D::U16, [3u16, 65535].map(u16::to_le_bytes).concat(), [3.0, 65535.0]),
        (D::F16, vec![0, 0x3c, 0, 0xc0], [1.0, -2.0]),
        (D::BF16, vec![0x80, 0x3f, 0, 0xc0], [1.0, -2.0]),
        (D::I32, [3i32, -4].map(i32::to_le_bytes).concat(), [3.0, -4.0]),
        (D::U32, [3u32, 4].map(u32::to_le_bytes).concat(), [3.0, 4.0]),
        (D::F32, [1.5f32, -2.0].map(f32::to_le_bytes).concat(), [1.5, -2.0]),
        (D::F64, [1.5f64, -0.1].map(f64::to_le_bytes).concat(), [1.5, -0.1]),
        (
            D::I64,
            [391_000i64, -4].map(i64::to_le_bytes).concat(),
            [391_000.0, -4.0],
        ),
        (D::U64, [3u64, 4].map(u64::to_le_bytes).concat(), [3.0, 4.0]),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let save = |tensors: &[(D, Vec<u8>)]| {
        let views = tensors.iter().map(|(dtype, bytes)| {
            let view = TensorView::new(*dtype, vec![2], bytes).unwrap();
            (format!("{dtype:?}"), view)
        });
        safetensors::serialize_to_file(views, None, &path).unwrap();
    };
    save(&all.clone().map(|(dtype, bytes, _)| (dtype, bytes)));
    let arrays = read_state_dict(&path).unwrap();
    let mut file = TensorFile::open(&path).unwrap();
    for (dtype, _, values) in &all {
        let name = format!("{dtype:?}");
        assert_eq!(file.read(&name).unwrap(), values, "{name}");
        assert_eq!(arrays[&name].values, values, "{name}");
    }
    for (bytes, word) in [(f64::NAN, "NaN"), (1e300, "beyond f32")] {
        save(&[(D::F64, [1.0, bytes].map(f64::to_le_bytes).concat())]);
        let error = read_state_dict(&path).unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("F64"), "{error}");
    }
    save(&[(D::C64, vec![0; 16])]);
    let error = read_state_dict(&path).unwrap_err().to_string();
    assert!(error.contains("C64"), "{error}");
}

/// Weights in f64, with the counters and positions that PyTorch saves beside them.
#[test]
fn buffers_beside_the_weights_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let (weights, half) = (tensors(folder.path()), vec![0, 0x3c]);
    let mut all: Vec<(String, D, Vec<usize>, Vec<u8>)> = Vec::new();
    for (name, shape, values) in weights {
        let bytes = values.iter().flat_map(|v| f64::from(*v).to_le_bytes()).collect();
        all.push((name, D::F64, shape, bytes));
    }
    let save = |all: &[(String, D, Vec<usize>, Vec<u8>)]| {
        let views = all
            .iter()
            .map(|(name, dtype, shape, bytes)| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize_to_file(views, None, &path).unwrap();
    };
    for (name, dtype, bytes) in [
        ("encoder_blocks.0.norm.num_batches_tracked", D::I64, vec![0; 8]),
        ("encoder_mask", D::BOOL, vec![1]),
        ("position_ids", D::F16, half.clone()),
    ] {
        all.push((name.into(), dtype, vec![1], bytes));
    }
    save(&all);
    let back = VitTokenizer::load(&path, LoadPart::Both, None, &device()).unwrap();
    assert_eq!(pixels(&back), pixels(&small(V2)));
    all.push(("temperature".into(), D::F16, vec![1], half));
    save(&all);
    assert!(load_error(&path).contains("unexpected: temperature"));
}
