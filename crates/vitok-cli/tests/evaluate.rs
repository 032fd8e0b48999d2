//! `vitok evaluate`, run as users run it, on made-up images and networks with made-up weights.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex};

use image::codecs::gif::GifEncoder;
use image::imageops::blur;
use image::{Frame, Rgb, RgbImage};
use serde_json::Value;
use vitok::Device;
use vitok::features::{Backbone, EfficientNetLite0, StateDictLoader};
use vitok::weights::{Dtype, NewTensor, write_tensors};

use run::{err, fails, out, succeeds, vitok};

mod run;

/// Weight files of random networks, made once for all tests: `NAME=FILE` for `--weights`.
static WEIGHTS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("weights");
    fs::create_dir_all(&folder).unwrap();
    let device = Device::flex();
    let mut all = Vec::new();
    let mut add = |name: &str, load: &dyn Fn(&StateDictLoader)| {
        let asked = Arc::new(Mutex::new(BTreeMap::new()));
        let notes = asked.clone();
        load(&StateDictLoader::from_fn(
            move |name, shape| {
                let values = random(name, shape);
                let array = (shape.to_vec(), values.clone());
                notes.lock().unwrap().insert(name.to_owned(), array);
                values
            },
            &device,
        ));
        let arrays = asked.lock().unwrap().clone();
        let tensors = arrays.into_iter().map(|(name, (shape, values))| NewTensor {
            name,
            shape,
            values: Box::new(move || Ok(values)),
        });
        let path = folder.join(format!("{name}.safetensors"));
        let about = BTreeMap::new();
        write_tensors(&path, &about, tensors.collect(), Dtype::F32).unwrap();
        all.push(format!("{name}={}", path.display()));
    };
    add("efficientnet-lite0", &|source| {
        EfficientNetLite0::load(source).unwrap();
    });
    add("alexnet", &|source| {
        Backbone::alexnet(source).unwrap();
    });
    add("lpips-alex-heads", &|source| {
        for (layer, channels) in [64, 192, 384, 256, 256].into_iter().enumerate() {
            let name = format!("lin{layer}.model.1.weight");
            source.values(&name, &[1, channels, 1, 1]).unwrap();
        }
    });
    all
});

/// Values that keep a network's maps in bounds; heads are positive.
fn random(name: &str, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let fan_in = (count / shape[0]) as f32;
    let mut state = name.bytes().fold(1u32, |s, b| s.wrapping_mul(31) ^ u32::from(b));
    let value = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let v = (state >> 8) as f32 / (1 << 24) as f32 - 0.5;
        match name.rsplit('.').next() {
            _ if name.starts_with("lin") => v + 0.5,
            Some("running_var") => 1.0 + v.abs(),
            Some("running_mean" | "bias") => 0.2 * v,
            _ if shape.len() == 1 => 1.0 + 0.4 * v,
            _ => 5.0 * v / fan_in.sqrt(),
        }
    };
    (0..count).map(value).collect()
}

/// An image of waves, another for each number.
fn image(number: u32, width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |channel: u32| {
            let (a, b) = (0.11 * (number % 7 + 1) as f32, 0.07 * (number % 5 + 2) as f32);
            let noise = (x * 7919 + y * 104_729 + number * 31) % 97;
            let phase = x as f32 * a + y as f32 * b * (channel + 1) as f32 + number as f32;
            (128.0 + 90.0 * phase.sin() + noise as f32 * 0.3) as u8
        };
        Rgb([wave(0), wave(1), wave(2)])
    })
}

const COUNT: u32 = 24;

/// A folder `a` of originals.
fn originals() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("a")).unwrap();
    for i in 0..COUNT {
        let path = folder.path().join(format!("a/{i:02}.png"));
        image(i, 48, 40).save(path).unwrap();
    }
    folder
}

/// A folder of the originals, blurred.
fn blurred(folder: &Path, to: &str, sigma: f32) {
    fs::create_dir(folder.join(to)).unwrap();
    for i in 0..COUNT {
        let path = folder.join(format!("{to}/{i:02}.png"));
        blur(&image(i, 48, 40), sigma).save(path).unwrap();
    }
}

/// Scores that need no more weights than there are.
const SCORES: &str = "psnr,ssim,mse,mae,lpips-alex,frechet,kid,inception-score,precision,recall";

/// Arguments of an evaluation with the random networks.
fn with_networks<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["evaluate", "--network", "efficientnet-lite0", "--metrics", SCORES];
    for weights in WEIGHTS.iter() {
        all.extend(["--weights", weights.as_str()]);
    }
    all.extend(arguments);
    all
}

