//! What folders, lists and shards hold beside images, and the names that images have in them.

use std::fs;
use std::path::Path;

use tar::EntryType;
use vitok::data::Dataset;
use vitok::media::{Clip, ClipOptions, Image, ReadOptions, encode_image};

/// A small image of one gray, which tells which one it is.
fn image(gray: u8) -> Image {
    Image::new(8, 8, vec![gray; 3 * 64]).unwrap()
}

fn png(gray: u8) -> Vec<u8> {
    encode_image(Path::new("x.png"), &image(gray)).unwrap()
}

/// An entry of a shard.
enum Entry<'a> {
    File(&'a [u8], Vec<u8>),
    Link(EntryType, &'a str, &'a str),
    Folder(&'a str),
}

fn file(name: &str, gray: u8) -> Entry<'_> {
    Entry::File(name.as_bytes(), png(gray))
}

/// A name as it is, into a header that is not checked.
fn set_name(field: &mut [u8], name: &[u8]) {
    field.fill(0);
    field[..name.len()].copy_from_slice(name);
}

fn write_shard(path: &Path, entries: &[Entry]) {
    let mut tar = tar::Builder::new(Vec::new());
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        let (kind, name, link, content) = match entry {
            Entry::File(name, content) => (EntryType::Regular, *name, "", content.as_slice()),
            Entry::Link(kind, name, target) => (*kind, name.as_bytes(), *target, [].as_slice()),
            Entry::Folder(name) => (EntryType::Directory, name.as_bytes(), "", [].as_slice()),
        };
        header.set_entry_type(kind);
        set_name(&mut header.as_old_mut().name, name);
        set_name(&mut header.as_old_mut().linkname, link.as_bytes());
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    fs::write(path, tar.into_inner().unwrap()).unwrap();
}

/// The places of a dataset's samples, and the gray of each that can be read.
fn grays(dataset: &Dataset) -> Vec<(String, Option<u8>)> {
    let gray = |index| {
        let clip = dataset.clip(index, &ReadOptions::default()).ok()?;
        Some(clip.frames()[0].rgb()[0])
    };
    let samples = dataset.samples().iter().enumerate();
    samples
        .map(|(index, sample)| (sample.place.to_string_lossy().into_owned(), gray(index)))
        .collect()
}

fn open(path: &Path) -> Dataset {
    Dataset::open(path).unwrap()
}

fn expected<const N: usize>(samples: [(&str, Option<u8>); N]) -> Vec<(String, Option<u8>)> {
    samples.map(|(name, gray)| (name.to_owned(), gray)).into()
}

/// The files that macOS packs beside each picture, links of either kind, and folders at the end.
#[test]
fn a_shard_is_what_its_unpacked_files_would_be() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    let apple = || vec![0, 5, 22, 7];
    write_shard(
        &path,
        &[
            Entry::Folder("./"),
            Entry::File(b"./._1.png", apple()),
            file("./1.png", 10),
            Entry::File(b"__MACOSX/._1.png", apple()),
            Entry::File(b"__MACOSX/._2.png", apple()),
            Entry::File(b".notes.txt", b"hidden, but no image".into()),
            file("a/2.png", 20),
            Entry::Link(EntryType::Link, "hard.png", "./a/2.png"),
            Entry::Link(EntryType::Symlink, "b/soft.png", "../a/2.png"),
            Entry::Link(EntryType::Symlink, "twice.png", "b/soft.png"),
            Entry::Link(EntryType::Symlink, "ahead.png", "3.png"),
            Entry::Link(EntryType::Symlink, "gone.png", "nowhere.png"),
            Entry::Link(EntryType::Symlink, "self.png", "self.png"),
            Entry::Link(EntryType::Symlink, "out.png", "../../1.png"),
            Entry::Link(EntryType::Fifo, "pipe.png", ""),
            file("3.png", 30),
            // Added again, as `tar --append` does: the later one counts.
            file("1.png", 11),
            Entry::Folder("empty/"),
        ],
    );
    let dataset = open(&path);
    let expected = expected([
        ("1.png", Some(11)),
        ("a/2.png", Some(20)),
        ("hard.png", Some(20)),
        ("b/soft.png", Some(20)),
        ("twice.png", Some(20)),
        ("ahead.png", Some(30)),
        ("gone.png", None),
        ("self.png", None),
        ("out.png", None),
        ("pipe.png", None),
        ("3.png", Some(30)),
    ]);
    assert_eq!(grays(&dataset), expected);
    assert_eq!(dataset.missing(), 4);
    let shown = path.display();
    assert_eq!(
        dataset.warnings(),
        [
            format!("{shown}: 2 passed over because hidden: ._1.png, __MACOSX"),
            format!(
                "{shown}: 4 of 11 files cannot be read: gone.png (a link that leads nowhere), \
                 self.png (a link that leads nowhere), out.png (a link that leads nowhere) and 1 more"
            ),
        ]
    );
    let error = dataset.clip(6, &ReadOptions::default()).unwrap_err().to_string();
    assert_eq!(error, format!("{shown}/gone.png: a link that leads nowhere"));
}

