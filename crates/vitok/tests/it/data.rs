//! Datasets: the same images from everywhere, in an order that only the seed decides.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use vitok::data::{Augment, Batch, Dataset, Loader, LoaderConfig, LoaderOptions, Recipe, Sampler, SkippedSample};
use vitok::media::{Clip, Image, ReadOptions, encode_image, write_image};

/// An image that tells which one it is, with an upper left corner that tells which way it lies.
fn image(number: usize, width: usize, height: usize) -> Image {
    let rgb = (0..width * height).flat_map(|i| {
        let (x, y) = (i % width, i / width);
        [(number * 16) as u8, (x * 255 / width) as u8, (y * 255 / height) as u8]
    });
    Image::new(width, height, rgb.collect()).unwrap()
}

/// `count` images of growing widths in a folder.
fn folder(count: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..count {
        let name = folder.path().join(format!("{i:03}.png"));
        write_image(&name, &image(i, 20 + 3 * i, 24)).unwrap();
    }
    folder
}

/// The files of a folder, in order, as a shard's bytes; each image with a class and a note.
fn shard_of(folder: &Path) -> Vec<u8> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    names.sort();
    let mut tar = tar::Builder::new(Vec::new());
    for (i, path) in names.iter().enumerate() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        tar.append_path_with_name(path, format!("{stem}.png")).unwrap();
        for (ending, text) in [
            ("cls", format!("{i}\n")),
            ("json", format!("{{\"caption\": \"image {i}\"}}")),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            tar.append_data(&mut header, format!("{stem}.{ending}"), text.as_bytes())
                .unwrap();
        }
    }
    tar.into_inner().unwrap()
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn open(path: &Path) -> Dataset {
    Dataset::open(path.to_str().unwrap()).unwrap()
}

fn augment() -> Augment {
    Augment {
        size: 16,
        crop_prob: 0.5,
        ..Default::default()
    }
}

fn options(config: LoaderConfig, first: u64) -> LoaderOptions {
    LoaderOptions {
        augment: augment(),
        config,
        batch_size: 4,
        patch_size: 8,
        seed: 7,
        first_position: first,
    }
}

fn load(
    datasets: Vec<Dataset>,
    config: LoaderConfig,
    first: u64,
    batches: usize,
) -> (Vec<Vec<Clip>>, Vec<SkippedSample>) {
    let weights: Vec<f64> = datasets.iter().map(|d| d.samples().len() as f64).collect();
    let mut loader = Loader::start(datasets, &weights, options(config, first)).unwrap();
    let mut all = Vec::new();
    let mut skipped = Vec::new();
    for _ in 0..batches {
        let Batch { clips, skipped: new } = loader.next_batch().unwrap();
        all.push(clips);
        skipped.extend(new);
    }
    (all, skipped)
}

fn workers(workers: usize) -> LoaderConfig {
    LoaderConfig {
        workers,
        ..Default::default()
    }
}

#[test]
fn threads_memory_and_restarts_change_nothing() {
    let folder = folder(11);
    let load = |config, first, batches| load(vec![open(folder.path())], config, first, batches).0;
    let expected = load(workers(1), 0, 9);
    assert_eq!(load(workers(4), 0, 9), expected);
    let frugal = LoaderConfig {
        cache_mib: 0,
        prefetch: 1,
        ..workers(3)
    };
    assert_eq!(load(frugal, 0, 9), expected);
    assert_eq!(load(workers(2), 5 * 4, 4), expected[5..], "begun at the sixth batch");
    assert_ne!(expected[0], expected[1]);
}

#[test]
fn a_shard_a_list_and_a_folder_are_one_dataset() {
    let folder = folder(7);
    let elsewhere = tempfile::tempdir().unwrap();
    let shard = shard_of(folder.path());
    fs::write(elsewhere.path().join("all.tar"), &shard).unwrap();
    fs::write(elsewhere.path().join("all.tar.gz"), gzipped(&shard)).unwrap();
    let mut list = File::create(elsewhere.path().join("list.txt")).unwrap();
    writeln!(list, "# in the order of the folder\n").unwrap();
    for i in 0..7 {
        writeln!(list, "{}/{i:03}.png", folder.path().display()).unwrap();
    }
    let expected = load(vec![open(folder.path())], workers(2), 0, 5).0;
    for name in ["all.tar", "all.tar.gz", "list.txt"] {
        let dataset = open(&elsewhere.path().join(name));
        assert!(dataset.warnings().is_empty(), "{:?}", dataset.warnings());
        assert_eq!(load(vec![dataset], workers(2), 0, 5).0, expected, "{name}");
    }
}

