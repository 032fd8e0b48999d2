//! Files of many kinds and what other readers show of them; `tests/fixtures/images/make.py` tells where they come from.

use std::fs;
use std::path::{Path, PathBuf};

use vitok::media::{Clip, Image, ReadOptions, read_clip, read_image};

use super::made::read_path;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/images")
}

/// The files of one folder, without those that say what is expected.
fn files(kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder().join(kind)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| !path.to_str().unwrap().ends_with(".expected.png"));
    paths.sort();
    assert!(!paths.is_empty(), "{kind}");
    paths
}

/// The frames that are expected: one below the other.
fn expected(path: &Path, frames: usize) -> Vec<Image> {
    let all = read_path(Path::new(&format!("{}.expected.png", path.display()))).unwrap();
    let height = all.height() / frames;
    assert_eq!(height * frames, all.height(), "{}", path.display());
    let frame = |i| all.crop(0, i * height, all.width(), height).unwrap();
    (0..frames).map(frame).collect()
}

/// Every file of a kind is read to the pixels that others show.
fn check(kind: &str) {
    for path in files(kind) {
        let name = path.display();
        let clip = read_clip(&path, &ReadOptions::default(), usize::MAX).unwrap_or_else(|e| panic!("{e}"));
        let frames = clip.into_frames();
        let expected = expected(&path, frames.len());
        assert!(frames == expected, "{name}");
        assert!(read_path(&path).unwrap() == expected[0], "{name}: the first frame");
    }
}

#[test]
fn animated_pngs_dispose_and_blend_as_others_show_them() {
    check("apng");
}

#[test]
fn animated_webps_clear_what_is_disposed_of() {
    check("webp-animation");
}

#[test]
fn animated_gifs_are_drawn_as_pillow_draws_them() {
    check("gif-animation");
}

#[test]
fn gifs_without_trailer_or_screen_are_read() {
    check("gif-kinds");
}

#[test]
fn the_color_space_of_jpegs_follows_from_jfif_then_adobe_then_names() {
    check("jpeg-color");
}

#[test]
fn jpegs_of_unusual_sampling_and_arithmetic_coding_are_read() {
    check("jpeg-sampling");
}

#[test]
fn orientations_of_all_types_and_places_are_applied() {
    check("orientation");
}

#[test]
fn associated_alpha_is_divided_out() {
    check("tiff-alpha");
}

#[test]
fn tiffs_of_many_kinds_are_read() {
    check("tiff-kinds");
}

#[test]
fn webps_whose_header_promises_missing_chunks_are_read() {
    check("webp-flags");
}

/// Pillow turns TIFF files while it loads them, and no others.
#[test]
fn as_pillow_only_tiffs_are_turned() {
    for (name, is_turned) in [("tiff.tif", true), ("long.jpg", false), ("exif.webp", false)] {
        let path = folder().join("orientation").join(name);
        let turned = read_path(&path).unwrap();
        let found = read_image(&path, &ReadOptions::as_pillow()).unwrap();
        assert_eq!(found.size() == turned.size(), is_turned, "{name}");
        assert_eq!(found == turned, is_turned, "{name}");
    }
}

/// A clip of a still image and an image are one.
#[test]
fn stills_and_clips_agree() {
    for path in files("tiff-kinds") {
        let clip: Clip = read_path(&path).unwrap().into();
        assert_eq!(read_clip(&path, &ReadOptions::default(), 3).unwrap(), clip);
    }
}
