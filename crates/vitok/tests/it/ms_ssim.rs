//! MS-SSIM against torchmetrics.
#![allow(clippy::unwrap_used)]

use safetensors::SafeTensors;
use vitok::metrics::ms_ssim;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/image_metrics.safetensors");

/// Planar values of a byte image stored as (height, width, channels).
fn image(file: &SafeTensors, name: &str) -> (Vec<f32>, [usize; 3]) {
    let view = file.tensor(&format!("{name}.u8_hwc")).unwrap();
    let &[height, width, channels] = view.shape() else {
        panic!("{name}: {:?}", view.shape());
    };
    let planar = (0..channels)
        .flat_map(|c| view.data().iter().skip(c).step_by(channels))
        .map(|&b| f32::from(b));
    (planar.collect(), [channels, height, width])
}

#[test]
fn every_golden_value_is_met() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (reference, shape) = image(&file, "ref");
    for name in ["blur1", "blur3", "noise25", "noise5", "same", "shift"] {
        let (other, _) = image(&file, name);
        let view = file.tensor(&format!("{name}.torchmetrics.msssim_255")).unwrap();
        let expected = f64::from(f32::from_le_bytes(view.data().try_into().unwrap()));
        let found = ms_ssim(&other, &reference, shape, 255.0).unwrap();
        let off = (found - expected).abs();
        println!("{name}: {found} {off:.1e}");
        // torchmetrics works in f32; see SINGLE beside the other scores.
        assert!(off <= 5e-6, "{name}: {found}, expected {expected}");
        // The range is a scale: bytes and -1..1 are the same images.
        let unit = |image: &[f32]| -> Vec<f32> { image.iter().map(|v| v / 255.0).collect() };
        let scaled = ms_ssim(&unit(&other), &unit(&reference), shape, 1.0).unwrap();
        assert!((scaled - found).abs() <= 1e-6, "{name}: {scaled}, {found}");
    }
}

#[test]
fn opposite_structure_counts_as_zero() {
    let x: Vec<f32> = (0..176 * 176).map(|i| (i * 7919 % 251) as f32).collect();
    let y: Vec<f32> = x.iter().map(|v| 250.0 - v).collect();
    assert_eq!(ms_ssim(&x, &y, [1, 176, 176], 255.0).unwrap(), 0.0);
    assert_eq!(ms_ssim(&x, &x, [1, 176, 176], 255.0).unwrap(), 1.0);
    // But not-a-number may not pass for one.
    let mut broken = x.clone();
    broken[5000] = f32::NAN;
    assert!(ms_ssim(&x, &broken, [1, 176, 176], 255.0).unwrap().is_nan());
}

#[test]
fn five_scales_must_fit() {
    for (h, w) in [(175, 300), (300, 175), (1, 1), (0, 0)] {
        let image = vec![0.5; h * w];
        let error = ms_ssim(&image, &image, [1, h, w], 1.0).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("176") && error.contains(&format!("{w} x {h}")));
    }
    // Odd sides lose their last pixels on the way.
    let image = vec![0.5; 177 * 191];
    assert_eq!(ms_ssim(&image, &image, [1, 177, 191], 1.0).unwrap(), 1.0);
}

#[test]
fn nonsense_is_refused() {
    let image = vec![0.5; 176 * 176];
    for range in [0.0, -1.0, f64::NAN] {
        assert!(ms_ssim(&image, &image, [1, 176, 176], range).is_err());
    }
    assert!(ms_ssim(&image, &image, [3, 176, 176], 1.0).is_err());
    assert!(ms_ssim(&image, &image[1..], [1, 176, 176], 1.0).is_err());
}
