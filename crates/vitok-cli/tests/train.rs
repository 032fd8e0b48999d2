//! `vitok train`, and `vitok evaluate` of what it made, run as users run them.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop where it stands

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const CONFIG: &str = r#"
[model]
variant = "w32_d1_h2/1x4x4"
bottleneck = "kl"
[data]
train = ["images"]
validation = ["held-out"]
[data.augment]
size = 32
[data.loader]
downscale = 48
[train]
steps = 60
batch_size = 8
micro_batches = 2
ema_decay = 0.9
checkpoint_every = 10
[validation]
every = 30
"#;

fn vitok(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vitok"));
    command.args(arguments).current_dir(folder);
    command
}

fn said(output: &Output) -> String {
    let [out, err] = [&output.stdout, &output.stderr].map(|b| String::from_utf8_lossy(b));
    format!("{out}{err}")
}

fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = vitok(arguments, folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

fn fails(arguments: &[&str], folder: &Path, words: &[&str]) {
    let output = vitok(arguments, folder).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} should say {word}: {said}");
    }
}

fn workshop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images");
    for (from, to) in [
        ("chelsea.png", "held-out/chelsea.png"),
        ("coffee.png", "images/coffee.png"),
        ("rocket.jpg", "images/deep/rocket.jpg"),
    ] {
        let to = folder.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(images.join(from), to).unwrap();
    }
    fs::write(folder.path().join("tiny.toml"), CONFIG).unwrap();
    folder
}

/// Starts a run, and returns once its checkpoint of step 10 is there.
fn started(folder: &Path, out: &str) -> Child {
    let mut child = vitok(&["train", "tiny.toml", "--out", out], folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !folder.join(out).join("checkpoints/step-00000010").exists() {
        assert!(child.try_wait().unwrap().is_none(), "ended before it could be stopped");
        assert!(begun.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

fn model(folder: &Path, run: &str) -> Vec<u8> {
    fs::read(folder.join(run).join("model/model.safetensors")).unwrap()
}

#[test]
fn a_killed_run_ends_with_the_same_bits() {
    let shop = workshop();
    let folder = shop.path();
    let text = succeeds(&["train", "tiny.toml"], folder);
    assert!(
        text.contains("runs/tiny/model") && text.contains("held-out PSNR"),
        "{text}"
    );
    let mut child = started(folder, "killed");
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    assert!(!folder.join("killed/model").exists());
    fails(&["train", "tiny.toml", "--out", "killed"], folder, &["--resume"]);
    succeeds(&["train", "--resume", "killed"], folder);
    assert_eq!(model(folder, "killed"), model(folder, "runs/tiny"));

    // The model is one as any other.
    succeeds(&["convert", "killed/model", "half", "--dtype", "f16"], folder);
    let evaluate = |arguments: &[&str]| {
        let beside = [
            "evaluate",
            "held-out",
            "--model",
            "half",
            "--baselines",
            "--metrics",
            "psnr,ssim",
        ];
        succeeds(&[&beside, arguments].concat(), folder)
    };
    let text = evaluate(&[
        "--fit",
        "images",
        "--center-crop",
        "32,44",
        "--save-pca",
        "half/pca.safetensors",
        "--out",
        "sheets",
    ]);
    for word in [
        "(center crop of 32), 1 image",
        "(center crop of 44)",
        "half",
        "PCA 4x4 to 4",
        "bicubic",
        "JPEG",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert!(folder.join("sheets/32/sheet.png").exists());
    let text = evaluate(&["--center-crop", "32", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        report["models"].as_array().unwrap().len(),
        4,
        "PCA came with the model: {text}"
    );
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_with_a_checkpoint() {
    let shop = workshop();
    let child = started(shop.path(), "stopped");
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let log = fs::read_to_string(shop.path().join("stopped/events.jsonl")).unwrap();
    let last: serde_json::Value = serde_json::from_str(log.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "end");
    assert_eq!(last["finished"], false);
    let step = last["step"].as_u64().unwrap();
    let checkpoint = format!("stopped/checkpoints/step-{step:08}/training.safetensors");
    assert!(shop.path().join(checkpoint).exists(), "of the very step");
}

#[test]
fn what_is_wrong_is_said() {
    let shop = workshop();
    let folder = shop.path();
    let train = |change: &str| ["train", "tiny.toml", "--set", change].map(str::to_owned);
    let refused = |change: &str, words: &[&str]| {
        let arguments = train(change);
        fails(&arguments.each_ref().map(String::as_str), folder, words);
    };
    refused("train.stps=3", &["unknown field", "did you mean `steps`?"]);
    refused("data.train=[\"nowhere\"]", &["nowhere"]);
    refused("train.steps=0", &["train.steps"]);
    fails(&["train", "none.toml"], folder, &["none.toml", "cannot read"]);
    fails(
        &["evaluate", "nowhere", "--model", "random:w32_d1_h2/1x4x4"],
        folder,
        &["nowhere"],
    );
    fails(
        &["train", "--resume", "nowhere"],
        folder,
        &["no training run to resume", "vitok train CONFIG --out RUN"],
    );
    fails(
        &["train", "tiny.toml", "--resume", "images"],
        folder,
        &["no training run"],
    );
    assert!(!folder.join("runs").exists(), "nothing was begun");
    // An image that cannot be read is named, and the run goes on if that is allowed.
    let whole = fs::read(folder.join("images/coffee.png")).unwrap();
    fs::write(folder.join("images/cut.png"), &whole[..9000]).unwrap();
    refused("train.steps=2", &["1 of 3 images cannot be read", "cut.png"]);
    let text = succeeds(
        &[
            "train",
            "tiny.toml",
            "--out",
            "some",
            "--set",
            "train.steps=2",
            "--set",
            "data.loader.max_bad_fraction=0.4",
        ],
        folder,
    );
    assert!(text.contains("warning: ") && text.contains("cut.png"), "{text}");
}
