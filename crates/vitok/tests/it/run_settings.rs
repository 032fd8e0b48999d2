//! What a run says about its settings: resolved values, keys without effect, data that changed, a loss that explodes.

use std::fs;

use burn::tensor::Device;
use vitok::media::write_image;
use vitok::train::{Start, TrainConfig, config_of_run, train};
use vitok::{Error, Remedy};

use crate::runs::{RESUME, Watcher, Workshop, image, model_bytes, run};

#[test]
fn only_a_run_can_be_resumed() {
    let shop = Workshop::new();
    fs::create_dir(shop.path("empty")).unwrap();
    for name in ["missing", "empty"] {
        let error = run(&shop.config(&[]), &shop.path(name), RESUME).unwrap_err();
        assert!(matches!(error, Error::NoRun { .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.remedies(), [Remedy::Begin]);
        assert!(matches!(config_of_run(&shop.path(name)), Err(Error::NoRun { .. })));
    }
    assert!(!shop.path("missing").exists(), "nothing was begun");
}

/// Also when it was begun with overrides, which the file it was begun from does not have.
#[test]
fn a_run_goes_on_with_its_own_configuration() {
    let shop = Workshop::new();
    let config = shop.config(&["train.lr=3e-4", "seed=9"]);
    let watcher = Watcher {
        stop_after: Some(3),
        ..Watcher::default()
    };
    let folder = shop.path("stopped");
    assert!(
        !train(&config, &folder, Start::New, &Device::flex(), &watcher)
            .unwrap()
            .finished
    );
    let own = TrainConfig::read(&config_of_run(&folder).unwrap(), &[]).unwrap();
    assert!(run(&own, &folder, RESUME).unwrap().finished);
    run(&config, &shop.path("whole"), Start::New).unwrap();
    assert_eq!(model_bytes(&folder), model_bytes(&shop.path("whole")));
}

#[test]
fn every_value_is_saved_as_resolved() {
    let shop = Workshop::new();
    let variants = [
        // Variant, bottleneck, block, rope, weight of KL.
        ("w16_d1_h2/1x4x4", "layer-norm", "parallel", "2d", None),
        ("paper:w24_d1_h2/1x4x4", "kl", "sequential", "3d", Some(1e-3)),
    ];
    for (variant, bottleneck, block, rope, kl) in variants {
        let text =
            format!("[model]\nvariant = \"{variant}\"\n[data]\ntrain = []\n[train]\nsteps = 1\nbatch_size = 2\n");
        let config = shop.try_config(&text, &["data.augment.size=16"]).unwrap();
        let folder = shop.path(bottleneck);
        run(&config, &folder, Start::New).unwrap();
        let saved: toml::Table = fs::read_to_string(folder.join("config.toml")).unwrap().parse().unwrap();
        let model = saved["model"].as_table().unwrap();
        for (key, value) in [
            ("bottleneck", bottleneck),
            ("block", block),
            ("rope", rope),
            ("attention", "full"),
        ] {
            assert_eq!(model[key].as_str(), Some(value), "{variant}: {key}");
        }
        assert_eq!(model.contains_key("layer_scale"), block == "parallel", "{variant}");
        assert_eq!(saved["loss"].get("kl").and_then(toml::Value::as_float), kl, "{variant}");
        // Spelled out or not, it is the same configuration.
        let spelled_out = TrainConfig::read(&folder.join("config.toml"), &[]).unwrap();
        assert!(run(&spelled_out, &folder, RESUME).unwrap().finished);
    }
}

#[test]
fn keys_without_effect_are_named() {
    let shop = Workshop::new();
    let unused = |changes: &[&str]| shop.config(changes).unused_keys().unwrap();
    assert_eq!(unused(&[]), [""; 0]);
    let layer_norm = "model.bottleneck=layer-norm";
    for (changes, key) in [
        (vec![layer_norm, "loss.kl=1e-3"], "loss.kl"),
        (
            vec!["model.block=sequential", "model.layer_scale=0.1"],
            "model.layer_scale",
        ),
        (vec!["loss.charbonnier_eps=0.1"], "loss.charbonnier_eps"),
        (
            vec!["data.augment.recipe=paper", "data.augment.scale=[0.5,1.0]"],
            "data.augment.scale",
        ),
        (
            vec!["data.augment.recipe=paper", "data.augment.crop_prob=0.5"],
            "data.augment.crop_prob",
        ),
        (
            vec!["data.augment.crop_prob=0.0", "data.augment.ratio=[1.0,1.0]"],
            "data.augment.ratio",
        ),
        (
            vec!["data.augment.crop_prob=1.0", "data.augment.max_tokens=9"],
            "data.augment.max_tokens",
        ),
        (vec!["train.warmup_steps=6", "train.min_lr=1e-5"], "train.min_lr"),
        (vec!["data.validation=[]"], "validation"),
    ] {
        let found = unused(&changes);
        assert!(
            found.len() == 1 && found[0].starts_with(&format!("{key} has no effect")),
            "{found:?}"
        );
    }
    // Zero asks for nothing, and the other way round each has its effect.
    for changes in [
        vec![layer_norm, "loss.kl=0.0"],
        vec!["loss.kl=1e-3"],
        vec!["model.block=parallel", "model.layer_scale=0.1"],
        vec!["loss.charbonnier=1.0", "loss.charbonnier_eps=0.1"],
        vec!["data.augment.scale=[0.5,1.0]", "data.augment.max_tokens=9"],
    ] {
        assert_eq!(unused(&changes), [""; 0], "{changes:?}");
    }
    let watcher = Watcher::default();
    let config = shop.config(&[layer_norm, "loss.kl=1e-3", "train.steps=1"]);
    train(&config, &shop.path("run"), Start::New, &Device::flex(), &watcher).unwrap();
    let warnings = watcher.warnings.lock().unwrap();
    assert!(
        warnings.len() == 1 && warnings[0].starts_with("loss.kl has no effect"),
        "{warnings:?}"
    );
}

#[test]
fn a_loss_that_explodes_ends_the_run() {
    let shop = Workshop::new();
    let folder = shop.path("run");
    // Long enough for a learning rate of 50 to show what it does.
    let wild = ["model.bottleneck=layer-norm", "train.lr=50.0", "train.steps=300"];
    let error = run(&shop.config(&wild), &folder, Start::New).unwrap_err();
    assert!(matches!(&error, Error::Diverged { .. }), "{error:?}");
    assert!(error.to_string().contains("train.max_loss = 1000"), "{error}");
    assert_eq!(error.remedies(), [Remedy::LowerLearningRate]);
    assert!(!folder.join("model").exists(), "no model of such a run");
    // The limit is the user's.
    let strict = shop.config(&["train.max_loss=1e-6"]);
    let error = run(&strict, &shop.path("strict"), Start::New).unwrap_err();
    assert!(
        error.to_string().contains("at step 0, above train.max_loss = 0.000001"),
        "{error}"
    );
    let error = shop
        .try_config(crate::runs::CONFIG, &["train.max_loss=-1.0"])
        .unwrap_err();
    assert!(error.to_string().contains("train.max_loss"), "{error}");
    assert!(
        run(&shop.config(&["train.max_loss=0.0"]), &shop.path("free"), Start::New)
            .unwrap()
            .finished
    );
}

#[test]
fn training_data_that_changed_are_noticed() {
    let shop = Workshop::new();
    let folder = shop.path("run");
    run(&shop.config(&["train.steps=2"]), &folder, Start::New).unwrap();
    let longer = shop.config(&["train.steps=2", "train.log_every=2"]);
    assert!(run(&longer, &folder, RESUME).is_ok(), "nothing changed");
    let refused = |words: &str| {
        let error = run(&longer, &folder, RESUME).unwrap_err();
        assert!(matches!(error, Error::SettingsChanged { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{words}: {error}");
        assert!(error.remedies().contains(&Remedy::AcceptChanges));
    };
    let file = shop.path("images/0.png");
    let original = fs::read(&file).unwrap();
    write_image(&file, &image(99, 31, 29)).unwrap();
    refused("other names or sizes of its 6 images");
    fs::write(&file, &original).unwrap();
    assert!(run(&longer, &folder, RESUME).is_ok());
    fs::rename(&file, shop.path("images/zero.png")).unwrap();
    refused("other names or sizes of its 6 images");
    fs::copy(shop.path("images/zero.png"), &file).unwrap();
    refused("6 images -> 7");
    // Accepted once, it is the run's.
    run(&longer, &folder, Start::Resume { accept_changes: true }).unwrap();
    assert!(run(&longer, &folder, RESUME).is_ok());
}
