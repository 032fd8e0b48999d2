//! Every tensor of the resize golden.

use vitok::media::{
    Filter, Image, Size, center_crop_guided_diffusion, image_to_chw, longest_side, resize_f32_antialiased,
    resize_f32_pillow, resize_f32_plain, resize_u8,
};

use super::made::noise;
use crate::golden::{Golden, open};

fn source(golden: &Golden, name: &str) -> Image {
    let (shape, values) = golden.values(&format!("{name}.u8_hwc"));
    let rgb = values.iter().map(|&v| v as u8).collect();
    Image::new(shape[1], shape[0], rgb).unwrap()
}

/// "53x41" is a width and a height.
fn size(name: &str) -> Size {
    let (width, height) = name.split_once('x').unwrap();
    Size::new(width.parse().unwrap(), height.parse().unwrap())
}

fn assert_bytes(name: &str, found: &Image, (shape, expected): &(Vec<usize>, Vec<f32>)) {
    assert_eq!([found.height(), found.width(), 3], shape[..], "{name}");
    let off = found
        .rgb()
        .iter()
        .zip(expected)
        .filter(|&(&a, &b)| f32::from(a) != b)
        .count();
    assert_eq!(off, 0, "{name}: {off} of {} bytes differ", expected.len());
}

/// Returns the largest difference over `range`, which is that of the source values.
fn assert_floats(name: &str, found: &[f32], expected: &[f32], range: f32) -> f32 {
    assert_eq!(found.len(), expected.len(), "{name}");
    let off = found.iter().zip(expected).fold(0f32, |worst, (a, b)| {
        let off = (a - b).abs() / range;
        if off.is_nan() { f32::INFINITY } else { worst.max(off) }
    });
    assert!(off <= 1e-5, "{name}: off by {off:e} of its range");
    off
}

#[test]
fn resizing_equals_pillow_and_torch() {
    let golden = open("resize");
    let (mut exact, mut worst) = (0, std::collections::BTreeMap::new());
    for name in golden.names() {
        let parts: Vec<&str> = name.split('.').collect();
        let image = source(&golden, parts[0]);
        let from = image.size();
        let expected = golden.values(&name);
        let floats = |found: &[f32], range| assert_floats(&name, found, &expected.1, range);
        let off = match parts[1..] {
            ["u8_hwc"] => continue,
            ["pillow", filter, to] => {
                let found = resize_u8(&image, size(to), filter.parse().unwrap()).unwrap();
                assert_bytes(&name, &found, &expected);
                None
            }
            ["adm_centre_crop", side] => {
                let found = center_crop_guided_diffusion(&image, side.parse().unwrap()).unwrap();
                assert_bytes(&name, &found, &expected);
                None
            }
            ["longest_side_lanczos", side] => {
                let found = longest_side(&image, side.parse().unwrap()).unwrap();
                assert_bytes(&name, &found, &expected);
                None
            }
            ["pillow_f32", filter, to] => {
                let data: Vec<f32> = image.rgb().iter().map(|&b| b.into()).collect();
                let filter = filter.parse().unwrap();
                let found = resize_f32_pillow(&data, from, size(to), filter).unwrap();
                Some(floats(&found, 255.0))
            }
            ["torch_antialias", filter, to] => {
                let data = image_to_chw(&image);
                let filter = filter.parse().unwrap();
                let found = resize_f32_antialiased(&data, from, size(to), filter).unwrap();
                Some(floats(&found, 2.0))
            }
            ["torch_plain", kind, to] => {
                let align_corners = match kind {
                    "bilinear" => false,
                    "bilinear_align_corners" => true,
                    other => panic!("{name}: no plain resizing is called {other}"),
                };
                let data = image_to_chw(&image);
                let found = resize_f32_plain(&data, from, size(to), align_corners).unwrap();
                Some(floats(&found, 2.0))
            }
            _ => panic!("{name}: nothing compares this tensor"),
        };
        match off {
            None => exact += 1,
            Some(off) => {
                let entry = worst.entry(parts[1].to_owned()).or_insert(0f32);
                *entry = entry.max(off);
            }
        }
    }
    println!("{exact} bit-exact; largest differences of floats over their range: {worst:?}");
    assert!(exact >= 50 && worst.len() == 3, "the golden file has lost tensors");
}

#[test]
fn the_same_size_changes_nothing() {
    let image = noise(13, 7);
    let planes = image_to_chw(&image);
    let size = image.size();
    for filter in Filter::ALL {
        assert_eq!(resize_u8(&image, size, filter).unwrap(), image);
        assert_eq!(resize_f32_antialiased(&planes, size, size, filter).unwrap(), planes);
    }
    for align_corners in [false, true] {
        assert_eq!(resize_f32_plain(&planes, size, size, align_corners).unwrap(), planes);
    }
}

/// An image of one color keeps it at any size, down to a single pixel and up from one.
#[test]
fn one_color_stays_one_color() {
    let sizes = [(1, 1), (1, 9), (200, 1), (7, 5), (64, 64)].map(|(w, h)| Size::new(w, h));
    for from in sizes {
        let rgb = [3, 128, 255].repeat(from.pixels());
        let image = Image::new(from.width, from.height, rgb).unwrap();
        let planes = image_to_chw(&image);
        for to in sizes {
            for filter in Filter::ALL {
                let found = resize_u8(&image, to, filter).unwrap();
                assert_eq!(found.rgb(), [3, 128, 255].repeat(to.pixels()), "{from} to {to}");
                let found = resize_f32_antialiased(&planes, from, to, filter).unwrap();
                assert!((found[to.pixels() - 1] - planes[0]).abs() < 1e-6, "{from} to {to}");
            }
            for align_corners in [false, true] {
                let found = resize_f32_plain(&planes, from, to, align_corners).unwrap();
                assert!((found[to.pixels() - 1] - planes[0]).abs() < 1e-6, "{from} to {to}");
            }
        }
    }
}

#[test]
fn impossible_sizes_are_refused() {
    let image = noise(4, 3);
    for to in [
        Size::new(0, 5),
        Size::new(5, 0),
        Size::new(usize::MAX, 2),
        Size::new(1 << 20, 1 << 20),
    ] {
        assert!(resize_u8(&image, to, Filter::Box).is_err(), "{to}");
        assert!(resize_f32_plain(&[0.0; 12], image.size(), to, false).is_err(), "{to}");
    }
    assert!(resize_f32_pillow(&[0.0; 13], image.size(), Size::new(2, 2), Filter::Box).is_err());
    assert!(resize_f32_pillow(&[], image.size(), Size::new(2, 2), Filter::Box).is_err());
    assert!(center_crop_guided_diffusion(&image, 0).is_err());
    assert!(longest_side(&image, 0).is_err());
    assert!("nearest".parse::<Filter>().is_err());
}

/// A strip keeps at least one pixel of its short side.
#[test]
fn strips_are_resized_too() {
    let strip = noise(300, 2);
    assert_eq!(longest_side(&strip, 50).unwrap().size(), Size::new(50, 1));
    let cropped = center_crop_guided_diffusion(&strip, 5).unwrap();
    assert_eq!(cropped.size(), Size::new(5, 5));
}
