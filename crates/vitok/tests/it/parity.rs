//! Every tokenizer golden: outputs, latents, moments, intermediates, gradients.
//!
//! Tolerances: 2e-4 of a tensor's own scale; 1e-3 for gradients.

use burn::tensor::{Device, Tensor};
use vitok::media::ClipShape;
use vitok::nn::Attention;
use vitok::nn::params;
use vitok::patches::{BatchLayout, Sequence, TokenBatch, TokenGrid, patchify, unpatchify};
use vitok::tokenizer::vit::{Activations, Decoder, Encoder, Network, VitTokenizer};
use vitok::tokenizer::vit::{ModelConfig, ModelSpec};

use crate::golden::{Golden, assert_close, open};

const VALUES: f32 = 2e-4;
const GRADIENTS: f32 = 1e-3;

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().unwrap()
}

/// A v2 network with the golden's weights.
fn v2(golden: &Golden, plan: &ModelConfig, device: &Device) -> Network {
    let network = Network {
        encoder: Some(Encoder::new(plan, device)),
        decoder: Some(Decoder::new(plan, device)),
    };
    params::fill(network, |path, shape| {
        let (_, name) = path.split_once('.').unwrap();
        let (found, values) = golden.values(&format!("w.{name}"));
        assert_eq!(found, shape, "{name}");
        Ok(values)
    })
    .unwrap()
}

fn batch(tokens: Tensor<3>, grids: &[[usize; 3]], patch: usize) -> TokenBatch {
    let items = grids.iter().map(|&[frames, rows, cols]| Sequence {
        shape: ClipShape {
            frames,
            height: rows * patch,
            width: cols * patch,
        },
        grid: TokenGrid { frames, rows, cols },
    });
    let length = tokens.dims()[1];
    let layout = BatchLayout::new(items.collect()).unwrap().padded_to(length).unwrap();
    TokenBatch { tokens, layout }
}

fn check_taps(golden: &Golden, activations: &Activations, prefix: impl Fn(&str) -> String) {
    let mut checked = 0;
    for (name, x) in activations.iter() {
        let golden_name = prefix(name);
        if golden.has(&golden_name) {
            let (_, expected) = golden.values(&golden_name);
            assert_close(&golden_name, &host(x.clone()), &expected, VALUES);
            checked += 1;
        }
    }
    let wanted = golden.names().iter().filter(|n| n.starts_with("tap.")).count();
    assert_eq!(checked, wanted, "every tap of the golden is compared");
}

/// Outputs, latents, activations and (where the golden has them) MSE gradients of a v2 file.
fn check_v2(name: &str, attention: Attention) {
    let golden = open(name);
    let device = Device::flex().autodiff();
    let spec = ModelSpec {
        attention: Some(attention),
        ..ModelSpec::new(&golden.metadata("variant"))
    };
    let plan = ModelConfig::resolve(&spec).unwrap();
    let network = v2(&golden, &plan, &device);
    let (rows, cols) = golden
        .metadata("grid")
        .split_once('x')
        .map(|(r, c)| (r.parse().unwrap(), c.parse().unwrap()))
        .unwrap();
    let patches: Tensor<3> = golden.tensor("in.patches", &device);
    let b = patches.dims()[0];
    let input = batch(patches.clone(), &vec![[1, rows, cols]; b], plan.tubelet.patch);
    let mut activations = Activations::on();
    let code = network
        .encoder
        .as_ref()
        .unwrap()
        .encode(&plan, &input, &mut activations);
    let z = code.latents;
    assert!(code.posterior.is_none());
    let out = network.decoder.as_ref().unwrap().decode(&plan, &z, &mut activations);
    assert_close("z", &host(z.tokens), &golden.values("z").1, VALUES);
    let expected = golden.values("out.patches").1;
    assert_close("out", &host(out.tokens.clone()), &expected, VALUES);
    check_taps(&golden, &activations, |tap| format!("tap.{tap}"));

    if !golden.has("loss.mse") {
        return;
    }
    let loss = (out.tokens - patches).square().mean();
    let expected = golden.values("loss.mse").1;
    assert_close("loss", &host(loss.clone()), &expected, VALUES);
    let gradients = gradients(&network, &loss);
    let wanted = golden.names().iter().filter(|n| n.starts_with("grad.")).count();
    assert_eq!(gradients.len(), wanted, "every parameter has its gradient");
    for (name, found) in gradients {
        let name = format!("grad.{name}");
        assert_close(&name, &found, &golden.values(&name).1, GRADIENTS);
    }
}

/// The gradient of every parameter, by its name on disk.
fn gradients(network: &Network, loss: &Tensor<1>) -> Vec<(String, Vec<f32>)> {
    use burn::module::{Module, ModuleVisitor, Param};
    use burn::tensor::Gradients;

    struct Collect<'a> {
        path: Vec<String>,
        gradients: &'a Gradients,
        found: Vec<(String, Vec<f32>)>,
    }
    impl ModuleVisitor for Collect<'_> {
        fn enter_module(&mut self, name: &str, _: &str) {
            self.path.push(name.to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let name = self.path[1..].join(".");
            let gradient = param.val().grad(self.gradients);
            let gradient = gradient.unwrap_or_else(|| panic!("no gradient for {name}"));
            self.found.push((name, host(gradient)));
        }
    }
    let gradients = loss.backward();
    let mut collect = Collect {
        path: Vec::new(),
        gradients: &gradients,
        found: Vec::new(),
    };
    network.visit(&mut collect);
    collect.found
}