#[test]
fn an_empty_shard_is_passed_over_among_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_shard(&path("s-000.tar"), &[]);
    write_shard(&path("s-001.tar"), &[file("1.png", 1), file("2.png", 2)]);
    fs::write(path("s-002.tar"), b"").unwrap();
    write_shard(&path("s-003.tar"), &[file("1.png", 3)]);
    let dataset = open(&path("s-{000..003}.tar"));
    let samples = grays(&dataset);
    assert_eq!(
        samples,
        expected([("1.png", Some(1)), ("2.png", Some(2)), ("1.png", Some(3))])
    );
    let empty = ["s-000.tar", "s-002.tar"].map(|name| format!("{}: no images in this shard", path(name).display()));
    assert_eq!(dataset.warnings(), empty);
    let identities: Vec<String> = dataset.identities().collect();
    assert!(identities[0].ends_with("s-001.tar/1.png") && identities[2].ends_with("s-003.tar/1.png"));
    for name in ["s-000.tar", "s-002.tar"] {
        let error = Dataset::open(path(name)).unwrap_err().to_string();
        assert!(error.contains("no images"), "{error}");
    }
}

/// A sample's image is the one that its key alone names, or the one that is asked for.
#[test]
fn a_sample_of_several_images() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    let entries = [
        file("0.depth.png", 1),
        file("0.png", 2),
        file("0.seg.png", 3),
        file("1.depth.png", 4),
        file("1.seg.png", 5),
        Entry::File(b"2.txt", b"no image".into()),
    ];
    write_shard(&path, &entries);
    let dataset = open(&path);
    assert_eq!(
        grays(&dataset),
        expected([("0.png", Some(2)), ("1.depth.png", Some(4))])
    );
    let warning = &dataset.warnings()[0];
    assert!(
        warning.ends_with("3 passed over because their samples have another image: 0.depth.png, 0.seg.png, 1.seg.png"),
        "{warning}"
    );
    let with = |field: &str| format!("{}#{field}", path.display());
    let dataset = Dataset::open(with("seg.png")).unwrap();
    assert_eq!(
        grays(&dataset),
        expected([("0.seg.png", Some(3)), ("1.seg.png", Some(5))])
    );
    assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
    let error = Dataset::open(with("normal.png")).unwrap_err().to_string();
    assert!(error.ends_with("no images named .normal.png in it"), "{error}");
    // Several images of a folder are several samples.
    let plain = tempfile::tempdir().unwrap();
    for name in ["0.png", "0.depth.png"] {
        fs::write(plain.path().join(name), png(1)).unwrap();
    }
    assert_eq!(open(plain.path()).samples().len(), 2);
}