fn report(folder: &Path, out: &str) -> Value {
    let text = fs::read(folder.join(out).join("scores.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn score(report: &Value, model: usize, key: &str) -> f64 {
    let score = &report["models"][model]["scores"][key];
    match score["value"].as_str() {
        Some(text) => text.parse().unwrap(),
        None => score["value"].as_f64().unwrap_or_else(|| panic!("{key}: {score}")),
    }
}

#[test]
fn identical_sets_have_no_distance() {
    let folder = originals();
    let arguments = with_networks(&["a", "--outputs", "a", "--out", "e"]);
    let said = succeeds(&arguments, folder.path());
    assert!(said.contains("inf"), "{said}");
    // A distance on another network is not called FID.
    assert!(said.contains("Frechet distance (EfficientNet-Lite0)"), "{said}");
    assert!(!said.contains("\nFID"), "{said}");
    let report = report(folder.path(), "e");
    let score = |key| score(&report, 0, key);
    assert_eq!(score("psnr"), f64::INFINITY);
    assert_eq!(score("ssim"), 1.0);
    for key in ["mse", "mae", "lpips-alex", "frechet", "kid"] {
        assert_eq!(score(key), 0.0, "{key}");
    }
    assert_eq!((score("precision"), score("recall")), (1.0, 1.0));
    let page = fs::read_to_string(folder.path().join("e/report.html")).unwrap();
    assert!(page.contains("data:image/png;base64,"));
    assert!(!page.contains("src=\"http") && !page.contains("/*DATA*/"));
    let csv = fs::read_to_string(folder.path().join("e/images.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + COUNT as usize);
    assert!(csv.contains("00.png,inf"), "{csv}");
}

#[test]
fn more_blur_is_farther() {
    let folder = originals();
    let steps = [("b1", 0.6), ("b2", 1.2), ("b3", 2.5)];
    let mut arguments = vec!["a", "--out", "e"];
    for (name, sigma) in steps {
        blurred(folder.path(), name, sigma);
        arguments.extend(["--outputs", name]);
    }
    succeeds(&with_networks(&arguments), folder.path());
    let report = report(folder.path(), "e");
    for key in ["lpips-alex", "frechet", "mse", "mae"] {
        let found: Vec<f64> = (0..3).map(|model| score(&report, model, key)).collect();
        assert!(
            0.0 < found[0] && found[0] < found[1] && found[1] < found[2],
            "{key}: {found:?}"
        );
    }
    for key in ["psnr", "ssim"] {
        let found: Vec<f64> = (0..3).map(|model| score(&report, model, key)).collect();
        assert!(found[0] > found[1] && found[1] > found[2], "{key}: {found:?}");
    }
    // Intervals lie around their scores.
    let psnr = &report["models"][1]["scores"]["psnr"];
    let [low, value, high] = ["low", "value", "high"].map(|key| psnr[key].as_f64().unwrap());
    assert!(low < value && value < high, "{psnr}");
}

#[test]
fn neither_order_nor_threads_change_a_score() {
    let folder = originals();
    let folder = folder.path();
    blurred(folder, "b", 1.0);
    for (from, to) in [("a", "a2"), ("b", "b2")] {
        fs::create_dir(folder.join(to)).unwrap();
        for i in 0..COUNT {
            let (old, new) = (format!("{from}/{i:02}.png"), format!("{to}/{}.png", 90 - i));
            fs::copy(folder.join(old), folder.join(new)).unwrap();
        }
    }
    let scores = |arguments: &[&str], threads: &str, to: &str| -> Value {
        let mut all = with_networks(arguments);
        all.extend(["--out", to]);
        let done = Command::new(env!("CARGO_BIN_EXE_vitok"))
            .args(all)
            .current_dir(folder)
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        assert!(done.status.success(), "{}", err(&done));
        let report = report(folder, to);
        assert_eq!(report["protocol"]["reference_hash"].as_str().unwrap().len(), 64);
        let hash = report["protocol"]["reference_hash"].clone();
        serde_json::json!([report["models"][0]["scores"], hash])
    };
    let one = scores(&["a", "--outputs", "b"], "1", "e1");
    assert_eq!(one, scores(&["a", "--outputs", "b"], "4", "e4"), "threads");
    assert_eq!(one, scores(&["a2", "--outputs", "b2"], "4", "er"), "order");
}

#[test]
fn what_cannot_be_scored_is_named_and_counted() {
    let folder = originals();
    let folder = folder.path();
    blurred(folder, "b", 1.0);
    fs::write(folder.join("a/03.png"), b"no image").unwrap();
    fs::write(
        folder.join("b/05.png"),
        &fs::read(folder.join("b/05.png")).unwrap()[..200],
    )
    .unwrap();
    fs::remove_file(folder.join("b/07.png")).unwrap();
    image(9, 30, 30).save(folder.join("b/09.png")).unwrap();
    image(99, 48, 40).save(folder.join("b/99.png")).unwrap();
    let arguments = with_networks(&["a", "--outputs", "b", "--out", "e"]);
    let failed = fails(&arguments, folder, 1, &["5 images are not in the scores"]);
    assert!(out(&failed).contains("PSNR"), "{}", out(&failed));
    let report = report(folder, "e");
    assert_eq!(report["models"][0]["count"], COUNT as u64 - 4);
    let skipped = report["skipped"].to_string();
    for (file, why) in [
        ("a/03.png", ""),
        ("a/05.png", "b/05.png"),
        ("a/07.png", "no output"),
        ("a/09.png", "30x30"),
    ] {
        assert!(skipped.contains(file), "{file}: {skipped}");
        assert!(skipped.replace(" x ", "x").contains(why), "{why}: {skipped}");
    }
    // Sizes may be mixed where original and output agree.
    image(9, 30, 33).save(folder.join("a/09.png")).unwrap();
    image(9, 30, 33).save(folder.join("b/09.png")).unwrap();
    let metrics = [
        "evaluate",
        "a",
        "--outputs",
        "b",
        "--metrics",
        "psnr,ssim",
        "--out",
        "e2",
    ];
    fails(&metrics, folder, 1, &["3 images"]);

    fails(&["evaluate", "a"], folder, 1, &["--model or --outputs"]);
    fails(&["evaluate", "a", "--outputs", "nowhere"], folder, 1, &["nowhere"]);
    fs::create_dir(folder.join("c")).unwrap();
    image(1, 48, 40).save(folder.join("c/other.png")).unwrap();
    let strangers = ["evaluate", "a", "--outputs", "c", "--metrics", "psnr", "--out", "e3"];
    fails(&strangers, folder, 1, &["--unpaired", "other.png"]);
    fails(
        &["evaluate", "a", "--outputs", "b", "--protocol", "fid"],
        folder,
        1,
        &["fid-clean"],
    );
    fails(
        &["evaluate", "a", "--outputs", "b", "--metrics", "fid"],
        folder,
        2,
        &["frechet"],
    );
    let missing = [
        "evaluate",
        "a",
        "--outputs",
        "b",
        "--metrics",
        "lpips-vgg",
        "--out",
        "e4",
    ];
    fails(&missing, folder, 1, &["vgg16", "vitok download metrics"]);
}

#[test]
fn too_few_images_cost_only_the_scores_that_need_more() {
    let folder = originals();
    let folder = folder.path();
    let arguments = with_networks(&["a", "--outputs", "a", "--limit", "1", "--out", "e"]);
    succeeds(&arguments, folder);
    let report = report(folder, "e");
    let scores = &report["models"][0]["scores"];
    for key in ["frechet", "kid", "inception-score", "precision"] {
        assert!(scores[key]["value"].is_null(), "{scores}");
        assert!(scores[key]["missing"].is_string(), "{scores}");
    }
    assert_eq!(score(&report, 0, "mse"), 0.0);
    // With few, there is a warning.
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("KID"), "{warnings}");
}

#[test]
fn a_stopped_evaluation_goes_on_to_the_same_scores() {
    let folder = originals();
    let folder = folder.path();
    blurred(folder, "b", 1.0);
    let arguments = with_networks(&["a", "--outputs", "b", "--out", "e"]);
    succeeds(&arguments, folder);
    let whole = report(folder, "e");
    // As after `kill -9`: some lines, and more rows than lines.
    for pass in fs::read_dir(folder.join("e/store")).unwrap() {
        let pass = pass.unwrap().path();
        if !pass.is_dir() {
            continue; // the lock
        }
        let path = pass.join("clips.jsonl");
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.split_inclusive('\n').take(10).collect();
        fs::write(&path, lines.concat() + "{\"na").unwrap();
    }
    let resumed = vitok(&arguments, folder);
    assert!(err(&resumed).contains("going on after 10 of 24"), "{}", err(&resumed));
    assert_eq!(report(folder, "e")["models"], whole["models"]);
}

#[test]
fn samples_and_statistics_made_again_have_their_own_scores() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // A generator's samples, blurred more or less.
    let write = |to: &str, sigma: f32| {
        fs::create_dir_all(folder.join(to)).unwrap();
        for i in 0..8 {
            let path = folder.join(format!("{to}/{i}.png"));
            blur(&image(i, 48, 40), sigma).save(path).unwrap();
        }
    };
    write("a", 0.1);
    let sets = |arguments: &[&'static str]| -> Vec<String> {
        let all = with_networks(arguments);
        let metrics = all
            .iter()
            .map(|argument| if *argument == SCORES { "frechet" } else { argument });
        metrics.map(str::to_owned).collect()
    };
    let distance = |arguments: &[String], to: &str| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        succeeds(&arguments, folder);
        score(&report(folder, to), 0, "frechet")
    };
    let unpaired = sets(&[
        "a",
        "--outputs",
        "b",
        "--unpaired",
        "--save-reference",
        "a.npz",
        "--out",
        "e",
    ]);
    write("b", 1.0);
    let one = distance(&unpaired, "e");
    write("b", 3.0);
    let arguments: Vec<&str> = unpaired.iter().map(String::as_str).collect();
    let said = err(&vitok(&arguments, folder));
    assert!(said.contains("b: 8 of 8 files changed since the last run"), "{said}");
    let two = distance(&unpaired, "e");
    assert!(one > 0.0 && two > 1.1 * one, "{one} {two}");

    // Originals by their statistics, of which other ones take the place.
    let reference = sets(&["--reference", "a.npz", "--outputs", "b", "--out", "r"]);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * b;
    assert!(close(distance(&reference, "r"), two));
    write("b", 1.0);
    assert!(close(distance(&reference, "r"), one));
    write("a", 1.0);
    assert!(distance(&unpaired, "e").abs() < 1e-6);
    assert!(distance(&reference, "r").abs() < 1e-6);
}

#[test]
fn another_experiment_with_the_same_paths_is_another() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (experiment, difference) in [("x", 3), ("y", 7)] {
        for (name, gray) in [("a", 100), ("b", 100 + difference)] {
            let data = folder.join(experiment).join(name);
            fs::create_dir_all(&data).unwrap();
            let image = RgbImage::from_pixel(16, 16, Rgb([gray; 3]));
            image.save(data.join("0.png")).unwrap();
        }
    }
    let run = |experiment: &str| {
        let arguments = ["evaluate", "a", "--outputs", "b", "--metrics", "mse", "--out", "../e"];
        let done = vitok(&arguments, &folder.join(experiment));
        assert!(done.status.success(), "{}", err(&done));
        (err(&done), score(&report(folder, "e"), 0, "mse"))
    };
    assert_eq!(run("x"), (String::new(), 9.0));
    let (said, mse) = run("y");
    assert_eq!(mse, 49.0);
    assert!(said.contains("b: 1 of 1 outputs changed"), "{said}");
}

