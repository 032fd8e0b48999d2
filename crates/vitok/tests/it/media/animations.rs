//! Animated GIF, PNG and WebP.

use image::{ExtendedColorType, ImageFormat};
use vitok::media::{Clip, Image, ReadOptions, read_clip};
use vitok::{Error, Remedy};

use super::made::{FORMATS, Placed, crc32, encode, file_of, gif, noise, plain, read};

fn frames_of(file: &[u8], most: usize) -> vitok::Result<Vec<Image>> {
    read_clip(&Placed::new(file).path(), &ReadOptions::default(), most).map(Clip::into_frames)
}

fn film() -> Vec<Image> {
    (1..5).map(|i| plain(8, 6, [50 * i, 0, 255 - 50 * i])).collect()
}

fn check(file: &[u8]) {
    let film = film();
    assert_eq!(frames_of(file, 100).unwrap(), film);
    assert_eq!(frames_of(file, 2).unwrap(), film[..2]);
    assert!(matches!(frames_of(file, 0), Err(Error::InvalidArgument(_))));
    assert_eq!(read(file).unwrap(), film[0]);
    // Room for three frames of the four.
    let options = ReadOptions {
        max_pixels: 8 * 6 * 3,
        ..Default::default()
    };
    let placed = Placed::new(file);
    assert_eq!(read_clip(&placed.path(), &options, 3).unwrap().frames().len(), 3);
    let error = read_clip(&placed.path(), &options, 4).unwrap_err();
    assert!(error.remedies().contains(&Remedy::RaisePixelLimit), "{error}");
}

/// Wherever a file is cut, it is refused.
fn check_cuts(file: &[u8]) {
    for end in 0..file.len() {
        let length = file.len();
        assert!(frames_of(&file[..end], 100).is_err(), "cut to {end} of {length} bytes");
    }
}

#[test]
fn gifs_are_read_frame_by_frame() {
    let file = gif(&film());
    check(&file);
    // A GIF may do without the trailer, so one that ends behind a frame is whole; no other is.
    let read = (0..file.len()).filter_map(|end| frames_of(&file[..end], 100).ok());
    let expected: Vec<_> = (1..=4).map(|frames| film()[..frames].to_vec()).collect();
    assert_eq!(read.collect::<Vec<_>>(), expected);
}

#[test]
fn animated_pngs_are_read_frame_by_frame() {
    let file = animated_png(&film());
    check(&file);
    check_cuts(&file);
}

#[test]
fn animated_webps_are_read_frame_by_frame() {
    let file = animated_webp(&film());
    check(&file);
    check_cuts(&file);
}

#[test]
fn a_still_image_is_one_frame() {
    let image = noise(9, 5);
    for format in FORMATS {
        let file = file_of(&image, format);
        assert_eq!(frames_of(&file, 7).unwrap(), [read(&file).unwrap()], "{format:?}");
    }
}

/// Frames smaller than the canvas are drawn over what is there.
#[test]
fn partial_frames_are_drawn_over_the_ones_before() {
    let mut file = gif(&[plain(4, 4, [255, 0, 0]), plain(2, 1, [0, 0, 255])]);
    // The first frame's control block: it is to stay when its time is over.
    let control = file.windows(3).position(|w| w == [0x21, 0xF9, 4]).unwrap();
    file[control + 3] = (file[control + 3] & !0x1C) | 0x04;
    // The second frame's descriptor: put it at column 1, row 2.
    let small = [0x2C, 0, 0, 0, 0, 2, 0, 1, 0];
    let at = file.windows(9).position(|w| w == small).unwrap();
    file[at + 1] = 1;
    file[at + 3] = 2;
    let frames = frames_of(&file, 10).unwrap();
    assert_eq!(frames[0], plain(4, 4, [255, 0, 0]));
    let mut expected = frames[0].rgb().to_vec();
    for x in [1, 2] {
        expected[(2 * 4 + x) * 3..][..3].copy_from_slice(&[0, 0, 255]);
    }
    assert_eq!(frames[1].rgb(), expected);
}

/// The chunks of a PNG file as (type, content).
fn png_chunks(file: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut rest = &file[8..];
    let mut chunks = Vec::new();
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        chunks.push((rest[4..8].to_vec(), rest[8..8 + length].to_vec()));
        rest = &rest[12 + length..];
    }
    chunks
}

/// Puts the data of still PNGs into an animated one.
fn animated_png(film: &[Image]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8], content: &[u8]| {
        let body = [kind, content].concat();
        file.extend((content.len() as u32).to_be_bytes());
        file.extend(&body);
        file.extend(crc32(&body).to_be_bytes());
    };
    let mut sequence = 0u32;
    for (i, image) in film.iter().enumerate() {
        let chunks = png_chunks(&file_of(image, ImageFormat::Png));
        let content = |kind: &[u8]| -> Vec<u8> {
            let same = chunks.iter().filter(|(k, _)| k == kind);
            same.flat_map(|(_, content)| content.clone()).collect()
        };
        if i == 0 {
            chunk(b"IHDR", &content(b"IHDR"));
            chunk(b"acTL", &[(film.len() as u32).to_be_bytes(), [0; 4]].concat());
        }
        let mut control = sequence.to_be_bytes().to_vec();
        control.extend((image.width() as u32).to_be_bytes());
        control.extend((image.height() as u32).to_be_bytes());
        // At the corner, a tenth of a second, left in place, not blended.
        control.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 10, 0, 0]);
        chunk(b"fcTL", &control);
        sequence += 1;
        if i == 0 {
            chunk(b"IDAT", &content(b"IDAT"));
        } else {
            chunk(
                b"fdAT",
                &[&sequence.to_be_bytes(), content(b"IDAT").as_slice()].concat(),
            );
            sequence += 1;
        }
    }
    chunk(b"IEND", &[]);
    file
}

/// Puts the data of still WebPs into an animated one.
pub fn animated_webp(film: &[Image]) -> Vec<u8> {
    let three = |value: usize| (value as u32).to_le_bytes()[..3].to_vec();
    let chunk = |kind: &[u8], content: &[u8]| {
        assert_eq!(content.len() % 2, 0);
        [kind, &(content.len() as u32).to_le_bytes(), content].concat()
    };
    let canvas = [three(film[0].width() - 1), three(film[0].height() - 1)].concat();
    let mut body = b"WEBP".to_vec();
    body.extend(chunk(b"VP8X", &[[2, 0, 0, 0].as_slice(), &canvas].concat()));
    body.extend(chunk(b"ANIM", &[0; 6]));
    for image in film {
        let still = encode(
            ImageFormat::WebP,
            image.rgb(),
            image.width() as u32,
            image.height() as u32,
            ExtendedColorType::Rgb8,
        );
        // At the corner, a tenth of a second, not blended; then the chunk behind the container.
        let place = [vec![0; 6], canvas.clone(), three(100), vec![2]].concat();
        body.extend(chunk(b"ANMF", &[&place, &still[12..]].concat()));
    }
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}
