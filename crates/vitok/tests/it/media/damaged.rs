//! Files that are no images, not whole, or lie about their size.

use std::path::Path;

use image::ImageFormat;
use vitok::Error;
use vitok::media::{ReadOptions, read_clip, read_image};

use super::animations::animated_webp;
use super::made::{FORMATS, Placed, crc32, file_of, noise, read, read_path};

/// The reasons both ways of reading give, after the file's name.
fn reasons(bytes: &[u8]) -> [String; 2] {
    let placed = Placed::new(bytes);
    let path = placed.path();
    let options = ReadOptions::default();
    let errors = [
        read_image(&path, &options).unwrap_err(),
        read_clip(&path, &options, 9).unwrap_err(),
    ];
    errors.map(|error| {
        assert!(matches!(&error, Error::Image { path: p, .. } if *p == path), "{error}");
        error.to_string().replace(path.to_str().unwrap(), "")
    })
}

#[test]
fn files_that_are_no_images_are_described() {
    for (bytes, found) in [
        (b"".as_slice(), "empty"),
        (b"Dear reader, this is a letter.", "text starting with \"Dear reader"),
        (b"hi\n", "text starting with \"hi\""),
        (&[0; 4096], "00 00 00 00"),
        (b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
        (b"qoif\0\0\0\x01\0\0\0\x01\x03\0", "QOI"),
    ] {
        for reason in reasons(bytes) {
            assert!(reason.contains(found), "{found}: {reason}");
            assert!(reason.contains("JPEG, PNG, WebP, GIF, BMP and TIFF"), "{reason}");
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_not_called_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let missing = read_path(&folder.path().join("none.png")).unwrap_err();
    assert!(matches!(missing, Error::Io { .. }), "{missing}");
    let is_folder = read_path(folder.path()).unwrap_err();
    assert!(matches!(is_folder, Error::Io { .. }), "{is_folder}");
}

/// Wherever a file is cut, it is refused.
#[test]
fn files_cut_short_are_refused() {
    for format in FORMATS {
        let file = file_of(&noise(24, 19), format);
        assert!(read(&file).is_ok());
        // A GIF may do without the trailer, its last byte.
        let needed = file.len() - usize::from(format == ImageFormat::Gif);
        for end in 0..needed {
            assert!(
                read(&file[..end]).is_err(),
                "{format:?} cut to {end} of {} bytes",
                file.len()
            );
        }
        for reason in reasons(&file[..file.len() / 2]) {
            println!("{format:?}{reason}");
            assert!(reason.contains("cut short"), "{format:?}: {reason}");
        }
    }
}

/// The end mark of a thumbnail in the metadata is not the image's.
#[test]
fn a_jpeg_cut_after_its_thumbnail_is_refused() {
    let thumbnail = file_of(&noise(8, 8), ImageFormat::Jpeg);
    let file = file_of(&noise(40, 40), ImageFormat::Jpeg);
    let length = (thumbnail.len() as u16 + 2).to_be_bytes();
    let whole = [&file[..2], &[0xFF, 0xE5], &length, &thumbnail, &file[2..]].concat();
    assert!(read(&whole).is_ok());
    assert!(read(&whole[..whole.len() - 40]).is_err());
}

#[test]
fn bytes_after_the_end_do_not_matter() {
    for format in FORMATS {
        let mut file = file_of(&noise(12, 9), format);
        let before = read(&file).unwrap();
        file.extend(b"\0\xFF\xD8\xFF\xC0 a video, perhaps");
        assert_eq!(read(&file).unwrap(), before, "{format:?}");
    }
}

/// Files of a few bytes whose headers announce 30,000 x 30,000 pixels, or as many as fit.
fn bombs() -> Vec<(ImageFormat, Vec<u8>)> {
    let side = 30_000u32;
    let short = side as u16;
    let small = noise(2, 2);

    let mut png = file_of(&small, ImageFormat::Png);
    png[16..20].copy_from_slice(&side.to_be_bytes());
    png[20..24].copy_from_slice(&side.to_be_bytes());
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let header_only = png[..33].to_vec();

    let mut gif = file_of(&small, ImageFormat::Gif);
    gif[6..8].copy_from_slice(&short.to_le_bytes());
    gif[8..10].copy_from_slice(&short.to_le_bytes());

    let mut bmp = file_of(&small, ImageFormat::Bmp);
    bmp[18..22].copy_from_slice(&side.to_le_bytes());
    bmp[22..26].copy_from_slice(&side.to_le_bytes());

    let mut jpeg = file_of(&small, ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    jpeg[frame + 5..frame + 7].copy_from_slice(&short.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&short.to_be_bytes());

    // A frame has 14 bits a side, which is within the limit; the canvas has 24.
    let mut webp = animated_webp(std::slice::from_ref(&small));
    webp[24..27].copy_from_slice(&(side - 1).to_le_bytes()[..3]);
    webp[27..30].copy_from_slice(&(side - 1).to_le_bytes()[..3]);

    let mut tiff = file_of(&small, ImageFormat::Tiff);
    for tag in [256u16, 257] {
        let tag = tag.to_le_bytes();
        let at =
            (0..tiff.len()).find(|&i| tiff[i..].starts_with(&tag) && tiff.get(i + 4..i + 8) == Some(&[1, 0, 0, 0]));
        let at = at.unwrap();
        tiff[at + 8..at + 12].copy_from_slice(&side.to_le_bytes());
    }
    vec![
        (ImageFormat::Png, png),
        (ImageFormat::Png, header_only),
        (ImageFormat::Gif, gif),
        (ImageFormat::Bmp, bmp),
        (ImageFormat::Jpeg, jpeg),
        (ImageFormat::WebP, webp),
        (ImageFormat::Tiff, tiff),
    ]
}

#[test]
fn headers_that_announce_too_much_are_refused() {
    for (format, bytes) in bombs() {
        let placed = Placed::new(&bytes);
        let options = ReadOptions::default();
        for error in [
            read_image(&placed.path(), &options).unwrap_err(),
            read_clip(&placed.path(), &options, 9).unwrap_err(),
        ] {
            let Error::ImageTooLarge {
                width: 30_000,
                height: 30_000,
                limit,
                ..
            } = error
            else {
                panic!("{format:?}: {error}");
            };
            assert_eq!(limit, 1 << 28);
        }
    }
}

#[test]
fn the_limit_on_pixels_is_exact() {
    for format in FORMATS {
        let placed = Placed::new(&file_of(&noise(6, 7), format));
        let with = |max_pixels| {
            read_image(
                &placed.path(),
                &ReadOptions {
                    max_pixels,
                    ..Default::default()
                },
            )
        };
        assert!(with(42).is_ok(), "{format:?}");
        assert!(matches!(with(41), Err(Error::ImageTooLarge { .. })), "{format:?}");
    }
}

/// Some damage cannot be seen; none may bring the program down.
#[test]
fn damaged_bytes_never_panic() {
    for format in FORMATS {
        let file = file_of(&noise(10, 8), format);
        for at in 0..file.len().min(400) {
            for value in [0x00, 0xFF, file[at] ^ 0x80] {
                let mut bytes = file.clone();
                bytes[at] = value;
                let _ = read(&bytes);
            }
        }
    }
}

/// A TIFF fixture with other values of some tags, all SHORT.
fn tiff_with(name: &str, tags: &[(u16, u16)]) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images");
    let mut file = std::fs::read(folder.join(name)).unwrap();
    for (tag, value) in tags {
        let entry = [&tag.to_le_bytes()[..], &[3, 0, 1, 0, 0, 0]].concat();
        let at = file.windows(8).position(|window| window == entry).unwrap() + 8;
        file[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    file
}

#[test]
fn what_is_not_supported_is_named_and_not_called_damaged() {
    // The header of the frame: its marker, its length, bits a sample.
    let jpeg = |marker: u8, bits: u8| {
        let mut file = file_of(&noise(8, 8), ImageFormat::Jpeg);
        let frame = file.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
        (file[frame + 1], file[frame + 4]) = (marker, bits);
        file
    };
    let tiff = |tag, value| tiff_with("tiff-kinds/gray4.tif", &[(tag, value)]);
    for (file, feature) in [
        (jpeg(0xC0, 12), "precision 12"),
        (jpeg(0xC3, 8), "SOF type 0xc3"),
        (tiff(259, 50_000), "Zstandard"),
        (tiff(259, 6), "old-style JPEG"),
        (tiff(259, 12_345), "compression of kind 12345"),
        (tiff(262, 8), "CIE Lab"),
        (tiff(258, 5), "integers of 5 bits"),
    ] {
        for reason in reasons(&file) {
            assert!(reason.contains(feature) && reason.contains("not supported"), "{reason}");
            assert!(!reason.contains("damaged"), "{reason}");
        }
    }
}

#[test]
fn tiles_larger_than_the_image_get_no_memory() {
    let file = tiff_with("tiff-alpha/assoc8_tiled.tif", &[(322, 65_520), (323, 65_520)]);
    for reason in reasons(&file) {
        assert!(reason.contains("too much memory"), "{reason}");
    }
}
