//! Running the binary.

#![allow(dead_code)] // not every file needs all

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn vitok(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vitok"))
        .args(arguments)
        .current_dir(folder)
        // No test may look for models and weights outside its folder, nor on the network.
        .env("HF_HOME", folder.join("hub"))
        .env("VITOK_METRICS", folder.join("metrics"))
        .env("HF_HUB_OFFLINE", "1")
        .env_remove("HF_TOKEN")
        .output()
        .expect("the binary runs")
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub fn succeeds(arguments: &[&str], folder: &Path) -> String {
    let output = vitok(arguments, folder);
    assert!(output.status.success(), "{arguments:?}: {}", err(&output));
    out(&output)
}

/// Runs a call that must fail with `code` and say each of `words`.
pub fn fails(arguments: &[&str], folder: &Path, code: i32, words: &[&str]) -> Output {
    let output = vitok(arguments, folder);
    let said = err(&output);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{said}");
    for word in words {
        assert!(said.contains(word), "{arguments:?} should say {word}: {said}");
    }
    output
}

pub fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/images")
}
