//! The kinds of images that can be read and written.

use image::{ExtendedColorType, ImageFormat};
use vitok::Error;
use vitok::media::{Alpha, Image, ReadOptions, Size, check_writable, read_image, write_image};

use super::made::{FORMATS, Placed, encode, file_of, noise, pixel, plain, read, read_path};

#[test]
fn every_format_is_read_by_its_content() {
    let image = noise(37, 21);
    for format in FORMATS {
        let found = read(&file_of(&image, format)).unwrap();
        assert_eq!(found.size(), image.size(), "{format:?}");
        let exact = !matches!(format, ImageFormat::Jpeg | ImageFormat::Gif);
        assert!(!exact || found == image, "{format:?}");
    }
    for format in FORMATS {
        let dot = plain(1, 1, [200, 200, 200]);
        assert_eq!(read(&file_of(&dot, format)).unwrap(), dot, "{format:?}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    for (width, height) in [(1, 1), (31, 17)] {
        let image = noise(width, height);
        for name in ["a.png", "a.webp", "a.bmp", "a.tiff", "B.TIF", "new/folder/a.PNG"] {
            let path = folder.path().join(name);
            write_image(&path, &image).unwrap();
            assert_eq!(read_path(&path).unwrap(), image, "{name}");
        }
    }
    let smooth: Vec<u8> = (0..32 * 32)
        .flat_map(|i| [i % 32 * 8, i / 32 * 8, 90].map(|v| v as u8))
        .collect();
    let smooth = Image::new(32, 32, smooth).unwrap();
    for name in ["a.jpg", "a.JPEG"] {
        let path = folder.path().join(name);
        write_image(&path, &smooth).unwrap();
        let found = read_path(&path).unwrap();
        let worst = found.rgb().iter().zip(smooth.rgb()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst.unwrap() <= 12, "{name}: {worst:?}");
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 8, "no temporary file stays: {left:?}");
}

#[test]
fn unknown_extensions_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.gif", "a.xyz", "a", "png"] {
        let path = folder.path().join(name);
        assert!(check_writable(&path).is_err());
        let error = write_image(&path, &noise(2, 2)).unwrap_err().to_string();
        assert!(error.contains(name) && error.contains(".png, .jpg"), "{error}");
        assert!(!path.exists());
    }
    let wide = folder.path().join("wide.webp");
    let error = write_image(&wide, &plain(16_385, 1, [0; 3])).unwrap_err();
    assert!(matches!(error, Error::Image { .. }), "{error}");
    assert!(!wide.exists());
}

#[test]
fn gray_alpha_and_sixteen_bits_become_rgb() {
    let with = |alpha, file: &[u8]| {
        let options = ReadOptions {
            alpha,
            ..Default::default()
        };
        read_image(&Placed::new(file).path(), &options).unwrap().into_rgb()
    };
    let png = |raw: &[u8], width, color| encode(ImageFormat::Png, raw, width, 1, color);
    let words = |values: &[u16]| -> Vec<u8> { values.iter().flat_map(|v| v.to_ne_bytes()).collect() };
    let white = Alpha::default();

    let gray = png(&[7, 200], 2, ExtendedColorType::L8);
    assert_eq!(with(white, &gray), [7, 7, 7, 200, 200, 200]);

    let clear = png(
        &[10, 20, 30, 0, 10, 20, 30, 255, 0, 0, 0, 128],
        3,
        ExtendedColorType::Rgba8,
    );
    assert_eq!(with(white, &clear), [255, 255, 255, 10, 20, 30, 127, 127, 127]);
    assert_eq!(with(Alpha::Over([0, 100, 0]), &clear)[..6], [0, 100, 0, 10, 20, 30]);
    assert_eq!(with(Alpha::Drop, &clear), [10, 20, 30, 10, 20, 30, 0, 0, 0]);

    let gray_clear = png(&[100, 0, 100, 255], 2, ExtendedColorType::La8);
    assert_eq!(with(white, &gray_clear), [255, 255, 255, 100, 100, 100]);

    // 257 * n is the byte n; a half rounds up.
    let deep = png(
        &words(&[0, 257 * 5 + 128, 257 * 5 + 129, 65_535]),
        4,
        ExtendedColorType::L16,
    );
    let deep: Vec<u8> = with(white, &deep).into_iter().step_by(3).collect();
    assert_eq!(deep, [0, 5, 6, 255]);
    let deep = png(&words(&[257, 514, 771, 65_535]), 1, ExtendedColorType::Rgba16);
    assert_eq!(with(white, &deep), [1, 2, 3]);
}

#[test]
fn floats_are_read_from_zero_to_one() {
    let tiff = |values: [f32; 3]| {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        encode(ImageFormat::Tiff, &raw, 1, 1, ExtendedColorType::Rgb32F)
    };
    assert_eq!(read(&tiff([0.0, 0.5, 1.0])).unwrap().rgb(), [0, 128, 255]);
    for bad in [1.5, -0.1, f32::NAN, f32::INFINITY] {
        let error = read(&tiff([0.0, bad, 1.0])).unwrap_err().to_string();
        assert!(error.contains("0 to 1"), "{error}");
    }
}

