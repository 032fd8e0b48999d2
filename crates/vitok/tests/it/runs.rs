//! Whole training runs: resumed, interrupted, misconfigured.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use burn::tensor::Device;
use vitok::media::{Clip, Image, write_image};
use vitok::nn::params;
use vitok::observe::{Event, Observer, Silent};
use vitok::tokenizer::LoadPart;
use vitok::tokenizer::vit::{ModelConfig, VitTokenizer};
use vitok::train::{
    LossConfig, Start, StepStats, TrainConfig, TrainEvent, TrainObserver, TrainOutput, Trainer, batch_of, loss, train,
};
use vitok::{Error, Remedy, Result};

pub(crate) const CONFIG: &str = r#"
seed = 5
[model]
variant = "w16_d1_h2/1x4x4"
bottleneck = "kl"
[data]
train = ["images"]
validation = ["held-out"]
[data.augment]
size = 16
[loss]
ssim = 0.1
[train]
steps = 6
batch_size = 4
micro_batches = 2
ema_decay = 0.9
lr = 1e-3
checkpoint_every = 2
log_every = 1
[validation]
every = 3
"#;

/// Smooth random colors.
pub(crate) fn image(number: usize, width: usize, height: usize) -> Image {
    let rgb = (0..width * height).flat_map(|i| {
        let (x, y, n) = ((i % width) as f64, (i / width) as f64, number as f64);
        [0.0, 1.0, 2.0].map(|c| {
            let wave = (x * 0.21 + n).sin() + (y * 0.17 + 2.0 * c + n).cos();
            (wave * 60.0 + 128.0) as u8
        })
    });
    Image::new(width, height, rgb.collect()).unwrap()
}

pub(crate) struct Workshop(tempfile::TempDir);

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, count) in [("images", 6), ("held-out", 2)] {
            for i in 0..count {
                let place = folder.path().join(name).join(format!("{i}.png"));
                let number = i + 10 * name.len();
                write_image(&place, &image(number, 20 + 5 * i, 22)).unwrap();
            }
        }
        Self(folder)
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    /// The configuration, its datasets by absolute paths.
    pub(crate) fn config(&self, changes: &[&str]) -> TrainConfig {
        self.try_config(CONFIG, changes).unwrap()
    }

    pub(crate) fn try_config(&self, text: &str, changes: &[&str]) -> Result<TrainConfig> {
        let file = self.path("config.toml");
        fs::write(&file, text).unwrap();
        let here = self.0.path().display();
        let mut all = vec![
            format!("data.train=[\"{here}/images\"]"),
            format!("data.validation=[\"{here}/held-out\"]"),
        ];
        all.extend(changes.iter().map(|c| c.to_string()));
        TrainConfig::read(&file, &all)
    }
}

/// Notes what it is told, and asks to stop after a step.
#[derive(Default)]
pub(crate) struct Watcher {
    pub(crate) events: Mutex<Vec<serde_json::Value>>,
    pub(crate) progress: Mutex<Vec<u64>>,
    pub(crate) warnings: Mutex<Vec<String>>,
    pub(crate) stop_after: Option<u64>,
    pub(crate) stop: AtomicBool,
}

impl Observer for Watcher {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Warning(text) => self.warnings.lock().unwrap().push(text.to_owned()),
            Event::Begin { done, .. } | Event::Progress { done, .. } => self.progress.lock().unwrap().push(done),
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(SeqCst)
    }
}

impl TrainObserver for Watcher {
    fn train_event(&self, event: &TrainEvent) {
        self.events.lock().unwrap().push(serde_json::to_value(event).unwrap());
    }

    fn step(&self, step: u64, stats: &StepStats) {
        assert!(stats.losses.loss > 0.0 && stats.grad_norm > 0.0 && stats.lr >= 0.0);
        if self.stop_after == Some(step) {
            self.stop.store(true, SeqCst);
        }
    }
}

pub(crate) const RESUME: Start = Start::Resume { accept_changes: false };

pub(crate) fn run(config: &TrainConfig, folder: &Path, start: Start) -> Result<TrainOutput> {
    train(config, folder, start, &Device::flex(), &Silent)
}

pub(crate) fn model_bytes(run: &Path) -> Vec<u8> {
    fs::read(run.join("model/model.safetensors")).unwrap()
}

