//! Losses: values and gradients of the references.

use burn::tensor::{Device, Tensor};
use vitok::losses::{charbonnier, mse, one_minus_ssim};

use crate::golden::{assert_close, open};

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.try_into_vec_as().unwrap()
}

/// Value and gradient of torchmetrics' 1 - SSIM.
#[test]
fn ssim_and_its_gradient() {
    let golden = open("image_metrics");
    let device = Device::flex().autodiff();
    let x: Tensor<4> = golden.tensor::<4>("ssim_loss.x", &device).require_grad();
    let y = golden.tensor("ssim_loss.y", &device);
    let loss = one_minus_ssim(x.clone(), y, 2.0).unwrap();
    let expected = golden.values("ssim_loss.value").1;
    assert_close("value", &host(loss.clone()), &expected, 1e-5);
    let gradient = x.grad(&loss.backward()).unwrap();
    let expected = golden.values("ssim_loss.grad").1;
    assert_close("gradient", &host(gradient), &expected, 1e-3);
}

/// The loss is the metric.
#[test]
fn the_loss_equals_the_metric() {
    use vitok::metrics::{SsimConvention, ssim};
    let golden = open("image_metrics");
    for name in ["blur1", "noise25", "shift"] {
        let planes = |what: &str| -> Vec<f32> {
            let (_, hwc) = golden.values(&format!("{what}.u8_hwc"));
            (0..3).flat_map(|c| hwc[c..].iter().step_by(3).copied()).collect()
        };
        let (a, b) = (planes("ref"), planes(name));
        let tensor = |v: &[f32]| Tensor::<1>::from_floats(v, &Device::flex()).reshape([1, 3, 192, 200]);
        let loss = host(one_minus_ssim(tensor(&a), tensor(&b), 255.0).unwrap())[0];
        let metric = ssim(&a, &b, [3, 192, 200], 255.0, SsimConvention::Torchmetrics).unwrap();
        let off = (1.0 - f64::from(loss) - metric).abs();
        assert!(off < 1e-4, "{name}: {off:e}");
    }
}

#[test]
fn equal_images_cost_nothing() {
    let x = Tensor::<4>::random(
        [2, 3, 9, 7],
        burn::tensor::Distribution::Uniform(-1.0, 1.0),
        &Device::flex(),
    );
    assert_eq!(host(mse(x.clone(), x.clone())), [0.0]);
    let foot = host(charbonnier(x.clone(), x.clone(), 1e-3))[0];
    assert!((foot - 1e-3).abs() < 1e-7, "{foot}");
    let ssim = host(one_minus_ssim(x.clone(), x.clone(), 2.0).unwrap())[0];
    assert!(ssim.abs() < 1e-5, "{ssim}");
    assert!(one_minus_ssim(x.clone().narrow(3, 0, 5), x.narrow(3, 0, 5), 2.0).is_err());
}

/// Worked by hand: differences 0, 3, 4.
#[test]
fn known_differences() {
    let device = Device::flex();
    let a = Tensor::<1>::from_floats([1.0, 1.0, 1.0], &device);
    let b = Tensor::<1>::from_floats([1.0, 4.0, -3.0], &device);
    assert_eq!(host(mse(a.clone(), b.clone())), [25.0 / 3.0]);
    let expected = (1e-3 + (9.0f64 + 1e-6).sqrt() + (16.0f64 + 1e-6).sqrt()) / 3.0;
    let found = f64::from(host(charbonnier(a, b, 1e-3))[0]);
    assert!((found - expected).abs() < 1e-6);
}
