//! Image files below folders.

use std::fs;
use std::path::Path;

use vitok::Error;
use vitok::files::{FileFault, FoundFiles, find_files};
use vitok::media::{is_image_content, is_image_path};

fn folder_with(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

/// The images below a folder, and what is hidden, by their paths below it.
fn found_below(root: &Path) -> (Vec<String>, Vec<String>) {
    let FoundFiles { files, hidden } = find_files(root, is_image_path).unwrap();
    let below = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    let files = files.iter().map(|file| below(&file.path));
    (files.collect(), hidden.iter().map(|path| below(path)).collect())
}

#[test]
fn extensions_tell_images() {
    for name in [
        "a.png", "a.JPG", "b.c.jpeg", "x/a.WebP", "a.gif", "a.bmp", "a.tif", "a.TIFF",
    ] {
        assert!(is_image_path(Path::new(name)), "{name}");
    }
    for name in ["png", ".png", "a.txt", "a.png.txt", "a.", "a.pngx", ""] {
        assert!(!is_image_path(Path::new(name)), "{name}");
    }
}

#[test]
fn content_tells_images() {
    let tiff_and_its_like = [
        b"II*\0".as_slice(),
        b"MM\0*",
        b"BM\x36\0\0\0",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    ];
    for head in tiff_and_its_like {
        assert!(is_image_content(head), "{head:?}");
    }
    for text in ["", "BMX-race.jpg\nBMX-rest.jpg\n", "MM.png", "\0\0\0\0"] {
        assert!(!is_image_content(text.as_bytes()), "{text:?}");
    }
}

#[test]
fn folders_are_searched_in_natural_order() {
    let folder = folder_with(&[
        "frame10.png",
        "frame2.png",
        "frame1.PNG",
        "take10/1.jpg",
        "take9/1.jpg",
        "take9/deep/1.webp",
        "take9.png",
        "notes.txt",
        "010.tif",
        "10.tif",
        "9.tif",
    ]);
    let expected = [
        "9.tif",
        "010.tif",
        "10.tif",
        "frame1.PNG",
        "frame2.png",
        "frame10.png",
        // A folder's files stay together.
        "take9/1.jpg",
        "take9/deep/1.webp",
        "take9.png",
        "take10/1.jpg",
    ];
    let (files, hidden) = found_below(folder.path());
    assert_eq!(files, expected);
    assert!(hidden.is_empty());

    // A file named outright is taken, whatever its name.
    for name in ["notes.txt", "9.tif"] {
        let path = folder.path().join(name);
        let found = find_files(&path, is_image_path).unwrap().files;
        assert_eq!(found.iter().map(|file| &file.path).collect::<Vec<_>>(), [&path]);
    }
}

#[test]
fn hidden_files_are_passed_over_and_named() {
    let folder = folder_with(&[
        "a.png",
        "._a.png",
        ".hidden/deep/h.png",
        ".hidden/i.png",
        "b/__MACOSX/a.png",
        "b/c.png",
        ".notes.txt",
    ]);
    let (files, hidden) = found_below(folder.path());
    assert_eq!(files, ["a.png", "b/c.png"]);
    assert_eq!(hidden, ["._a.png", ".hidden", "b/__MACOSX"]);
    // The folder that is named may itself be hidden.
    let (files, _) = found_below(&folder.path().join(".hidden"));
    assert_eq!(files, ["deep/h.png", "i.png"]);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_those_to_nowhere_are_named() {
    use std::os::unix::fs::symlink;
    let folder = folder_with(&["one/a.png", "two/b.png"]);
    let root = folder.path();
    symlink(root, root.join("one/circle")).unwrap();
    symlink(root.join("two"), root.join("one/other")).unwrap();
    symlink(root.join("gone"), root.join("gone.txt")).unwrap();
    symlink("self", root.join("self")).unwrap();
    symlink("self.png", root.join("self.png")).unwrap();
    symlink(root.join("gone"), root.join("gone.png")).unwrap();
    symlink(root.join("gone"), root.join("._gone.png")).unwrap();
    let found = find_files(root, is_image_path).unwrap();
    let fault = |name: &str| {
        let file = found.files.iter().find(|file| file.path == root.join(name));
        file.unwrap_or_else(|| panic!("{name}")).fault.clone()
    };
    assert_eq!(fault("gone.png"), Some(FileFault::BrokenLink));
    assert_eq!(fault("self.png"), Some(FileFault::BrokenLink));
    assert_eq!(fault("one/a.png"), None);
    let (files, hidden) = found_below(root);
    assert_eq!(files, ["gone.png", "one/a.png", "one/other/b.png", "self.png"]);
    assert_eq!(hidden, ["._gone.png"]);
}

#[test]
fn nothing_there_is_an_error() {
    let folder = folder_with(&["notes.txt"]);
    assert!(find_files(folder.path(), is_image_path).unwrap().files.is_empty());
    let missing = folder.path().join("nowhere");
    let error = find_files(&missing, is_image_path).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == missing), "{error}");
}