#[test]
fn statistics_of_originals_can_stand_for_them() {
    let folder = originals();
    let folder = folder.path();
    blurred(folder, "b", 1.0);
    let arguments = with_networks(&[
        "a",
        "--outputs",
        "b",
        "--unpaired",
        "--save-reference",
        "a.npz",
        "--out",
        "e1",
    ]);
    let said = fails(&arguments, folder, 1, &["PSNR", "originals"]);
    assert!(out(&said).is_empty());
    let metrics = "frechet,kid,inception-score,precision,recall";
    let unpaired: Vec<&str> = arguments
        .iter()
        .map(|argument| if *argument == SCORES { metrics } else { argument })
        .collect();
    succeeds(&unpaired, folder);
    let mut reference = unpaired.clone();
    reference.truncate(reference.len() - 8);
    reference.extend(["--outputs", "b", "--reference", "a.npz", "--out", "e2"]);
    succeeds(&reference, folder);
    let [all, statistics] = ["e1", "e2"].map(|name| report(folder, name));
    let [a, b] = [&all, &statistics].map(|report| score(report, 0, "frechet"));
    assert!(a > 0.0 && (a - b).abs() < 1e-6 * a, "{a} {b}");
    assert_eq!(
        score(&all, 0, "inception-score"),
        score(&statistics, 0, "inception-score")
    );
    assert!(statistics["models"][0]["scores"]["kid"]["missing"].is_string());
    fs::write(folder.join("a.npz"), b"no archive").unwrap();
    fails(&reference, folder, 1, &["a.npz"]);
}