#[test]
fn v2_square() {
    check_v2("v2_square", Attention::Full);
}

#[test]
fn v2_nonsquare() {
    check_v2("v2_nonsquare", Attention::Full);
}

#[test]
fn v2_window() {
    let reach = open("v2_window").metadata("window").parse().unwrap();
    check_v2("v2_window", Attention::Window(reach));
}

/// Images of different sizes in one padded batch give what each gives alone.
#[test]
fn v2_ragged() {
    let golden = open("v2_ragged");
    let device = Device::flex();
    let plan = ModelConfig::of_variant(&golden.metadata("variant")).unwrap();
    let network = v2(&golden, &plan, &device);
    let pad_to: usize = golden.metadata("pad_to").parse().unwrap();
    let grids: Vec<[usize; 3]> = golden
        .metadata("grids")
        .split(',')
        .map(|g| g.split_once('x').unwrap())
        .map(|(r, c)| [1, r.parse().unwrap(), c.parse().unwrap()])
        .collect();
    let sequences = (0..grids.len()).map(|i| {
        let x: Tensor<2> = golden.tensor(&format!("image{i}.in.patches"), &device);
        let [n, values] = x.dims();
        // Rubbish in the padding must not reach the answer.
        let padding = Tensor::full([pad_to - n, values], 7.5, &device);
        Tensor::cat(vec![x, padding], 0)
    });
    let input = batch(Tensor::stack(sequences.collect(), 0), &grids, plan.tubelet.patch);
    let code = network
        .encoder
        .as_ref()
        .unwrap()
        .encode(&plan, &input, &mut Activations::off());
    let out = network
        .decoder
        .as_ref()
        .unwrap()
        .decode(&plan, &code.latents, &mut Activations::off());
    for (i, [_, rows, cols]) in grids.iter().enumerate() {
        let real = |x: &Tensor<3>| host(x.clone().narrow(0, i, 1).narrow(1, 0, rows * cols));
        let expected = |what: &str| golden.values(&format!("image{i}.{what}")).1;
        assert_close("z", &real(&code.latents.tokens), &expected("z"), VALUES);
        assert_close("out", &real(&out.tokens), &expected("out.patches"), VALUES);
    }
    let padding = host(out.tokens.narrow(0, 2, 1).narrow(1, 7, pad_to - 7));
    assert!(padding.iter().all(|&v| v == 0.0), "padding comes out as 0");
}

/// "enc width 48 blocks 2 heads 2; dec width 72 blocks 2 heads 3; tubelet 4x8; channels 6".
fn paper_plan(golden: &Golden) -> ModelConfig {
    let config = golden.metadata("config");
    let numbers: Vec<usize> = config
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|n| n.parse().ok())
        .collect();
    let [ew, ed, eh, dw, dd, dh, q, p, c] = numbers[..] else {
        panic!("{config}");
    };
    let variant = format!("paper:w{ew}_d{ed}_h{eh}-w{dw}_d{dd}_h{dh}/{q}x{p}x{c}");
    let causal = golden.metadata("causal") == "True";
    ModelConfig::resolve(&ModelSpec {
        attention: causal.then_some(Attention::BlockCausal),
        ..ModelSpec::new(&variant)
    })
    .unwrap()
}

/// The twin's tensors under our name, row-major as ours are: its convolutions are linear layers,
/// its `w1` (gate) and `w2` (value) are the two parts of `fc1`.
fn paper_tensor(golden: &Golden, kind: &str, name: &str, plan: &ModelConfig) -> Vec<f32> {
    let get = |n: &str| golden.values(&format!("{kind}.{n}")).1;
    let name = name
        .replace("patch_embed", "embed")
        .replace("encoder_blocks", "encoder")
        .replace("decoder_blocks", "decoder")
        .replace("to_code", "to_moments")
        .replace("decoder_embed", "from_code")
        .replace("attn.qkv_proj", "qkv")
        .replace("attn.out_proj", "proj")
        .replace("ffn.fc2", "w3");
    if let Some((block, part)) = name.split_once(".ffn.fc1.") {
        let mut value = get(&format!("{block}.w2.{part}"));
        value.extend(get(&format!("{block}.w1.{part}")));
        return value;
    }
    match name.as_str() {
        // ConvTranspose3d [C, 3, q, p, p] -> [3qpp, C].
        "to_pixels.weight" => {
            let (values, width) = (plan.patch_values(), plan.decoder.width);
            let theirs = get(&name);
            let at = |i: usize| theirs[(i % width) * values + i / width];
            (0..values * width).map(at).collect()
        }
        // One bias a color -> one a value.
        "to_pixels.bias" => {
            let each = plan.patch_values() / 3;
            get(&name).into_iter().flat_map(|b| vec![b; each]).collect()
        }
        _ => get(&name),
    }
}

