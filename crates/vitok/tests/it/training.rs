//! The parts of a training step.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use vitok::losses::mse;
use vitok::nn::params;
use vitok::patches::patchify;
use vitok::tokenizer::vit::ModelConfig;
use vitok::tokenizer::vit::{Activations, VitTokenizer};
use vitok::train::{Optimizer, OptimizerConfig, Schedule};

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().unwrap()
}

fn descend<M: Module>(optimizer: &mut Optimizer, module: M, loss: Tensor<1>, lr: f64) -> (M, f64) {
    let gradients = params::gradients(&module, &loss.backward());
    optimizer.step(module, gradients, lr, None).unwrap()
}

#[test]
fn the_schedule_warms_up_and_falls() {
    let schedule = Schedule {
        peak: 1.0,
        min_lr: 0.1,
        warmup_steps: 4,
        steps: 105,
    };
    let lrs: Vec<f64> = (0..200).map(|i| schedule.lr(i)).collect();
    assert_eq!(lrs[..5], [0.2, 0.4, 0.6, 0.8, 1.0]);
    assert!((lrs[54] - 0.55).abs() < 1e-12, "half way down in the middle");
    assert!((lrs[104] - 0.1).abs() < 1e-12, "the last step");
    assert_eq!(lrs[150], lrs[104], "and it stays there");
    assert!(lrs[4..105].windows(2).all(|w| w[1] < w[0]));
    let short = Schedule {
        warmup_steps: 0,
        steps: 1,
        ..schedule
    };
    assert_eq!(short.lr(0), 1.0);
}

#[derive(Module, Debug)]
struct Two {
    matrix: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

/// Three steps against the formula of the paper, written out in f64.
#[test]
fn adamw_follows_its_formula() {
    let device = Device::flex().autodiff();
    let mut two = Two {
        matrix: Param::from_tensor(Tensor::from_floats([[0.5, -1.0]], &device)),
        bias: Param::from_tensor(Tensor::from_floats([2.0], &device)),
    };
    let config = OptimizerConfig {
        betas: [0.9, 0.95],
        eps: 1e-8,
        weight_decay: 0.1,
        grad_clip: Some(1.0),
    };
    let mut optimizer = Optimizer::new(config);
    let (mut x, mut m, mut v) = ([0.5f64, -1.0, 2.0], [0f64; 3], [0f64; 3]);
    for step in 1..=3 {
        // The loss is the sum of squares, its gradient twice the value.
        let loss = two.matrix.val().square().sum() + two.bias.val().square().sum();
        let (stepped, norm) = descend(&mut optimizer, two, loss, 0.01);
        two = stepped;
        let expected_norm = x.iter().map(|x| 4.0 * x * x).sum::<f64>().sqrt();
        assert!((norm - expected_norm).abs() < 1e-5);
        for i in 0..3 {
            let g = 2.0 * x[i] / expected_norm.max(1.0);
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.95 * v[i] + 0.05 * g * g;
            let (m, v) = (m[i] / (1.0 - 0.9f64.powi(step)), v[i] / (1.0 - 0.95f64.powi(step)));
            // The bias is not decayed.
            let decay = if i < 2 { 0.01 * 0.1 * x[i] } else { 0.0 };
            x[i] -= decay + 0.01 * m / (v.sqrt() + 1e-8);
        }
    }
    let mut found = host(two.matrix.val());
    found.extend(host(two.bias.val()));
    for (found, expected) in found.iter().zip(x) {
        assert!((f64::from(*found) - expected).abs() < 1e-6, "{found} {expected}");
    }
    assert_eq!(optimizer.steps(), 3);
}

/// A small model learns one batch by heart, to more than 40 dB.
#[test]
fn one_batch_is_learnt_by_heart() {
    let device = Device::flex().autodiff();
    for variant in ["w48_d2_h2/1x4x48", "paper:w48_d1_h2/1x4x48"] {
        let config = ModelConfig::of_variant(variant).unwrap();
        let model = VitTokenizer::random(config.clone(), 5, &device).unwrap();
        let mut network = model.network().clone();
        let range = burn::tensor::Distribution::Uniform(-1.0, 1.0);
        let clips = [(); 2].map(|()| Tensor::<4>::random([3, 1, 8, 8], range, &device));
        let patches = patchify(&clips, config.tubelet, None).unwrap();
        let mut optimizer = Optimizer::new(OptimizerConfig {
            weight_decay: 0.0,
            ..Default::default()
        });
        let schedule = Schedule {
            peak: 4e-3,
            min_lr: 1e-5,
            warmup_steps: 10,
            steps: 500,
        };
        let mut error = f64::INFINITY;
        for step in 0..schedule.steps {
            let code = network
                .encoder
                .as_ref()
                .unwrap()
                .encode(&config, &patches, &mut Activations::off());
            let out = network
                .decoder
                .as_ref()
                .unwrap()
                .decode(&config, &code.latents, &mut Activations::off());
            let loss = mse(out.tokens, patches.tokens.clone());
            error = f64::from(host(loss.clone())[0]);
            let (stepped, _) = descend(&mut optimizer, network, loss, schedule.lr(step));
            network = stepped;
        }
        let psnr = 10.0 * (4.0 / error).log10();
        println!("{variant}: {psnr:.1} dB");
        assert!(psnr > 40.0, "{variant}: only {psnr:.1} dB");
    }
}

/// Three steps, the state taken out and put back, three more: the same bits as six steps.
#[test]
fn a_resumed_optimizer_goes_on_as_if_nothing_happened() {
    let device = Device::flex().autodiff();
    let start = || Two {
        matrix: Param::from_tensor(Tensor::from_floats([[0.5, -1.0]], &device)),
        bias: Param::from_tensor(Tensor::from_floats([2.0], &device)),
    };
    let run = |mut two: Two, optimizer: &mut Optimizer, steps: usize| {
        for _ in 0..steps {
            let loss = two.matrix.val().square().sum() + two.bias.val().square().sum();
            two = descend(optimizer, two, loss, 0.01).0;
        }
        two
    };
    let config = OptimizerConfig::default();
    let mut whole = Optimizer::new(config);
    let straight = run(start(), &mut whole, 6);
    let mut first = Optimizer::new(config);
    let half = run(start(), &mut first, 3);
    let mut second = Optimizer::resume(config, first.steps(), first.state()).unwrap();
    let resumed = run(half, &mut second, 3);
    assert_eq!(host(straight.matrix.val()), host(resumed.matrix.val()));
    assert_eq!(host(straight.bias.val()), host(resumed.bias.val()));
    // Without the state it would not be so.
    let mut forgetful = Optimizer::new(config);
    let half = run(start(), &mut Optimizer::new(config), 3);
    let other = run(half, &mut forgetful, 3);
    assert_ne!(host(straight.matrix.val()), host(other.matrix.val()));
    let odd = first.state().filter(|(name, _)| name != "exp_avg_sq.bias");
    assert!(Optimizer::resume(config, 3, odd).is_err());
}