fn events(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("events.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let shop = Workshop::new();
    let config = shop.config(&[]);
    let whole = shop.path("whole");
    assert_eq!(
        run(&config, &whole, Start::New).unwrap(),
        TrainOutput {
            step: 6,
            finished: true
        }
    );

    let parts = shop.path("parts");
    let watcher = Watcher {
        stop_after: Some(3),
        ..Default::default()
    };
    let output = train(&config, &parts, Start::New, &Device::flex(), &watcher).unwrap();
    assert_eq!(*watcher.progress.lock().unwrap(), [0, 1, 2, 3]);
    assert_eq!(watcher.events.lock().unwrap().last().unwrap()["finished"], false);
    assert_eq!(
        output,
        TrainOutput {
            step: 3,
            finished: false
        }
    );
    assert!(!parts.join("model").exists(), "not done yet");
    // As a kill would leave it: a checkpoint half-written, a line half-written.
    fs::create_dir(parts.join("checkpoints/.vitok-half")).unwrap();
    let mut log = fs::OpenOptions::new()
        .append(true)
        .open(parts.join("events.jsonl"))
        .unwrap();
    std::io::Write::write_all(&mut log, b"{\"event\":\"st").unwrap();
    assert_eq!(
        run(&config, &parts, RESUME).unwrap(),
        TrainOutput {
            step: 6,
            finished: true
        }
    );
    assert_eq!(model_bytes(&parts), model_bytes(&whole));
    assert!(!parts.join("checkpoints/.vitok-half").exists());

    let steps: Vec<u64> = events(&parts)
        .iter()
        .filter(|e| e["event"] == "step")
        .map(|e| e["step"].as_u64().unwrap())
        .collect();
    assert_eq!(steps, [1, 2, 3, 4, 5, 6], "each step once");
    let losses = |run: &Path| -> Vec<serde_json::Value> {
        let all = events(run).into_iter().filter(|e| e["event"] == "step");
        all.map(|e| e["loss"].clone()).collect()
    };
    assert_eq!(losses(&parts), losses(&whole));
    for file in [
        "curve.svg",
        "config.toml",
        "samples/step-00000003.png",
        "samples/step-00000006.png",
    ] {
        assert!(parts.join(file).exists(), "{file}");
    }
    let checkpoints: Vec<_> = fs::read_dir(parts.join("checkpoints")).unwrap().collect();
    assert_eq!(checkpoints.len(), 2, "the newest two");
    // The averaged weights are the model.
    let last = parts.join("checkpoints/step-00000006");
    assert_eq!(fs::read(last.join("model.safetensors")).unwrap(), model_bytes(&parts));
    VitTokenizer::load(&parts.join("model"), LoadPart::Both, None, &Device::flex()).unwrap();
    // Another seed is another run.
    let other = shop.path("other");
    run(&shop.config(&["seed=6"]), &other, Start::New).unwrap();
    assert_ne!(model_bytes(&other), model_bytes(&whole));
}

#[test]
fn a_tar_shard_trains_as_its_folder() {
    let shop = Workshop::new();
    let mut tar = tar::Builder::new(Vec::new());
    for i in 0..6 {
        let name = format!("{i}.png");
        tar.append_path_with_name(shop.path("images").join(&name), &name)
            .unwrap();
    }
    fs::write(shop.path("all.tar"), tar.into_inner().unwrap()).unwrap();
    let shard = format!("data.train=[\"{}\"]", shop.path("all.tar").display());
    run(&shop.config(&["data.loader.workers=1"]), &shop.path("a"), Start::New).unwrap();
    run(
        &shop.config(&[&shard, "data.loader.workers=4"]),
        &shop.path("b"),
        Start::New,
    )
    .unwrap();
    assert_eq!(model_bytes(&shop.path("a")), model_bytes(&shop.path("b")));
}

#[test]
fn a_changed_configuration_is_noticed() {
    let shop = Workshop::new();
    let folder = shop.path("run");
    let short = shop.config(&["train.steps=2"]);
    run(&short, &folder, Start::New).unwrap();
    let says = |config: &TrainConfig, start: Start, words: &[&str], remedy: Option<Remedy>| {
        let error = run(config, &folder, start).unwrap_err();
        for word in words {
            assert!(error.to_string().contains(word), "{word}: {error}");
        }
        let remedies = error.remedies();
        assert!(remedy.iter().all(|remedy| remedies.contains(remedy)), "{remedies:?}");
        error
    };
    let error = says(&short, Start::New, &["holds a run at step 2"], Some(Remedy::Resume));
    assert!(matches!(error, Error::RunExists { step: 2, .. }), "{error:?}");
    let changed = shop.config(&["train.steps=4", "train.lr=0.5", "train.log_every=3"]);
    let error = says(
        &changed,
        RESUME,
        &["train.lr: 0.001 -> 0.5", "train.steps: 2 -> 4"],
        Some(Remedy::AcceptChanges),
    );
    assert!(
        matches!(&error, Error::SettingsChanged { changes, .. } if changes.len() == 2),
        "{error:?}"
    );
    let accept = Start::Resume { accept_changes: true };
    says(
        &shop.config(&["model.variant=w24_d1_h2/1x4x4"]),
        accept,
        &["another network", "model.variant"],
        None,
    );
    assert_eq!(run(&shop.config(&["train.steps=4"]), &folder, accept).unwrap().step, 4);
    // What only watches may change freely.
    let watching = [
        "train.steps=4",
        "validation.samples=1",
        "data.loader.workers=1",
        "train.keep_last=1",
    ];
    assert_eq!(run(&shop.config(&watching), &folder, RESUME).unwrap().step, 4);
}

#[test]
fn configurations_are_checked_and_keys_suggested() {
    let shop = Workshop::new();
    let says = |text: &str, changes: &[&str], words: &[&str]| {
        let error = shop.try_config(text, changes).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{changes:?} should say {word}: {error}");
        }
    };
    says(
        CONFIG,
        &["train.learning=1"],
        &["unknown field `learning`", "with data.train="],
    );
    says(CONFIG, &["train.warm_up=1"], &["did you mean `warmup_steps`?"]);
    says(CONFIG, &["data.augment.crop-shar=1"], &["did you mean `crop_prob`?"]);
    says(CONFIG, &["data.augment.crop-share=1"], &["did you mean `crop_prob`?"]);
    says(CONFIG, &["train.weight-decay=1"], &["did you mean `weight_decay`?"]);
    says(CONFIG, &["train.parts=1"], &["did you mean `micro_batches`?"]);
    says(CONFIG, &["data.held-out=[]"], &["did you mean `validation`?"]);
    says(CONFIG, &["evaluate.every=1"], &["did you mean `validation`?"]);
    says(CONFIG, &["data.loader.threads=1"], &["did you mean `workers`?"]);
    says(CONFIG, &["data.loader.workers=0"], &["data.loader.workers"]);
    says(CONFIG, &["los.mse=1"], &["did you mean `loss`?"]);
    says(CONFIG, &["train.lr=fast"], &["expected f64", "config.toml"]);
    says(CONFIG, &["train.lr"], &["KEY=VALUE"]);
    says(CONFIG, &["seed.x=1"], &["seed is a value"]);
    says(CONFIG, &["train.lr=-1"], &["train.lr must be above 0"]);
    says(CONFIG, &["train.batch_size=0"], &["train.batch_size"]);
    says(
        CONFIG,
        &["data.train=[{pth=\"x\"}]"],
        &["expected the path of a dataset"],
    );
    says(CONFIG, &["train.ema_decay=1.0"], &["train.ema_decay"]);
    says(CONFIG, &["loss.mse=0", "loss.ssim=0"], &["loss.mse"]);
    says(CONFIG, &["model.variant=S-B/4x8"], &["one frame"]);
    says(CONFIG, &["model.variant=nonsense"], &["nonsense"]);
    // A fault of the file itself comes with its line.
    let typo = CONFIG.replace("lr = 1e-3", "lrr = 1e-3");
    says(&typo, &[], &["lrr = 1e-3", "did you mean `lr`?"]);
    let config = shop.config(&["train.lr=3e-4", "data.augment.recipe=paper", "validation.samples=3"]);
    assert_eq!((config.train.lr, config.validation.samples), (3e-4, 3));
    // What is written down reads back the same.
    let text = toml::to_string(&config).unwrap();
    assert_eq!(toml::from_str::<TrainConfig>(&text).unwrap(), config);
    assert!(config.changes(&config).is_empty());
}

