//! Pictures: resizing as Pillow and torchvision do it, and files good and bad.

use std::io::Write;
use std::path::{Path, PathBuf};

use image::ExtendedColorType;
use vitok::Error;
use vitok::pixels::{
    Alpha, Filter, Picture, ReadOptions, centre_crop_guided_diffusion, find_pictures, longest_side,
    range, read_frames, read_picture, resize_antialiased, resize_plain, resize_to_token_budget,
    resize_u8, token_budget_size, write_picture,
};

use crate::golden::{Golden, open};

fn source(golden: &Golden, name: &str) -> Picture {
    let (shape, values) = golden.values(&format!("{name}.u8_hwc"));
    Picture::new(shape[1], shape[0], values.iter().map(|&v| v as u8).collect()).unwrap()
}

fn filter(name: &str) -> Filter {
    match name {
        "box" => Filter::Box,
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        "lanczos" => Filter::Lanczos,
        other => panic!("no filter {other}"),
    }
}

/// `[height, width, 3]` -> `[3, height, width]`.
fn planes(hwc: &[f32]) -> Vec<f32> {
    (0..3).flat_map(|c| hwc[c..].iter().step_by(3).copied()).collect()
}

/// Every tensor of the resize golden: bytes bit for bit, floats within 1e-5 of their range of 255.
#[test]
fn resizing_equals_pillow_and_torchvision() {
    let golden = open("resize");
    let (mut exact, mut float, mut worst) = (0, 0, 0f32);
    for name in golden.names() {
        let parts: Vec<&str> = name.split('.').collect();
        let picture = source(&golden, parts[0]);
        let (shape, expected) = golden.values(&name);
        let same_bytes = |found: Picture| {
            assert_eq!((found.height(), found.width()), (shape[0], shape[1]), "{name}");
            let expected: Vec<u8> = expected.iter().map(|&v| v as u8).collect();
            assert!(found.rgb() == expected, "{name}: not bit-exact");
        };
        let from = (picture.width(), picture.height());
        let bytes: Vec<f32> = picture.rgb().iter().map(|&b| b.into()).collect();
        let by_plane = |resize: &dyn Fn(&[f32], (usize, usize)) -> Vec<f32>, to| -> Vec<f32> {
            let planes = planes(&bytes);
            planes.chunks(from.0 * from.1).flat_map(|p| resize(p, to)).collect()
        };
        let (range, found, expected) = match parts[1..] {
            ["u8_hwc"] => continue,
            ["pillow", f, _] => {
                same_bytes(resize_u8(&picture, shape[1], shape[0], filter(f)));
                exact += 1;
                continue;
            }
            ["adm_centre_crop", size] => {
                same_bytes(centre_crop_guided_diffusion(&picture, size.parse().unwrap()).unwrap());
                exact += 1;
                continue;
            }
            ["longest_side_lanczos", size] => {
                same_bytes(longest_side(&picture, size.parse().unwrap()));
                exact += 1;
                continue;
            }
            ["pillow_f32", f, _] => {
                let to = (shape[1], shape[0]);
                let found = by_plane(&|p, to| resize_antialiased(p, from, to, filter(f)), to);
                (255.0, found, planes(&expected))
            }
            ["torch_antialias", f, _] => {
                let to = (shape[2], shape[1]);
                let found = by_plane(&|p, to| resize_antialiased(p, from, to, filter(f)), to);
                (2.0, found, expected)
            }
            ["torch_plain", kind, _] => {
                let to = (shape[2], shape[1]);
                let align = match kind {
                    "bilinear" => false,
                    "bilinear_align_corners" => true,
                    other => panic!("{other}"),
                };
                (2.0, by_plane(&|p, to| resize_plain(p, from, to, align), to), expected)
            }
            _ => panic!("{name}: nobody compares this tensor"),
        };
        // Torch's are of pictures in [-1, 1].
        let theirs = |v: f32| if range == 2.0 { v / 127.5 - 1.0 } else { v };
        assert_eq!(found.len(), expected.len(), "{name}");
        let off = found
            .iter()
            .zip(&expected)
            .map(|(a, b)| (theirs(*a) - b).abs() / range)
            .fold(0.0, f32::max);
        assert!(off <= 1e-5, "{name}: off by {off:e} of the range");
        worst = worst.max(off);
        float += 1;
    }
    println!("{exact} bit-exact, {float} in floats, at most {worst:e} of the range off");
    assert!(exact > 40 && float > 20);
}