/// Names are bytes: two that differ only in what is not UTF-8 are two samples.
#[test]
fn names_that_differ_stay_different() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.tar");
    let latin1 = [b"caf\xe9.png".as_slice(), b"caf\xe8.png", b"caf\xc3\xa9.png"];
    let entries: Vec<Entry> = (0..3).map(|i| Entry::File(latin1[i], png(i as u8 + 1))).collect();
    write_shard(&path, &entries);
    let dataset = open(&path);
    assert_eq!(
        grays(&dataset).iter().map(|(_, gray)| *gray).collect::<Vec<_>>(),
        [Some(1), Some(2), Some(3)]
    );
    let names = |dataset: &Dataset| -> Vec<String> {
        let names = dataset.samples().iter().map(|sample| sample.name.clone());
        names.map(|name| name.rsplit('/').next().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&dataset), ["caf\\xE9.png", "caf\\xE8.png", "café.png"]);
    let keys: Vec<String> = dataset.samples().iter().map(|sample| sample.key()).collect();
    assert_eq!(keys, ["caf\\xE9", "caf\\xE8", "café"]);

    #[cfg(target_os = "linux")]
    {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let unpacked = folder.path().join("unpacked");
        fs::create_dir(&unpacked).unwrap();
        let mut list = Vec::new();
        for (i, name) in latin1.into_iter().enumerate() {
            fs::write(unpacked.join(OsStr::from_bytes(name)), png(i as u8 + 1)).unwrap();
            list.extend([b"unpacked/", name, b"\n"].concat());
        }
        fs::write(folder.path().join("list.txt"), list).unwrap();
        let list = open(&folder.path().join("list.txt"));
        assert_eq!(grays(&list), grays(&dataset));
        assert_eq!(names(&list), names(&dataset));
        let mut of_folder = names(&open(&unpacked));
        let mut all = names(&dataset);
        of_folder.sort();
        all.sort();
        assert_eq!(of_folder, all);
    }
}

/// Below what the names in a list are, and what its lines may be.
#[test]
fn a_list_names_files_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for (name, gray) in [
        ("photos/a/1.png", 1),
        ("photos/b/1.png", 2),
        (".private/2.png", 3),
        ("photos/._1.png", 4),
    ] {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), png(gray)).unwrap();
    }
    fs::write(root.join("photos/odd.jfif"), png(5)).unwrap();
    let list = |lines: &str| {
        let path = root.join("list");
        fs::write(&path, lines).unwrap();
        path
    };
    let samples = |lines: &str| grays(&open(&list(lines)));
    let expected_below = expected([("a/1.png", Some(1)), ("b/1.png", Some(2)), ("odd.jfif", Some(5))]);
    let relative = "photos/a/1.png\r\n\n# a note\n./photos/b/1.png\nphotos/odd.jfif\nphotos/._1.png\n.private/2.png";
    let dataset = open(&list(relative));
    assert_eq!(grays(&dataset), expected_below);
    let hidden = format!(
        "2 passed over because hidden: ._1.png, {}",
        root.join(".private").display()
    );
    assert!(dataset.warnings()[0].ends_with(&hidden), "{:?}", dataset.warnings());
    let absolute = ["photos/a/1.png", "photos/b/1.png", "photos/odd.jfif"].map(|name| root.join(name));
    let absolute = absolute.map(|path| path.display().to_string()).join("\n");
    assert_eq!(samples(&absolute), expected_below);
    // A file that is named in full is wanted, whatever folder it is in.
    let hidden = root.join(".private/2.png").display().to_string();
    assert_eq!(samples(&hidden), expected([("2.png", Some(3))]));
    // An image of another ending is one by its content.
    assert_eq!(
        grays(&open(&root.join("photos/odd.jfif"))),
        expected([("odd.jfif", Some(5))])
    );
    assert_eq!(
        samples("photos/a/1.png\nphotos\ngone.png")[1..],
        expected([("photos", None), ("gone.png", None)])
    );
}

/// An animation in a shard is a clip, as one in a folder is.
#[test]
fn clips_are_read_from_shards() {
    let folder = tempfile::tempdir().unwrap();
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    for i in 0..3u8 {
        let frame = image::RgbaImage::from_pixel(8, 8, image::Rgba([80 * i, 0, 0, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    fs::write(folder.path().join("a.gif"), &gif).unwrap();
    write_shard(&folder.path().join("x.tar"), &[Entry::File(b"a.gif", gif)]);
    let options = ClipOptions {
        max_frames: 2,
        ..Default::default()
    };
    let read = |name: &str| -> Clip { open(&folder.path().join(name)).read(0, &options, 8).unwrap() };
    assert_eq!(read("x.tar").frames().len(), 2);
    assert_eq!(read("x.tar"), read("a.gif"));
}