#[test]
fn a_model_and_the_other_ways_to_score_it() {
    let folder = originals();
    let folder = folder.path();
    succeeds(&["init", "w32_d1_h2/1x8x6", "model"], folder);
    let arguments = with_networks(&[
        "a",
        "--model",
        "model",
        "--center-crop",
        "40",
        "--explain",
        "--limit",
        "6",
        "--out",
        "e",
        "--json",
    ]);
    let printed: Value = serde_json::from_str(&succeeds(&arguments, folder)).unwrap();
    assert_eq!(printed["models"], report(folder, "e")["models"]);
    let protocol = printed["protocol"]["text"].to_string();
    assert!(
        protocol.contains("native, changed (center crop of 40, EfficientNet-Lite0)"),
        "{protocol}"
    );
    for way in ["as pytorch-fid", "as clean-fid", "half"] {
        assert!(score(&printed, 0, &format!("explain frechet {way}")) > 0.0);
    }
    let (mean, whole) = (
        score(&printed, 0, "psnr"),
        score(&printed, 0, "explain psnr of mean mse"),
    );
    assert!(mean > 0.0 && whole < mean, "{whole} {mean}");
    // Of images of one size, both pool alike.
    assert!((score(&printed, 0, "psnr-pooled") - whole).abs() < 1e-9, "{whole}");
    assert_ne!(score(&printed, 0, "ssim"), score(&printed, 0, "explain ssim uniform"));
}