/// The v2 reference's preprocessing.
#[test]
fn preprocessing_equals_the_reference() {
    use burn::tensor::{Device, Tensor, TensorData};
    use vitok::config::Tubelet;
    use vitok::patches::patchify;

    let golden = open("preprocess");
    let device = Device::flex();
    let tubelet = Tubelet { frames: 1, patch: 8 };
    let as_clip = |planes: Vec<f32>, height: usize, width: usize| {
        Tensor::<4>::from_data(TensorData::new(planes, [3, 1, height, width]), &device)
    };
    let check = |which: &str, planes: Vec<f32>, height: usize, width: usize, limit: f32| {
        let (shape, expected) = golden.values(&format!("{which}.patches"));
        let batch = patchify(&[as_clip(planes, height, width)], tubelet, Some(shape[0])).unwrap();
        let found: Vec<f32> = batch.tokens.try_into_vec_as().unwrap();
        let off = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{which}.patches: {off:e}");
        assert!(off <= limit, "{which}.patches: off by {off:e}");
        let item = batch.layout.items()[0];
        let positions: Vec<[usize; 3]> = item.grid.positions().collect();
        let mask = golden.values(&format!("{which}.mask")).1;
        let (rows, cols) = (golden.values(&format!("{which}.row")).1, golden.values(&format!("{which}.col")).1);
        assert_eq!(mask.iter().filter(|&&m| m == 1.0).count(), positions.len());
        for (i, [_, row, col]) in positions.into_iter().enumerate() {
            assert_eq!((mask[i], rows[i], cols[i]), (1.0, row as f32, col as f32));
        }
    };
    let a = source(&golden, "a");
    check("a", range::to_planes(&a), a.height(), a.width(), 1e-6);
    let (planes, height, width) = resize_to_token_budget(&source(&golden, "b"), 8, 64);
    let (shape, expected) = golden.values("b.resized_chw");
    assert_eq!([3, height, width], shape[..]);
    let off = planes.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("b.resized_chw: {off:e}");
    assert!(off <= 1e-6, "b.resized_chw: off by {off:e}");
    check("b", planes, height, width, 1e-6);

    let (_, rows) = golden.values("budget.h_w_patch_tokens_newh_neww");
    for row in rows.chunks(6) {
        let [h, w, patch, tokens, new_h, new_w] = [0, 1, 2, 3, 4, 5].map(|i| row[i] as usize);
        assert_eq!(token_budget_size(h, w, patch, tokens), (new_h, new_w), "{row:?}");
    }
}

#[test]
fn a_token_budget_is_never_exceeded() {
    for (h, w, tokens) in [(1, 10_000, 7), (10_000, 1, 7), (3, 100_000, 256), (500, 500, 1)] {
        let (nh, nw) = token_budget_size(h, w, 16, tokens);
        let used = nh.div_ceil(16) * nw.div_ceil(16);
        assert!((1..=tokens).contains(&used), "{h} x {w}: {used} of {tokens}");
    }
}

#[test]
fn bytes_survive_the_unit_range() {
    for byte in 0..=255 {
        assert_eq!(range::to_byte(range::to_unit(byte)), byte);
    }
    assert_eq!((range::to_unit(0), range::to_unit(255)), (-1.0, 1.0));
    assert_eq!((range::to_byte(-9.0), range::to_byte(9.0), range::to_byte(f32::NAN)), (0, 255, 0));
    let picture = gradient(7, 5);
    assert_eq!(range::from_planes(&range::to_planes(&picture), 7, 5), picture);
}

/// A picture in which every pixel differs from its neighbours.
fn gradient(width: usize, height: usize) -> Picture {
    Picture::from_fn(width, height, |x, y| [(x * 9) as u8, (y * 11) as u8, ((x + 3 * y) * 5) as u8])
}

fn read(path: &Path) -> Result<Picture, Error> {
    read_picture(path, &ReadOptions::default())
}

#[test]
fn lossless_formats_survive_and_jpeg_nearly() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(1, 1), (31, 17), (64, 3)] {
        let picture = gradient(width, height);
        for name in ["a.png", "a.webp", "a.bmp", "a.tiff", "A.TIF"] {
            let path = folder.path().join(name);
            write_picture(&path, &picture).unwrap();
            assert_eq!(read(&path).unwrap(), picture, "{name}");
        }
        let path = folder.path().join("a.jpg");
        write_picture(&path, &picture).unwrap();
        let back = read(&path).unwrap();
        assert_eq!((back.width(), back.height()), (width, height));
    }
    let refused = write_picture(&folder.path().join("a.xyz"), &gradient(2, 2)).unwrap_err();
    assert!(refused.to_string().contains("a.xyz"), "{refused}");
}

/// The content decides, whatever the name says.
#[test]
fn a_wrong_ending_does_not_matter() {
    let folder = tempfile::tempdir().unwrap();
    let (png, jpg) = (folder.path().join("a.png"), folder.path().join("a.jpg"));
    write_picture(&png, &gradient(9, 4)).unwrap();
    std::fs::rename(&png, &jpg).unwrap();
    assert_eq!(read(&jpg).unwrap(), gradient(9, 4));
}