#[test]
fn shards_have_classes_and_metadata() {
    let folder = folder(5);
    let shards = tempfile::tempdir().unwrap();
    let shard = shard_of(folder.path());
    for name in ["a-00.tar", "a-01.tar", "b.tar.gz"] {
        let bytes = match name.ends_with("gz") {
            true => gzipped(&shard),
            false => shard.clone(),
        };
        fs::write(shards.path().join(name), bytes).unwrap();
    }
    let pattern = format!("{}/{{a-{{00..01}}.tar,b.tar.gz}}", shards.path().display());
    assert!(Dataset::open(&pattern).is_err(), "braces do not nest");
    let all = Dataset::open(format!("{}/a-{{00..01}}.tar", shards.path().display())).unwrap();
    assert_eq!(all.samples().len(), 10);
    assert_eq!(all.class(7).unwrap(), Some(2));
    assert_eq!(all.metadata(7).unwrap().unwrap()["caption"], "image 2");
    assert!(all.samples()[7].name.ends_with("a-01.tar/002.png"));
    let options = ReadOptions::default();
    assert_eq!(all.clip(7, &options).unwrap(), Clip::from(image(2, 26, 24)));
    let plain = open(folder.path());
    assert_eq!(plain.class(2).unwrap(), None);
    assert!(all.clip(10, &options).is_err());
}

#[test]
fn a_sample_has_one_image() {
    let folder = tempfile::tempdir().unwrap();
    let png = encode_image(Path::new("x.png"), &image(1, 20, 20)).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    for name in ["d/one.png", "d/one.mask.png", "d/two.cls", "e/two.png"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(png.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, name, png.as_slice()).unwrap();
    }
    let path = folder.path().join("x.tar");
    fs::write(&path, tar.into_inner().unwrap()).unwrap();
    let dataset = open(&path);
    let names: Vec<_> = dataset.samples().iter().map(|r| &r.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(names[0].ends_with("d/one.png") && names[1].ends_with("e/two.png"));
    assert!(
        dataset.warnings()[0].contains("passed over"),
        "{:?}",
        dataset.warnings()
    );
    assert_eq!(dataset.class(1).unwrap(), None, "d/two is another sample");
}

#[test]
fn a_damaged_shard_gives_what_is_whole() {
    let folder = folder(6);
    let shards = tempfile::tempdir().unwrap();
    let shard = shard_of(folder.path());
    let cut = |name: &str, bytes: &[u8]| {
        let path = shards.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    for (name, bytes) in [
        ("cut.tar", shard[..shard.len() / 2].to_vec()),
        ("cut.tar.gz", gzipped(&shard)[..gzipped(&shard).len() / 2].to_vec()),
    ] {
        let dataset = open(&cut(name, &bytes));
        let count = dataset.samples().len();
        assert!((1..6).contains(&count), "{name}: {count}");
        assert!(dataset.warnings()[0].contains(name));
        for i in 0..count {
            dataset.clip(i, &ReadOptions::default()).unwrap();
        }
    }
    for bytes in [&shard[..300], b"no tar at all, but text that goes on and on"] {
        let error = Dataset::open(cut("no.tar", bytes).to_str().unwrap()).unwrap_err();
        assert!(error.to_string().contains("no.tar"), "{error}");
    }
}

#[test]
fn what_holds_no_images_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |path: &Path, words: &[&str]| {
        let error = Dataset::open(path.to_str().unwrap()).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word}: {error}");
        }
    };
    refused(folder.path(), &["no images in this folder"]);
    refused(&folder.path().join("nowhere"), &["nowhere", "cannot read"]);
    refused(&folder.path().join("x-{0..2}.tar"), &["x-0.tar", "cannot read"]);
    for (pattern, word) in [("x{3..1}.tar", "rise"), ("x{1..2.tar", "}"), ("x{a..b}.tar", "range")] {
        refused(&folder.path().join(pattern), &[word]);
    }
    let list = folder.path().join("list.txt");
    fs::write(&list, "a.png\nb.png\n").unwrap();
    refused(&list, &["none of the 2 files", "a.png"]);
    fs::write(&list, "# nothing\n").unwrap();
    refused(&list, &["no images"]);
    fs::write(folder.path().join("blob.bin"), [0xff, 0, 0xfe]).unwrap();
    refused(
        &folder.path().join("blob.bin"),
        &["neither a folder", "not a supported image", "ff 00 fe"],
    );
    fs::write(folder.path().join("photo.heic"), b"\0\0\0\x24ftypheic\0\0\0\0").unwrap();
    refused(&folder.path().join("photo.heic"), &["HEIF", "JPEG"]);
    write_image(&folder.path().join("b.png"), &image(1, 20, 20)).unwrap();
    fs::write(&list, "\u{feff}a.png\nb.png\n").unwrap();
    let dataset = open(&list);
    assert!(dataset.samples()[0].name.ends_with("/a.png"));
    assert_eq!(dataset.samples().len(), 2);
    assert!(dataset.warnings()[0].contains("1 of 2 files cannot be read: a.png (no such file)"));
}

