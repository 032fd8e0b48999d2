//! Sizes, order and padding change nothing.

use burn::tensor::{Device, Tensor, TensorData};
use proptest::prelude::*;
use vitok::nn::Attention;
use vitok::patches::Tubelet;
use vitok::patches::{patchify, unpatchify};
use vitok::tokenizer::vit::{Activations, VitTokenizer};
use vitok::tokenizer::vit::{ModelConfig, ModelSpec};

/// A clip of made-up values in [-1, 1].
fn clip(frames: usize, height: usize, width: usize, seed: u32) -> Tensor<4> {
    let count = 3 * frames * height * width;
    let mut state = seed.wrapping_mul(2654435761).max(1);
    let values: Vec<f32> = (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state as f32 / u32::MAX as f32 * 2.0 - 1.0
        })
        .collect();
    let shape = [3, frames, height, width];
    Tensor::from_data(TensorData::new(values, shape), &Device::flex())
}

fn host(x: &Tensor<4>) -> Vec<f32> {
    x.clone().try_into_vec_as().unwrap()
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let each = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    each.fold(0.0, |m, d| if d.is_nan() { f32::INFINITY } else { m.max(d) })
}

fn sizes() -> impl Strategy<Value = (usize, usize, usize)> {
    (1usize..6, 1usize..20, 1usize..20)
}

/// One model for each kind of block, bottleneck, rope and attention.
fn models() -> Vec<VitTokenizer> {
    let spec = |variant: &str, attention| ModelSpec {
        attention,
        // Large enough that the blocks matter beside the residual stream.
        layer_scale: Some(0.5),
        ..ModelSpec::new(variant)
    };
    let specs = [
        spec("w32_d2_h2/1x4x6", None),
        spec("w32_d2_h2/1x4x6", Some(Attention::Window(3))),
        spec("w32_d2_h2-w48_d1_h2/2x4x6", None),
        spec("paper:w24_d2_h2-w36_d1_h3/2x4x5", None),
        spec("paper:w24_d2_h2/2x4x5", Some(Attention::BlockCausal)),
    ];
    let build = |(i, s): (usize, &ModelSpec)| {
        VitTokenizer::random(ModelConfig::resolve(s).unwrap(), i as u64, &Device::flex()).unwrap()
    };
    specs.iter().enumerate().map(build).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn patchify_and_unpatchify_are_exact_inverses(
        clips in prop::collection::vec(sizes(), 1..4),
        frames in 1usize..5, patch in 1usize..9, extra in 0usize..5,
    ) {
        let tubelet = Tubelet { frames, patch };
        let clips: Vec<_> = clips.iter().enumerate()
            .map(|(i, &(t, h, w))| clip(t, h, w, i as u32 + 1)).collect();
        let batch = patchify(&clips, tubelet, None).unwrap();
        let batch = patchify(&clips, tubelet, Some(batch.layout.length() + extra)).unwrap();
        let back = unpatchify(&batch, tubelet).unwrap();
        for (a, b) in clips.iter().zip(&back) {
            prop_assert_eq!(a.dims(), b.dims());
            prop_assert_eq!(host(a), host(b));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// A batch of any sizes, in any order and with any padding, gives each clip the answer it gets alone.
    #[test]
    fn batching_and_padding_change_nothing(
        clips in prop::collection::vec(sizes(), 1..4), extra in 0usize..7,
    ) {
        let clips: Vec<_> = clips.iter().enumerate()
            .map(|(i, &(t, h, w))| clip(t, h, w, i as u32 + 1)).collect();
        for model in models() {
            let name = &model.config().variant;
            let alone: Vec<_> = clips.iter()
                .map(|c| model.encode_tensors(std::slice::from_ref(c)).unwrap().remove(0)).collect();
            let decoded: Vec<_> = alone.iter()
                .map(|z| model.decode_tensors(std::slice::from_ref(z)).unwrap().remove(0)).collect();
            for (c, d) in clips.iter().zip(&decoded) {
                prop_assert_eq!(c.dims(), d.dims());
            }
            let reversed: Vec<_> = clips.iter().rev().cloned().collect();
            let together = model.encode_tensors(&reversed).unwrap();
            for (a, b) in alone.iter().rev().zip(&together) {
                prop_assert_eq!((a.grid, a.shape), (b.grid, b.shape));
                let off = largest_difference(&a.values, &b.values);
                prop_assert!(off <= 1e-5, "{}: latents off by {}", name, off);
            }
            let back = model.decode_tensors(&together).unwrap();
            for (a, b) in decoded.iter().rev().zip(&back) {
                let off = largest_difference(&host(a), &host(b));
                prop_assert!(off <= 1e-5, "{}: pixels off by {}", name, off);
            }
            if !model.config().frame_by_frame() {
                let batch = patchify(&clips, model.config().tubelet, None).unwrap();
                let length = batch.layout.length() + extra;
                let batch = patchify(&clips, model.config().tubelet, Some(length)).unwrap();
                let code = model.forward_encoder(&batch, &mut Activations::off()).unwrap().latents;
                let c = model.config().channels;
                let values: Vec<f32> = code.tokens.try_into_vec_as().unwrap();
                for (row, one) in values.chunks(length * c).zip(&alone) {
                    let (real, padding) = row.split_at(one.values.len());
                    prop_assert!(largest_difference(real, &one.values) <= 1e-5);
                    prop_assert!(padding.iter().all(|&v| v == 0.0));
                }
            }
        }
    }
}

/// With block-causal attention, later frames do not change the code of earlier ones.
#[test]
fn block_causal_attention_looks_back_only() {
    let model = models().remove(4);
    let long = clip(6, 8, 12, 9);
    let short = long.clone().slice([0..3, 0..4, 0..8, 0..12]);
    let codes: Vec<_> = [long, short]
        .iter()
        .map(|c| model.encode_tensors(std::slice::from_ref(c)).unwrap().remove(0))
        .collect();
    let known = codes[1].values.len();
    assert!(known < codes[0].values.len());
    assert!(largest_difference(&codes[0].values[..known], &codes[1].values) < 1e-5);
    // And full attention does look ahead, so the test above can fail.
    let model = models().remove(3);
    let long = clip(6, 8, 12, 9);
    let short = long.clone().slice([0..3, 0..4, 0..8, 0..12]);
    let long = model.encode_tensors(&[long]).unwrap().remove(0);
    let short = model.encode_tensors(&[short]).unwrap().remove(0);
    assert!(largest_difference(&long.values[..short.values.len()], &short.values) > 1e-3);
}

/// A model without a time axis codes each frame as an image of its own.
#[test]
fn frame_by_frame_equals_images() {
    let model = models().remove(0);
    let video = clip(3, 9, 7, 4);
    let together = model.encode_tensors(std::slice::from_ref(&video)).unwrap().remove(0);
    let frames: Vec<_> = video.split(1, 1);
    let apart = model.encode_tensors(&frames).unwrap();
    let apart: Vec<f32> = apart.into_iter().flat_map(|z| z.values).collect();
    assert!(largest_difference(&together.values, &apart) < 1e-6);
    let back = model.decode_tensors(&[together]).unwrap();
    assert_eq!(back[0].dims(), [3, 3, 9, 7]);
}

#[test]
fn an_empty_batch_is_an_error() {
    let model = models().remove(3);
    assert!(model.encode_tensors(&[]).is_err());
    assert!(model.decode_tensors(&[]).is_err());
}