fn encode(pixels: &[u8], width: u32, height: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image::write_buffer_with_format(&mut bytes, pixels, width, height, colour, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[test]
fn grey_alpha_and_sixteen_bits_become_rgb() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.png");
    let with = |bytes: Vec<u8>, alpha| {
        std::fs::write(&path, bytes).unwrap();
        let options = ReadOptions { alpha, ..Default::default() };
        read_picture(&path, &options).unwrap().rgb().to_vec()
    };
    assert_eq!(with(encode(&[7, 200], 2, 1, ExtendedColorType::L8), Alpha::Drop), [7, 7, 7, 200, 200, 200]);
    let rgba = encode(&[10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128], 3, 1, ExtendedColorType::Rgba8);
    assert_eq!(with(rgba.clone(), Alpha::Drop), [10, 20, 30, 10, 20, 30, 0, 0, 0]);
    assert_eq!(with(rgba, Alpha::Over([255; 3])), [255, 255, 255, 10, 20, 30, 127, 127, 127]);
    let wide: Vec<u8> = [0u16, 257 * 5, 257 * 5 + 128, 257 * 5 + 129].iter().flat_map(|v| v.to_ne_bytes()).collect();
    let grey = with(encode(&wide, 4, 1, ExtendedColorType::L16), Alpha::Drop);
    assert_eq!(grey.iter().step_by(3).copied().collect::<Vec<u8>>(), [0, 5, 5, 6], "rounded, not cut");
}

/// A JPEG with an EXIF orientation put in front of its first segment.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn exif_orientation_is_applied() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    // Blocks of one colour, so that JPEG keeps them: red green / blue white.
    let corner = |x: usize, y: usize| match (x < 16, y < 8) {
        (true, true) => [250, 0, 0],
        (false, true) => [0, 250, 0],
        (true, false) => [0, 0, 250],
        (false, false) => [250, 250, 250],
    };
    write_picture(&path, &Picture::from_fn(32, 16, corner)).unwrap();
    let jpeg = std::fs::read(&path).unwrap();
    // What stands in the top left and top right corner once turned (EXIF 2.32, tag 0x0112).
    let expected = ["rg", "gr", "wb", "bw", "rb", "br", "wg", "gw"];
    for (orientation, expected) in (1..=8).zip(expected) {
        std::fs::write(&path, oriented(&jpeg, orientation)).unwrap();
        let picture = read(&path).unwrap();
        let sides = if orientation < 5 { (32, 16) } else { (16, 32) };
        assert_eq!((picture.width(), picture.height()), sides);
        let name = |[r, g, b]: [u8; 3]| match (r > 128, g > 128, b > 128) {
            (true, true, true) => 'w',
            (true, ..) => 'r',
            (_, true, _) => 'g',
            _ => 'b',
        };
        let found: String = [2, picture.width() - 3].iter().map(|&x| name(picture.pixel(x, 2))).collect();
        assert_eq!(found, expected, "orientation {orientation}");
    }
}

fn refused(path: &Path, bytes: &[u8], why: &str) {
    std::fs::write(path, bytes).unwrap();
    for error in [
        read(path).expect_err(why).to_string(),
        read_frames(path, &ReadOptions::default(), 100).expect_err(why).to_string(),
    ] {
        assert!(error.contains(path.to_str().unwrap()), "names the file: {error}");
        assert!(error.contains(why), "{why}: {error}");
    }
}

#[test]
fn files_that_are_no_pictures_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bad.png");
    refused(&path, b"", "empty");
    refused(&path, b"Dear reader, this is a letter.", "not a picture");
    refused(&path, &[0; 4096], "not a picture");
    let missing = read(&folder.path().join("none.png")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
    assert!(matches!(read(folder.path()).unwrap_err(), Error::Io { .. }), "a folder");
}

#[test]
fn pictures_cut_short_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, why) in [
        ("a.jpg", "cut short"),
        ("a.png", "cannot decode"),
        ("a.webp", "cannot decode"),
        ("a.bmp", "cannot decode"),
        ("a.tiff", "cannot decode"),
        ("a.gif", "cannot decode"),
    ] {
        let path = folder.path().join(name);
        let picture = Picture::from_fn(60, 60, |x, y| {
            let v = (x * 7919 + y * 104_729) * (x + y + 1);
            [v as u8, (v >> 3) as u8, (v >> 7) as u8]
        });
        if name == "a.gif" {
            std::fs::write(&path, gif(&[picture])).unwrap();
        } else {
            write_picture(&path, &picture).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        assert!(read(&path).is_ok());
        for keep in [whole.len() / 2, whole.len() * 9 / 10, whole.len() / 4] {
            refused(&path, &whole[..keep], why);
        }
    }
}