/// `jpeg` with an EXIF block of one entry, the orientation, before its first segment.
fn oriented(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}

/// Each of the eight orientations, given by where row 0 and column 0 of the file belong.
#[test]
fn exif_orientation_is_applied() {
    // Corners of the file: red, green / blue, white, in blocks that JPEG keeps apart.
    let colors = [[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 250]];
    let rgb = (0..16)
        .flat_map(|y| (0..32).flat_map(move |x| colors[y / 8 * 2 + x / 16]))
        .collect();
    let jpeg = file_of(&Image::new(32, 16, rgb).unwrap(), ImageFormat::Jpeg);
    let name = |[r, g, b]: [u8; 3]| match (r > 125, g > 125, b > 125) {
        (true, true, true) => 'w',
        (true, false, false) => 'r',
        (false, true, false) => 'g',
        (false, false, true) => 'b',
        other => panic!("{other:?}"),
    };
    // As seen: top left, top right, bottom left, bottom right.
    let seen = ["rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"];
    for (orientation, expected) in (1..=8).zip(seen) {
        let image = read(&oriented(&jpeg, orientation)).unwrap();
        let upright = if orientation < 5 {
            Size::new(32, 16)
        } else {
            Size::new(16, 32)
        };
        assert_eq!(image.size(), upright, "orientation {orientation}");
        let (right, bottom) = (image.width() - 3, image.height() - 3);
        let found: String = [(2, 2), (right, 2), (2, bottom), (right, bottom)]
            .iter()
            .map(|&(x, y)| name(pixel(&image, x, y)))
            .collect();
        assert_eq!(found, expected, "orientation {orientation}");
    }
    // Values that mean nothing.
    for orientation in [0, 9, 255] {
        assert_eq!(read(&oriented(&jpeg, orientation)).unwrap().width(), 32);
    }
}

/// An 8 x 8 JPEG of four components, each of one level; `transform` is Adobe's: 0 for CMYK as it
/// is, 2 for YCCK. Adobe stores ink inverted, 255 for none.
fn four_component_jpeg(levels: [u8; 4], transform: u8) -> Vec<u8> {
    let mut file = vec![0xFF, 0xD8];
    let mut segment = |marker: u8, content: &[u8]| {
        file.extend([0xFF, marker]);
        file.extend((content.len() as u16 + 2).to_be_bytes());
        file.extend(content);
    };
    segment(0xEE, &[b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat());
    // A quantizer of 8 makes the one coefficient of a block its level less 128.
    segment(0xDB, &[[0].as_slice(), &[8; 64]].concat());
    let components: Vec<u8> = (1..=4).flat_map(|id| [id, 0x11, 0]).collect();
    segment(0xC0, &[[8, 0, 8, 0, 8, 4].as_slice(), &components].concat());
    // Twelve codes of four bits: the code of a size is the size.
    let four_bit = [0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    segment(
        0xC4,
        &[[0x00].as_slice(), &four_bit, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]].concat(),
    );
    // One code of one bit: the rest of the block is zero.
    let one_bit = [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    segment(0xC4, &[[0x10].as_slice(), &one_bit, &[0]].concat());
    let scan: Vec<u8> = (1..=4).flat_map(|id| [id, 0x00]).collect();
    segment(0xDA, &[[4].as_slice(), &scan, &[0, 63, 0]].concat());
    let mut bits = String::new();
    for level in levels {
        let value = i32::from(level) - 128;
        let size = 32 - value.unsigned_abs().leading_zeros() as usize;
        let code = if value < 0 { value + (1 << size) - 1 } else { value };
        bits += &format!("{size:04b}");
        if size > 0 {
            bits += &format!("{code:0size$b}");
        }
        bits += "0";
    }
    bits += &"1".repeat(bits.len().next_multiple_of(8) - bits.len());
    for start in (0..bits.len()).step_by(8) {
        let byte = u8::from_str_radix(&bits[start..start + 8], 2).unwrap();
        file.push(byte);
        if byte == 0xFF {
            file.push(0);
        }
    }
    file.extend([0xFF, 0xD9]);
    file
}

#[test]
fn cmyk_jpegs_become_rgb() {
    for (levels, expected) in [
        ([255, 255, 255, 255], [255, 255, 255]),
        ([255, 255, 255, 0], [0, 0, 0]),
        ([0, 255, 255, 255], [0, 255, 255]),
        ([255, 0, 0, 255], [255, 0, 0]),
        ([200, 100, 50, 255], [200, 100, 50]),
    ] {
        let image = read(&four_component_jpeg(levels, 0)).unwrap();
        assert_eq!(image.size(), Size::new(8, 8));
        for (found, expected) in pixel(&image, 3, 3).iter().zip(expected) {
            assert!(found.abs_diff(expected) <= 2, "{levels:?}: {:?}", pixel(&image, 3, 3));
        }
    }
}