#[test]
fn what_is_trained_on_is_not_evaluated_on() {
    let shop = Workshop::new();
    let both = format!("data.validation=[\"{}\"]", shop.path("images").display());
    let error = run(&shop.config(&[&both]), &shop.path("run"), Start::New).unwrap_err();
    assert!(error.to_string().contains("is in data.train too"), "{error}");
}

/// However it is spelt.
#[cfg(unix)]
#[test]
fn another_spelling_is_the_same_image() {
    let shop = Workshop::new();
    std::os::unix::fs::symlink(shop.path("images"), shop.path("link")).unwrap();
    let link = format!("data.validation=[\"{}\"]", shop.path("link/3.png").display());
    let error = run(&shop.config(&[&link]), &shop.path("run"), Start::New).unwrap_err();
    assert!(error.to_string().contains("data.train too"), "{error}");
}

#[test]
fn a_folder_belongs_to_one_run() {
    let shop = Workshop::new();
    let config = shop.config(&[]);
    let says = |folder: &Path, start: Start, word: &str| {
        let error = run(&config, folder, start).unwrap_err();
        assert!(error.to_string().contains(word), "{word}: {error}");
        error
    };
    // Somebody else's folder.
    for start in [Start::New, RESUME] {
        let error = says(&shop.path("images"), start, "not empty");
        assert!(matches!(error, Error::Occupied { .. }), "{error:?}");
    }
    // Another process at work, which holds the lock and half a checkpoint.
    let folder = shop.path("run");
    fs::create_dir_all(folder.join("checkpoints/.vitok-half")).unwrap();
    fs::write(folder.join("events.jsonl"), "").unwrap();
    let lock = fs::File::create(folder.join(".lock")).unwrap();
    lock.lock().unwrap();
    let error = says(&folder, RESUME, "another process");
    assert!(matches!(error, Error::InUse { .. }), "{error:?}");
    assert!(folder.join("checkpoints/.vitok-half").exists());
    drop(lock);
    fs::remove_dir_all(&folder).unwrap();
    run(&config, &folder, Start::New).unwrap();
    let fewer = shop.config(&["train.steps=4"]);
    let accept = Start::Resume { accept_changes: true };
    let error = run(&fewer, &folder, accept).unwrap_err().to_string();
    assert!(error.contains("at step 6 already"), "{error}");
}