/// Bytes after the end of a JPEG are not its business.
#[test]
fn a_jpeg_may_be_followed_by_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jpg");
    write_picture(&path, &gradient(16, 16)).unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend([0, 1, 2, 0xFF, 0xC0, 9]);
    std::fs::write(&path, bytes).unwrap();
    assert!(read(&path).is_ok());
}

fn gif(frames: &[Picture]) -> Vec<u8> {
    let mut bytes = Vec::new();
    {
        let mut encoder = image::codecs::gif::GifEncoder::new(&mut bytes);
        for frame in frames {
            let (width, height) = (frame.width() as u32, frame.height() as u32);
            let image = image::RgbImage::from_raw(width, height, frame.rgb().to_vec()).unwrap();
            let image = image::DynamicImage::ImageRgb8(image).into_rgba8();
            encoder.encode_frame(image::Frame::new(image)).unwrap();
        }
    }
    bytes
}

#[test]
fn animations_are_read_frame_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.gif");
    let frames: Vec<Picture> = (0..4u8).map(|i| Picture::from_fn(8, 6, |_, _| [60 * i, 0, 0])).collect();
    std::fs::write(&path, gif(&frames)).unwrap();
    let options = ReadOptions::default();
    assert_eq!(read_frames(&path, &options, 100).unwrap(), frames);
    assert_eq!(read_frames(&path, &options, 2).unwrap(), frames[..2]);
    assert_eq!(read(&path).unwrap(), frames[0]);
    let few = ReadOptions { max_pixels: 8 * 6 * 3, ..options };
    let error = read_frames(&path, &few, 100).unwrap_err();
    assert!(matches!(error, Error::PictureTooLarge { .. }), "{error}");
    let still = folder.path().join("a.png");
    write_picture(&still, &gradient(4, 4)).unwrap();
    assert_eq!(read_frames(&still, &options, 100).unwrap().len(), 1);
}

/// Headers that announce 30,000 x 30,000 pixels, in files of a few bytes.
fn bombs() -> Vec<(&'static str, Vec<u8>)> {
    let side = 30_000u32;
    let mut png = encode(&[0; 3], 1, 1, ExtendedColorType::Rgb8);
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());

    let mut gif = gif(&[gradient(2, 2)]);
    gif[6..8].copy_from_slice(&(side as u16).to_le_bytes());
    gif[8..10].copy_from_slice(&(side as u16).to_le_bytes());

    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str| {
        let path = folder.path().join(name);
        write_picture(&path, &gradient(2, 2)).unwrap();
        std::fs::read(path).unwrap()
    };
    let mut bmp = made("a.bmp");
    bmp[18..22].copy_from_slice(&side.to_le_bytes());
    bmp[22..26].copy_from_slice(&side.to_le_bytes());

    let mut jpg = made("a.jpg");
    let sof = jpg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpg[sof + 5..sof + 7].copy_from_slice(&(side as u16).to_be_bytes());
    jpg[sof + 7..sof + 9].copy_from_slice(&(side as u16).to_be_bytes());
    vec![("a.png", png), ("a.gif", gif), ("a.bmp", bmp), ("a.jpg", jpg)]
}

fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    !crc
}

#[test]
fn header_bombs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in bombs() {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err();
        assert!(matches!(error, Error::PictureTooLarge { .. }), "{name}: {error}");
        assert!(error.to_string().contains("--max-pixels"), "{error}");
    }
}

#[test]
fn folders_are_searched_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::create_dir_all(root.join("b/deep")).unwrap();
    for name in ["z.PNG", "b/deep/one.jpg", "b/two.webp", "notes.txt", "a.tif"] {
        std::fs::File::create(root.join(name)).unwrap().write_all(b"x").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(root, root.join("b/circle")).unwrap();
    let found = find_pictures(&[root.to_owned()]).unwrap();
    let names: Vec<PathBuf> = found.iter().map(|p| p.strip_prefix(root).unwrap().to_owned()).collect();
    assert_eq!(names, ["a.tif", "b/deep/one.jpg", "b/two.webp", "z.PNG"].map(PathBuf::from));
    // A file named outright is taken, whatever it is called.
    assert_eq!(find_pictures(&[root.join("notes.txt")]).unwrap().len(), 1);
    std::fs::create_dir(root.join("empty")).unwrap();
    let empty = find_pictures(&[root.join("empty")]).unwrap_err().to_string();
    assert!(empty.contains("empty") && empty.contains("no pictures"), "{empty}");
    assert!(find_pictures(&[root.join("nowhere")]).is_err());
}
