//! PSNR, SSIM and mean errors against torchmetrics and scikit-image.
#![allow(clippy::unwrap_used)]

use safetensors::{Dtype, SafeTensors};
use vitok::metrics::{SsimConvention, mae, mse, psnr, ssim};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/image_metrics.safetensors");

/// What is in the file for metrics that this module does not test.
const SKIPPED: [&str; 7] = [
    "blur1.torchmetrics.msssim_255",
    "blur3.torchmetrics.msssim_255",
    "noise25.torchmetrics.msssim_255",
    "noise5.torchmetrics.msssim_255",
    "same.torchmetrics.msssim_255",
    "shift.torchmetrics.msssim_255",
    "ssim_loss.grad",
];

/// Images and the values that another test compares.
const OTHERS: [&str; 10] = [
    "blur1.u8_hwc",
    "blur3.u8_hwc",
    "noise25.u8_hwc",
    "noise5.u8_hwc",
    "ref.u8_hwc",
    "same.u8_hwc",
    "shift.u8_hwc",
    "ssim_loss.value",
    "ssim_loss.x",
    "ssim_loss.y",
];

/// scikit-image and the exact quantities; both sides are f64.
const EXACT: f64 = 1e-9;
/// torchmetrics works in f32: its difference of two means of squares, each up to 65025 with seven
/// digits, leaves about 1e-5 of the result uncertain.
const SINGLE: f64 = 5e-5;

fn number(file: &SafeTensors, name: &str) -> f64 {
    let view = file.tensor(name).unwrap();
    let data = view.data();
    match view.dtype() {
        Dtype::F64 => f64::from_le_bytes(data.try_into().unwrap()),
        Dtype::F32 => f32::from_le_bytes(data.try_into().unwrap()).into(),
        other => panic!("{name}: {other:?}"),
    }
}

/// Planar values of a byte image stored as (height, width, channels).
fn image(file: &SafeTensors, name: &str) -> (Vec<f32>, [usize; 3]) {
    let view = file.tensor(&format!("{name}.u8_hwc")).unwrap();
    let &[height, width, channels] = view.shape() else {
        panic!("{name}: {:?}", view.shape());
    };
    let bytes = view.data();
    let planar = (0..channels)
        .flat_map(|c| bytes.iter().skip(c).step_by(channels))
        .map(|&b| f32::from(b))
        .collect();
    (planar, [channels, height, width])
}

fn floats(file: &SafeTensors, name: &str) -> (Vec<f32>, [usize; 3]) {
    let view = file.tensor(name).unwrap();
    let &[1, channels, height, width] = view.shape() else {
        panic!("{name}: {:?}", view.shape());
    };
    let values = view
        .data()
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    (values, [channels, height, width])
}

fn to_unit(image: &[f32]) -> Vec<f32> {
    image.iter().map(|v| v / 127.5 - 1.0).collect()
}

#[test]
fn every_golden_value_is_met() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (reference, shape) = image(&file, "ref");
    let mut checked = 0;
    let mut names = file.names();
    names.sort();
    for name in names {
        if SKIPPED.contains(&name) || OTHERS.contains(&name) {
            continue;
        }
        let (pair, metric) = name.split_once('.').unwrap();
        let (other, other_shape) = image(&file, pair);
        assert_eq!(shape, other_shape);
        let of_bytes = |c| ssim(&reference, &other, shape, 255.0, c).unwrap();
        let (found, limit) = match metric {
            // The mean of bytes' squared differences, rounded to f32: relative to its size.
            "mse_255" => {
                let found = mse(&reference, &other).unwrap();
                (found, 1e-6 * found)
            }
            "torchmetrics.psnr_255" => (psnr(&reference, &other, 255.0).unwrap(), 1e-5),
            "torchmetrics.ssim_255" => (of_bytes(SsimConvention::Torchmetrics), SINGLE),
            "torchmetrics.ssim_pm1_range2" => (
                ssim(
                    &to_unit(&reference),
                    &to_unit(&other),
                    shape,
                    2.0,
                    SsimConvention::Torchmetrics,
                )
                .unwrap(),
                SINGLE,
            ),
            "skimage.psnr" => (psnr(&reference, &other, 255.0).unwrap(), EXACT),
            "skimage.ssim_gaussian" => (of_bytes(SsimConvention::SkimageGaussian), EXACT),
            "skimage.ssim_uniform7" => (of_bytes(SsimConvention::SkimageUniform7), EXACT),
            _ => panic!("{name} is a tensor this test knows nothing about"),
        };
        let expected = number(&file, name);
        let off = if found == expected {
            0.0 // both may be infinite
        } else {
            (found - expected).abs()
        };
        println!("{name}: {found} {off:.1e}");
        assert!(off <= limit, "{name}: {found}, expected {expected}");
        checked += 1;
    }
    assert_eq!(checked, 41, "golden values compared");
}