#[test]
fn an_epoch_has_every_image_once_and_weights_are_kept() {
    let samples: Vec<_> = Sampler::new(3, &[(10, 3.0), (7, 1.0)]).take(400).collect();
    for (dataset, size) in [(0, 10), (1, 7)] {
        let own: Vec<_> = samples.iter().filter(|d| d.dataset == dataset).collect();
        for (epoch, samples) in own.chunks_exact(size).enumerate() {
            let seen: BTreeSet<usize> = samples.iter().map(|d| d.index).collect();
            assert_eq!(seen.len(), size);
            assert!(samples.iter().all(|d| d.epoch == epoch as u64));
        }
    }
    let mut first = 0.0;
    let sampler = Sampler::new(3, &[(10, 3.0), (7, 1.0)]);
    for (i, sample) in sampler.clone().take(400).enumerate() {
        first += f64::from(u8::from(sample.dataset == 0));
        assert!((first - 0.75 * (i + 1) as f64).abs() <= 1.0);
        assert_eq!(sample.position, i as u64);
    }
    let mut later = sampler.clone();
    later.advance(123);
    assert!(later.take(50).eq(sampler.clone().skip(123).take(50)));
    let epochs: Vec<Vec<usize>> = (0..2)
        .map(|e| {
            Sampler::new(3, &[(10, 1.0)])
                .skip(10 * e)
                .take(10)
                .map(|d| d.index)
                .collect()
        })
        .collect();
    assert_ne!(epochs[0], epochs[1], "every epoch has its own order");
    assert!(Sampler::new(3, &[(0, 1.0)]).next().is_none());
}

#[test]
fn unreadable_images_are_named_replaced_and_counted() {
    let folder = folder(20);
    let whole = fs::read(folder.path().join("004.png")).unwrap();
    fs::write(folder.path().join("004.png"), &whole[..whole.len() / 2]).unwrap();
    let tolerant = |count: usize, max_bad_fraction: f64| LoaderConfig {
        max_bad_fraction,
        ..workers(count)
    };
    let (batches, skipped) = load(vec![open(folder.path())], tolerant(1, 0.05), 0, 12);
    assert_eq!(skipped.len(), 1, "said once: {skipped:?}");
    assert!(skipped[0].name.ends_with("004.png") && skipped[0].reason.contains("cut short"));
    assert!(batches.iter().all(|batch| batch.len() == 4));
    let again = load(vec![open(folder.path())], tolerant(4, 0.05), 0, 12);
    assert_eq!(again.0, batches, "what takes its place does not hang on threads");

    let mut loader = Loader::start(vec![open(folder.path())], &[1.0], options(tolerant(2, 0.04), 0)).unwrap();
    let error = (0..12).find_map(|_| loader.next_batch().err()).unwrap().to_string();
    for word in ["1 of 20", "max_bad_fraction = 0.04", "004.png"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn crops_are_what_the_recipes_say() {
    let wide = Clip::from(image(3, 90, 40));
    let apply = |augment: &Augment, n: u64| {
        let mut rng = <rand::rngs::StdRng as rand::SeedableRng>::seed_from_u64(n);
        augment.apply(&wide, 8, &mut rng).unwrap()
    };
    let sizes = |augment: Augment| -> Vec<(usize, usize)> {
        let made = (0..200).map(|n| apply(&augment, n));
        made.map(|p| (p.size().width, p.size().height)).collect()
    };
    let v2 = Augment {
        size: 32,
        ..Default::default()
    };
    let found = sizes(v2);
    let crops = found.iter().filter(|s| **s == (32, 32)).count();
    assert!((25..75).contains(&crops), "about a quarter: {crops} of 200");
    assert!(
        found.iter().filter(|s| **s != (32, 32)).all(|s| *s == (48, 16)),
        "{found:?}"
    );
    let budget = Augment {
        crop_prob: 0.0,
        max_tokens: 60,
        ..v2
    };
    assert!(
        sizes(budget).iter().all(|s| *s == (90, 40)),
        "small enough to keep its size"
    );
    let paper = Augment {
        recipe: Recipe::Paper,
        ..v2
    };
    assert!(sizes(paper).iter().all(|s| *s == (32, 32)));

    // Green grows to the right, unless flipped.
    let flipped = |clip: &Clip| {
        let frame = &clip.frames()[0];
        frame.rgb()[1] > frame.rgb()[3 * frame.width() - 2]
    };
    let count = |augment: Augment| (0..200).filter(|&n| flipped(&apply(&augment, n))).count();
    assert!((70..130).contains(&count(v2)));
    assert_eq!(count(Augment { flip: 0.0, ..v2 }), 0);
    assert_eq!(count(Augment { flip: 1.0, ..v2 }), 200);
    for (wrong, key) in [
        (Augment { size: 4, ..v2 }, "size"),
        (Augment { crop_prob: 1.5, ..v2 }, "crop_prob"),
        (
            Augment {
                scale: [0.5, 0.2],
                ..v2
            },
            "scale",
        ),
        (
            Augment {
                ratio: [0.0, 1.0],
                ..v2
            },
            "ratio",
        ),
    ] {
        assert!(wrong.check().unwrap_err().to_string().contains(key));
    }
}
