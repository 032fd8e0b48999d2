//! Many files: one after the other, with progress, and a failure does not stop the rest.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::output;

/// A file that failed, and why.
#[derive(Serialize)]
pub struct Failure {
    pub file: PathBuf,
    pub error: String,
}

/// What became of a batch.
pub struct Outcome<R> {
    pub done: Vec<R>,
    pub failed: Vec<Failure>,
}

/// Runs `work` on every job that was found.
pub fn run<R>(jobs: Jobs, mut work: impl FnMut(&Job) -> anyhow::Result<R>) -> Outcome<R> {
    let bar = progress(jobs.found.len());
    let mut outcome = Outcome {
        done: Vec::new(),
        failed: jobs.failed,
    };
    for job in &jobs.found {
        bar.set_message(job.input.display().to_string());
        match work(job) {
            Ok(row) => outcome.done.push(row),
            Err(error) => {
                let error = format!("{error:#}");
                bar.suspend(|| eprintln!("error: {error}"));
                let file = job.input.clone();
                outcome.failed.push(Failure { file, error });
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    outcome
}

fn progress(count: usize) -> ProgressBar {
    if count < 2 {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(count as u64);
    let style = "{pos}/{len} [{bar:30}] {per_sec}, {eta} left  {wide_msg}";
    if let Ok(style) = ProgressStyle::with_template(style) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// An input and the place of its output below the output folder, without its ending.
pub struct Job {
    pub input: PathBuf,
    pub place: PathBuf,
}

/// What the inputs of a call are.
pub struct Jobs {
    found: Vec<Job>,
    failed: Vec<Failure>,
}

/// Looks up every input with `find`, which lists the files of a folder. An input that is not there
/// counts as a failure; the others go on.
///
/// A file's place is its name, below the folders that led to it from a named input. Files that
/// would share a place keep their endings too.
pub fn collect(inputs: &[PathBuf], find: impl Fn(&Path) -> vitok::Result<Vec<PathBuf>>) -> Jobs {
    let mut files = Vec::new();
    let mut failed = Vec::new();
    for input in inputs {
        match find(input) {
            Ok(found) => files.extend(found.into_iter().map(|file| {
                let below = file
                    .strip_prefix(input)
                    .ok()
                    .filter(|p| !p.as_os_str().is_empty());
                let place = below.map(Path::to_owned);
                let place = place.or_else(|| file.file_name().map(PathBuf::from));
                (place.unwrap_or_else(|| file.clone()), file)
            })),
            Err(error) => {
                let error = error.to_string();
                eprintln!("error: {error}");
                let file = input.clone();
                failed.push(Failure { file, error });
            }
        }
    }
    let mut sharing: HashMap<PathBuf, usize> = HashMap::new();
    for (place, _) in &files {
        *sharing.entry(place.with_extension("")).or_default() += 1;
    }
    let job = |(full, input): (PathBuf, PathBuf)| {
        let short = full.with_extension("");
        let place = if sharing[&short] > 1 { full } else { short };
        Job { input, place }
    };
    Jobs {
        found: files.into_iter().map(job).collect(),
        failed,
    }
}

impl Job {
    /// The output file in `folder` with `ending` (".png").
    pub fn output(&self, folder: &Path, ending: &str) -> PathBuf {
        let mut path = folder.join(&self.place).into_os_string();
        path.push(ending);
        path.into()
    }
}

/// Prints rows as a table or as JSON, and the summary of a batch. True if nothing failed.
pub fn report<R: Serialize>(
    outcome: &Outcome<R>,
    json: bool,
    headers: &[&str],
    cells: impl Fn(&R) -> Vec<String>,
) -> anyhow::Result<bool> {
    let (done, failed) = (outcome.done.len(), outcome.failed.len());
    if json {
        let all = serde_json::json!({
            "files": outcome.done,
            "failed": outcome.failed,
        });
        output::line(&serde_json::to_string_pretty(&all)?)?;
    } else {
        if done > 0 {
            output::table(headers, outcome.done.iter().map(cells).collect())?;
        }
        if done + failed > 1 {
            output::line(&format!("{done} done, {failed} failed"))?;
        }
    }
    Ok(failed == 0)
}