#[test]
fn the_loss_value_is_one_minus_ssim() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (x, shape) = floats(&file, "ssim_loss.x");
    let (y, _) = floats(&file, "ssim_loss.y");
    let found = 1.0 - ssim(&x, &y, shape, 2.0, SsimConvention::Torchmetrics).unwrap();
    let expected = number(&file, "ssim_loss.value");
    println!("ssim_loss.value: {found} {:.1e}", (found - expected).abs());
    assert!((found - expected).abs() <= 5e-6, "{found}, not {expected}");
}

#[test]
fn identical_images_are_perfect() {
    let image: Vec<f32> = (0..3 * 16 * 16).map(|i| (i % 251) as f32).collect();
    assert_eq!(mse(&image, &image).unwrap(), 0.0);
    assert_eq!(mae(&image, &image).unwrap(), 0.0);
    assert_eq!(psnr(&image, &image, 255.0).unwrap(), f64::INFINITY);
    for convention in [
        SsimConvention::Torchmetrics,
        SsimConvention::SkimageGaussian,
        SsimConvention::SkimageUniform7,
    ] {
        let found = ssim(&image, &image, [3, 16, 16], 255.0, convention).unwrap();
        assert!((found - 1.0).abs() < 1e-12, "{found}");
    }
}

#[test]
fn known_errors_have_known_sizes() {
    let (x, y) = ([0.0, 1.0, 2.0, 3.0], [0.0, 3.0, 2.0, -1.0]);
    assert_eq!(mse(&x, &y).unwrap(), 5.0);
    assert_eq!(mae(&x, &y).unwrap(), 1.5);
    assert!((psnr(&[0.0], &[0.1], 1.0).unwrap() - 20.0).abs() < 1e-6);
    // Not-a-number may not pass for a perfect score.
    assert!(psnr(&[f32::NAN], &[0.0], 1.0).unwrap().is_nan());
}

#[test]
fn the_window_must_fit() {
    for (convention, side) in [
        (SsimConvention::Torchmetrics, 6),
        (SsimConvention::SkimageGaussian, 11),
        (SsimConvention::SkimageUniform7, 7),
    ] {
        assert_eq!(convention.smallest_side(), side);
        let flat = |h: usize, w: usize| {
            let image = vec![0.5; h * w];
            ssim(&image, &image, [1, h, w], 1.0, convention)
        };
        assert!((flat(side, side).unwrap() - 1.0).abs() < 1e-12);
        for (h, w) in [(side - 1, 64), (64, side - 1), (1, 1)] {
            let error = flat(h, w).unwrap_err().to_string();
            assert!(error.contains(&format!("{w} x {h}")), "{error}");
        }
    }
}

#[test]
fn nonsense_is_refused() {
    let convention = SsimConvention::Torchmetrics;
    assert!(mse(&[], &[]).is_err());
    assert!(mae(&[0.0], &[0.0, 1.0]).is_err());
    for range in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(psnr(&[0.0], &[1.0], range).is_err(), "{range}");
        assert!(ssim(&[0.0; 121], &[0.0; 121], [1, 11, 11], range, convention).is_err());
    }
    assert!(ssim(&[0.0; 121], &[0.0; 121], [2, 11, 11], 1.0, convention).is_err());
    let overflow = [usize::MAX, 11, 11];
    assert!(ssim(&[0.0; 121], &[0.0; 121], overflow, 1.0, convention).is_err());
}