fn check_paper(name: &str) {
    let golden = open(name);
    let device = Device::flex().autodiff();
    let plan = paper_plan(&golden);
    let network = Network {
        encoder: Some(Encoder::new(&plan, &device)),
        decoder: Some(Decoder::new(&plan, &device)),
    };
    let network = params::fill(network, |path, shape| {
        let (_, name) = path.split_once('.').unwrap();
        let values = paper_tensor(&golden, "w", name, &plan);
        assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
        Ok(values)
    })
    .unwrap();

    let clip: Tensor<5> = golden.tensor("in.clip", &device);
    let clips: Vec<Tensor<4>> = clip.clone().iter_dim(0).map(|c| c.squeeze_dim(0)).collect();
    let patches = patchify(&clips, plan.tubelet, None).unwrap();
    let mut activations = Activations::on();
    let code = network
        .encoder
        .as_ref()
        .unwrap()
        .encode(&plan, &patches, &mut activations);
    let moments = code.posterior.unwrap();
    let z = moments.sample(golden.tensor("in.eps", &device));
    let out = network.decoder.as_ref().unwrap().decode(&plan, &z, &mut activations);
    let out = Tensor::stack::<5>(unpatchify(&out, plan.tubelet).unwrap(), 0);

    check_taps(&golden, &activations, |tap| {
        let tap = tap.replace("patch_embed", "embed").replace("_blocks", "");
        format!("tap.{tap}")
    });
    let expected = |name: &str| golden.values(name).1;
    assert_close("mean", &host(moments.mean.clone()), &expected("mean"), VALUES);
    assert_close("logvar", &host(moments.logvar.clone()), &expected("logvar"), VALUES);
    assert_close("kl", &host(moments.kl()), &expected("kl"), VALUES);
    assert_close("z", &host(z.tokens), &expected("z"), VALUES);
    assert_close("out", &host(out.clone()), &expected("out.clip"), VALUES);

    let loss_name = "loss.mse_plus_1e-3_kl";
    if !golden.has(loss_name) {
        return;
    }
    let loss = (out - clip).square().mean() + moments.kl() * 1e-3;
    assert_close("loss", &host(loss.clone()), &expected(loss_name), VALUES);
    for (name, found) in gradients(&network, &loss) {
        let expected = paper_tensor(&golden, "grad", &name, &plan);
        // Theirs is the sum over the values that share a color's bias.
        let (found, expected) = if name == "to_pixels.bias" {
            let each = plan.patch_values() / 3;
            let sums = found.chunks(each).map(|c| c.iter().sum()).collect();
            (sums, expected.into_iter().step_by(each).collect())
        } else {
            (found, expected)
        };
        assert_close(&format!("grad.{name}"), &found, &expected, GRADIENTS);
    }
}

#[test]
fn paper_image() {
    check_paper("paper_image");
}

#[test]
fn paper_clip() {
    check_paper("paper_clip");
}

#[test]
fn paper_clip_causal() {
    check_paper("paper_clip_causal");
}

#[test]
fn paper_clip_unrotated_rest() {
    check_paper("paper_clip_unrotated_rest");
}

/// Whatever the files above hold is compared with something.
#[test]
fn no_golden_tensor_is_ignored() {
    let known = ["w.", "in.", "tap.", "grad.", "loss."];
    let exact = ["z", "mean", "logvar", "kl", "out.patches", "out.clip"];
    let files = [
        "v2_square",
        "v2_nonsquare",
        "v2_window",
        "paper_image",
        "paper_clip",
        "paper_clip_causal",
        "paper_clip_unrotated_rest",
    ];
    for file in files {
        for name in open(file).names() {
            let expected = known.iter().any(|k| name.starts_with(k)) || exact.contains(&&*name);
            assert!(expected, "{file}: nobody compares {name}");
        }
    }
}

/// One line from clip to latents and back, as users call it.
#[test]
fn encode_clips_equals_the_parts() {
    let device = Device::flex();
    let plan = ModelConfig::of_variant("w48_d1_h4/1x8x6").unwrap();
    let model = VitTokenizer::random(plan.clone(), 1, &device).unwrap();
    let clip = Tensor::<4>::random([3, 1, 20, 9], burn::tensor::Distribution::Uniform(-1.0, 1.0), &device);
    let latents = model.encode_tensors(std::slice::from_ref(&clip)).unwrap();
    let patches = patchify(&[clip], plan.tubelet, None).unwrap();
    let code = model.forward_encoder(&patches, &mut Activations::off()).unwrap();
    assert_close("z", &latents[0].values, &host(code.latents.tokens.clone()), 1e-6);
    let back = model.decode_tensors(&latents).unwrap();
    assert_eq!(back[0].dims(), [3, 1, 20, 9]);
    let decoded = model.forward_decoder(&code.latents, &mut Activations::off()).unwrap();
    let expected = unpatchify(&decoded, plan.tubelet).unwrap();
    assert_close("out", &host(back[0].clone()), &host(expected[0].clone()), 1e-6);
}
