//! From bytes to what a network sees.

use burn::tensor::{Device, Tensor, TensorData};
use vitok::media::{Image, Size, chw_to_image, image_to_chw, range, resize_to_token_budget, token_budget_size};
use vitok::patches::Tubelet;
use vitok::patches::patchify;

use super::made::noise;
use crate::golden::open;

fn source(name: &str) -> Image {
    let (shape, values) = open("preprocess").values(name);
    let rgb = values.iter().map(|&v| v as u8).collect();
    Image::new(shape[1], shape[0], rgb).unwrap()
}

fn largest_difference(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).fold(0f32, |worst, (a, b)| {
        let off = (a - b).abs();
        if off.is_nan() { f32::INFINITY } else { worst.max(off) }
    })
}

#[test]
fn token_budgets_give_the_reference_sizes() {
    let (shape, rows) = open("preprocess").values("budget.h_w_patch_tokens_newh_neww");
    assert_eq!(shape, [10, 6]);
    for row in rows.chunks_exact(6) {
        let [h, w, patch, tokens, new_h, new_w] = [0, 1, 2, 3, 4, 5].map(|i| row[i] as usize);
        let found = token_budget_size(Size::new(w, h), patch, tokens).unwrap();
        assert_eq!(found, Size::new(new_w, new_h), "{row:?}");
    }
}

#[test]
fn token_budgets_are_kept() {
    for patch in [1, 8, 16, 32] {
        for tokens in [1, 2, 7, 63, 64, 256] {
            for (w, h) in [(1, 1), (1, 90_000), (90_000, 1), (17, 500), (640, 480), (4000, 4001)] {
                let size = token_budget_size(Size::new(w, h), patch, tokens).unwrap();
                let used = size.width.div_ceil(patch) * size.height.div_ceil(patch);
                assert!((1..=tokens).contains(&used), "{w} x {h}, {patch}, {tokens}: {used}");
                assert!(size.width <= w && size.height <= h);
            }
        }
    }
    for (size, patch, tokens) in [((0, 4), 8, 8), ((4, 4), 0, 8), ((4, 4), 8, 0)] {
        assert!(token_budget_size(Size::new(size.0, size.1), patch, tokens).is_err());
    }
}

/// From bytes to patches, through the library's own patchify: one image that fits its budget,
/// and one that is resized.
#[test]
fn patches_equal_the_reference() {
    for (name, max_tokens) in [("a", 40), ("b", 64)] {
        let golden = open("preprocess");
        let (planes, size) = resize_to_token_budget(&source(&format!("{name}.u8_hwc")), 8, max_tokens).unwrap();
        if golden.has(&format!("{name}.resized_chw")) {
            let (shape, expected) = golden.values(&format!("{name}.resized_chw"));
            assert_eq!([3, size.height, size.width], shape[..]);
            let off = largest_difference(&planes, &expected);
            println!("{name}.resized_chw: {off:e}");
            assert!(off <= 1e-6, "{name}.resized_chw: off by {off:e}");
        }
        let shape = [3, 1, size.height, size.width];
        let clip = Tensor::<4>::from_data(TensorData::new(planes, shape), &Device::flex());
        let tubelet = Tubelet { frames: 1, patch: 8 };
        let (shape, expected) = golden.values(&format!("{name}.patches"));
        let batch = patchify(&[clip], tubelet, Some(shape[0])).unwrap();
        let found: Vec<f32> = batch.tokens.try_into_vec_as().unwrap();
        let off = largest_difference(&found, &expected);
        println!("{name}.patches: {off:e}");
        assert!(off <= 1e-6, "{name}.patches: off by {off:e}");

        let [mask, rows, cols] = ["mask", "row", "col"].map(|what| golden.values(&format!("{name}.{what}")).1);
        let positions: Vec<[usize; 3]> = batch.layout.sequences()[0].grid.positions().collect();
        assert_eq!(mask.iter().filter(|&&m| m == 1.0).count(), positions.len());
        for (i, [_, row, col]) in positions.into_iter().enumerate() {
            assert_eq!((mask[i], rows[i], cols[i]), (1.0, row as f32, col as f32));
        }
    }
}

#[test]
fn all_bytes_survive_the_unit_range() {
    let bytes: Vec<u8> = (0..=255).collect();
    let units = range::to_unit_slice(&bytes);
    assert_eq!((units[0], units[255]), (-1.0, 1.0));
    assert_eq!(range::to_u8_slice(&units), bytes);
    let odd = [-7.0, 7.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0];
    assert_eq!(range::to_u8_slice(&odd), [0, 255, 0, 255, 0, 128]);
}

#[test]
fn images_survive_the_planes() {
    let image = noise(7, 5);
    let planes = image_to_chw(&image);
    assert_eq!(planes[35 * 2 + 7 + 3], range::to_unit(image.rgb()[(7 + 3) * 3 + 2]));
    assert_eq!(chw_to_image(&planes, 7, 5).unwrap(), image);
    assert!(chw_to_image(&planes, 7, 6).is_err());
    assert!(chw_to_image(&[], 0, 0).is_err());
    assert!(chw_to_image(&planes, usize::MAX, 3).is_err());
}

#[test]
fn crops_stay_inside() {
    let image = noise(6, 4);
    let crop = image.crop(2, 1, 3, 2).unwrap();
    assert_eq!(crop.size(), Size::new(3, 2));
    assert_eq!(crop.rgb()[..9], image.rgb()[(6 + 2) * 3..(6 + 5) * 3]);
    assert_eq!(image.crop(0, 0, 6, 4).unwrap(), image);
    for (x, y, w, h) in [(4, 0, 3, 1), (0, 4, 1, 1), (0, 0, 0, 1), (usize::MAX, 0, 2, 1)] {
        assert!(image.crop(x, y, w, h).is_err());
    }
    assert!(Image::new(2, 2, vec![0; 11]).is_err());
    assert!(Image::new(0, 2, vec![]).is_err());
    assert!(Image::new(usize::MAX, usize::MAX, vec![0; 3]).is_err());
}