#[test]
fn baselines_stand_beside_the_first_model() {
    let folder = originals();
    let folder = folder.path();
    succeeds(&["init", "w32_d1_h2/1x8x6", "model"], folder);
    let arguments = ["evaluate", "a", "--metrics", "psnr,ssim", "--limit", "3", "--baselines"];
    let with = |others: &[&'static str]| [&arguments[..], others].concat();
    let said = succeeds(&with(&["--model", "model", "--resamples", "0"]), folder);
    // Without a PCA, for there is none beside the model; a candidate a line, as there are few scores.
    let first: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .take(4)
        .collect();
    assert_eq!(first, ["model", "model", "bicubic", "JPEG"], "{said}");
    assert!(folder.join("evaluation/sheet.png").exists());
    let overlapping = with(&["--model", "model", "--fit", "a", "--out", "f"]);
    fails(&overlapping, folder, 1, &["a/00.png", "among the originals"]);
    fails(&with(&["--outputs", "a"]), folder, 2, &["--model"]);
    fails(&with(&["--model", "model", "--save-pca", "p"]), folder, 2, &["--fit"]);
}

/// A clip: frames that move.
fn frames(number: u32) -> Vec<RgbImage> {
    (0..3).map(|t| image(number + 10 * t, 32, 24)).collect()
}

#[test]
fn clips_are_animations_and_folders_of_frames() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::create_dir(folder.join("a")).unwrap();
    for number in 0..2 {
        let file = fs::File::create(folder.join(format!("a/{number}.gif"))).unwrap();
        let mut gif = GifEncoder::new(file);
        for frame in frames(number) {
            let frame = image::DynamicImage::ImageRgb8(frame).into_rgba8();
            gif.encode_frame(Frame::new(frame)).unwrap();
        }
    }
    succeeds(&["init", "w32_d1_h2/1x8x6", "model"], folder);
    let reconstruct = ["reconstruct", "a", "--model", "model", "--frames", "3", "--out", "b"];
    succeeds(&reconstruct, folder);
    // The side-by-sides that `reconstruct` writes are no outputs.
    for name in ["0.compare", "1.compare"] {
        fs::remove_dir_all(folder.join("b").join(name)).unwrap();
    }
    let metrics = ["--frames", "3", "--metrics", "psnr,ssim,mse"];
    let run = |arguments: &[&str], to: &str| {
        let all = [&["evaluate", "a", "--out", to], arguments, &metrics].concat();
        succeeds(&all, folder);
        report(folder, to)
    };
    let files = run(&["--outputs", "b"], "e1");
    let model = run(&["--model", "model"], "e2");
    for key in ["psnr", "ssim", "mse"] {
        assert_eq!(score(&files, 0, key), score(&model, 0, key), "{key}");
    }
    assert_eq!(files["models"][0]["count"], 2);
    let page: PathBuf = folder.join("e2/report.html");
    let page = fs::read_to_string(page).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 2 * 2 * 3);
}