#[test]
fn a_list_with_too_much_missing_is_refused_at_once() {
    let shop = Workshop::new();
    fs::write(shop.path("list.txt"), "images/0.png\nimages/no.png\n").unwrap();
    let list = format!("data.train=[\"{}\"]", shop.path("list.txt").display());
    let error = run(&shop.config(&[&list]), &shop.path("run"), Start::New).unwrap_err();
    for word in ["1 of 2 files cannot be read", "max_bad_fraction"] {
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn a_failed_checkpoint_is_a_warning_until_the_end() {
    let shop = Workshop::new();
    let folder = shop.path("run");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("events.jsonl"), "").unwrap();
    let watcher = Watcher::default();
    let config = shop.config(&[]);
    // Nothing can be written below a file, nor a folder over one.
    fs::write(folder.join("samples"), "in the way").unwrap();
    fs::create_dir(folder.join("checkpoints")).unwrap();
    fs::write(folder.join("checkpoints/step-00000004"), "in the way").unwrap();
    fs::write(folder.join("checkpoints/step-00000006"), "in the way").unwrap();
    let outcome = train(&config, &folder, RESUME, &Device::flex(), &watcher);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("step-00000006"), "{error}");
    let warnings = watcher.warnings.lock().unwrap();
    let warned = |word: &str| warnings.iter().any(|warning| warning.contains(word));
    assert!(warned("no checkpoint at step 4") && warned("samples"), "{warnings:?}");
    // With room again, the run goes on from the checkpoint it has.
    fs::remove_file(folder.join("checkpoints/step-00000004")).unwrap();
    fs::remove_file(folder.join("checkpoints/step-00000006")).unwrap();
    assert!(folder.join("checkpoints/step-00000002/run.json").exists());
    fs::remove_file(folder.join("samples")).unwrap();
    run(&config, &folder, RESUME).unwrap();
    run(&config, &shop.path("whole"), Start::New).unwrap();
    assert_eq!(model_bytes(&folder), model_bytes(&shop.path("whole")));
}

#[test]
fn training_that_diverges_says_so() {
    let shop = Workshop::new();
    let config = shop.config(&["train.lr=1e30", "train.grad_clip=0", "train.ema_decay=0"]);
    let error = run(&config, &shop.path("run"), Start::New).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }), "{error:?}");
    assert!(error.to_string().contains("diverged"), "{error}");
    assert_eq!(error.remedies(), [Remedy::LowerLearningRate]);
    // What was ruined is not saved.
    let newest = events(&shop.path("run"));
    assert!(newest.iter().all(|e| e["event"] != "end"));
}

fn clips(images: &[Image]) -> Vec<Clip> {
    images.iter().cloned().map(Clip::from).collect()
}

/// Images of many sizes, some not of whole patches.
fn ragged() -> Vec<Image> {
    [(16, 16), (9, 14), (16, 16), (21, 8), (12, 7)]
        .iter()
        .enumerate()
        .map(|(i, &(width, height))| image(i, width, height))
        .collect()
}

