//! Which files are images, by name and by content, and whether frames are missing among them.

use std::path::{Path, PathBuf};

/// The extensions by which images are found in folders, in lower case and without the dot.
pub const READABLE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"];

/// Whether the extension of `path`, upper or lower case, is one of [`READABLE_EXTENSIONS`]. The
/// file is not looked at.
pub fn is_image_path(path: &Path) -> bool {
    path.extension()
        .and_then(|e| e.to_str())
        .is_some_and(|e| READABLE_EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(e)))
}

/// Whether a file that begins with these bytes is an image, in a format that is supported or not.
pub fn is_image_content(head: &[u8]) -> bool {
    // Some formats begin with two letters, which a text may do, too; but no text has bytes that are 0.
    head.contains(&0) && image::guess_format(head).is_ok()
}

/// Where the numbers of a clip's frames jump: the number before and the one after each jump.
///
/// `files` are in [natural order](crate::files::natural_order). Their numbers are the last ones in their names, which
/// must be equal but for these; of other names nothing is said. Numbers may rise in steps, of 5, say: a jump is twice as
/// long as the shortest step, at least.
pub fn jumps_of_frames(files: &[PathBuf]) -> Vec<(u64, u64)> {
    let names: Option<Vec<_>> = files.iter().map(|file| frame_number(file)).collect();
    let names = names.unwrap_or_default();
    if names.iter().any(|(around, _)| *around != names[0].0) {
        return Vec::new();
    }
    let pairs = || names.windows(2).map(|pair| (pair[0].1, pair[1].1));
    let step = pairs().map(|(a, b)| b.saturating_sub(a)).filter(|step| *step > 0).min();
    let Some(step) = step else { return Vec::new() };
    pairs().filter(|(a, b)| b.saturating_sub(*a) / 2 >= step).collect()
}

/// The last number in a file's name, and what stands before and after it.
fn frame_number(file: &Path) -> Option<((&str, &str), u64)> {
    let stem = file.file_stem()?.to_str()?;
    let before = stem.trim_end_matches(|c: char| !c.is_ascii_digit());
    let start = before.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = before[start.len()..].parse().ok()?;
    Some(((start, &stem[before.len()..]), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jumps(names: &[&str]) -> Vec<(u64, u64)> {
        jumps_of_frames(
            &names
                .iter()
                .map(|name| Path::new("clip").join(name))
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn jumps_in_the_numbers_of_frames_are_found() {
        assert_eq!(jumps(&["f1.png", "f2.png", "f4.png", "f9.png"]), [(2, 4), (4, 9)]);
        assert_eq!(jumps(&["00_take.png", "05_take.png", "15_take.png"]), [(5, 15)]);
        assert_eq!(jumps(&["v2-00008.jpg", "v2-00009.jpg", "v2-00010.jpg"]), []);
        // Milliseconds are rounded; two names may have one number; the beginning is free.
        assert_eq!(jumps(&["0.png", "33.png", "67.png", "100.png"]), []);
        assert_eq!(jumps(&["7.png", "07.png", "8.png"]), []);
        // Names that are no numbered frames.
        assert_eq!(jumps(&["a1.png", "b7.png", "b8.png"]), []);
        assert_eq!(jumps(&["cat.png", "dog.png"]), []);
        assert_eq!(jumps(&["1.png"]), []);
        assert_eq!(jumps(&[]), []);
    }
}
