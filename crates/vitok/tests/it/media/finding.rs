//! Image files below folders.

use std::fs;
use std::path::{Path, PathBuf};

use vitok::Error;
use vitok::media::{find_images, is_image_path};

fn folder_with(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "x").unwrap();
    }
    folder
}

fn found_below(root: &Path) -> Vec<String> {
    let found = find_images(&[root.to_owned()]).unwrap();
    let relative = found.iter().map(|p| p.strip_prefix(root).unwrap());
    relative.map(|p| p.to_str().unwrap().to_owned()).collect()
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
fn folders_are_searched_in_order() {
    let folder = folder_with(&[
        "z.PNG",
        "b/deep/one.jpg",
        "b/two.webp",
        "b.png",
        "notes.txt",
        "a.tif",
        ".hidden/h.png",
        "._z.png",
    ]);
    let root = folder.path();
    // By bytes: '.' comes before '/'.
    let expected = ["a.tif", "b.png", "b/deep/one.jpg", "b/two.webp", "z.PNG"];
    assert_eq!(found_below(root), expected);

    // Paths keep their order, a file named outright is taken whatever its name, each once.
    let given = ["z.PNG", "notes.txt", "b", "z.PNG", "b/two.webp"].map(|name| root.join(name));
    let expected = ["z.PNG", "notes.txt", "b/deep/one.jpg", "b/two.webp"].map(|name| root.join(name));
    assert_eq!(find_images(&given).unwrap(), expected);
}

#[cfg(unix)]
#[test]
fn loops_of_links_end() {
    use std::os::unix::fs::symlink;
    let folder = folder_with(&["one/a.png", "two/b.png"]);
    let root = folder.path();
    symlink(root, root.join("one/circle")).unwrap();
    symlink(root.join("two"), root.join("one/other")).unwrap();
    symlink("self", root.join("self")).unwrap();
    symlink(root.join("gone"), root.join("gone.txt")).unwrap();
    assert_eq!(found_below(root), ["one/a.png", "one/other/b.png"]);
    symlink(root.join("gone"), root.join("gone.png")).unwrap();
    let error = find_images(&[root.to_owned()]).unwrap_err();
    assert!(error.to_string().contains("gone.png"), "{error}");
}

#[test]
fn nothing_found_is_an_error() {
    let folder = folder_with(&["notes.txt"]);
    let error = find_images(&[folder.path().to_owned()]).unwrap_err();
    assert!(
        matches!(&error, Error::Image { path, .. } if path == folder.path()),
        "{error}"
    );
    assert!(error.to_string().contains("no images"), "{error}");
    let missing = folder.path().join("nowhere");
    let error = find_images(&[PathBuf::from(&missing)]).unwrap_err();
    assert!(matches!(&error, Error::Io { path, .. } if *path == missing), "{error}");
    assert!(matches!(find_images(&[]), Err(Error::InvalidArgument(_))));
}