#[test]
fn every_parameter_gets_a_gradient() {
    let device = Device::flex().autodiff();
    let all = LossConfig {
        mse: 1.0,
        charbonnier: 1.0,
        ssim: 1.0,
        kl: Some(1.0),
        ..Default::default()
    };
    for variant in ["w16_d2_h2/1x4x4", "paper:w24_d1_h2/1x4x4"] {
        let model_config = ModelConfig::of_variant(variant).unwrap();
        let model = VitTokenizer::random(model_config.clone(), 1, &device).unwrap();
        let batch = batch_of(&clips(&ragged()), &model_config, &device).unwrap();
        let (total, losses) = loss(model.network(), &model_config, &batch, &all, &[1]).unwrap();
        assert!(losses.mse.is_some() && losses.charbonnier.is_some());
        assert!(losses.one_minus_ssim.is_some());
        assert_eq!(losses.kl.is_some(), variant.starts_with("paper"));
        let gradients = params::gradients(model.network(), &total.backward());
        params::for_each(model.network(), |name, _, _| {
            let gradient: Vec<f32> = gradients[name].clone().try_into_vec_as().unwrap();
            assert!(gradient.iter().any(|g| *g != 0.0), "{variant}: {name}");
        });
    }
}

/// The loss of a ragged batch is that of its images: errors by pixel, SSIM by image.
#[test]
fn padding_and_company_do_not_change_the_loss() {
    let device = Device::flex().autodiff();
    let model_config = ModelConfig::of_variant("w16_d1_h2/1x4x4").unwrap();
    let model = VitTokenizer::random(model_config.clone(), 1, &device).unwrap();
    let config = LossConfig {
        charbonnier: 0.5,
        ssim: 0.25,
        ..Default::default()
    };
    let of = |images: &[Image]| {
        let batch = batch_of(&clips(images), &model_config, &device).unwrap();
        loss(model.network(), &model_config, &batch, &config, &[1]).unwrap().1
    };
    let together = of(&ragged());
    let alone: Vec<_> = ragged().iter().map(|p| of(std::slice::from_ref(p))).collect();
    let pixels: Vec<f64> = ragged().iter().map(|p| p.size().pixels() as f64).collect();
    let by = |weights: &[f64], values: Vec<f64>| {
        let sum: f64 = weights.iter().zip(values).map(|(w, v)| w * v).sum();
        sum / weights.iter().sum::<f64>()
    };
    let close = |a: Option<f64>, b: f64| (a.unwrap() - b).abs() < 1e-5 * b;
    assert!(close(
        together.mse,
        by(&pixels, alone.iter().map(|l| l.mse.unwrap()).collect())
    ));
    let smooth = alone.iter().map(|l| l.charbonnier.unwrap()).collect();
    assert!(close(together.charbonnier, by(&pixels, smooth)));
    let structure = alone.iter().map(|l| l.one_minus_ssim.unwrap()).collect();
    assert!(close(together.one_minus_ssim, by(&[1.0; 5], structure)));
    let sum = together.mse.unwrap() + 0.5 * together.charbonnier.unwrap() + 0.25 * together.one_minus_ssim.unwrap();
    assert!((together.loss - sum).abs() < 1e-5 * sum);
}

/// A batch in one micro-batch or in three: the same step, up to rounding.
#[test]
fn micro_batches_add_up() {
    let shop = Workshop::new();
    let images: Vec<Image> = (0..6).map(|i| image(i, 16, 16)).collect();
    let after = |micro_batches: usize| -> BTreeMap<String, Vec<f32>> {
        let changes = [
            format!("train.micro_batches={micro_batches}"),
            "model.bottleneck=layer-norm".into(),
        ];
        let config = shop.config(&changes.each_ref().map(String::as_str));
        let mut trainer = Trainer::new(&config, &Device::flex()).unwrap();
        let step = trainer.step(clips(&images)).unwrap();
        assert!(step.grad_norm > 0.0 && step.losses.mse.is_some());
        let state = trainer.checkpoint(0.0).optimizer.into_iter();
        state
            .filter(|(name, _)| name.starts_with("exp_avg."))
            .map(|(name, mean)| (name, mean.try_into_vec_as().unwrap()))
            .collect()
    };
    let (one, three) = (after(1), after(3));
    for (name, mean) in &one {
        let scale = mean.iter().fold(0f32, |a, b| a.max(b.abs()));
        for (a, b) in mean.iter().zip(&three[name]) {
            assert!((a - b).abs() <= 1e-4 * scale, "{name}: {a} {b}");
        }
    }
}
