//! Many files: one after the other, with progress, and a failure does not stop the rest.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vitok::files::replace_folder;
use vitok::pixels::{Picture, is_picture_path, write_picture};

use crate::output;

/// A file that failed, and why.
#[derive(Serialize)]
pub struct Failure {
    #[serde(serialize_with = "output::path")]
    pub file: PathBuf,
    pub error: String,
}

/// What became of a batch.
pub struct Outcome<R> {
    pub done: Vec<R>,
    pub failed: Vec<Failure>,
}

impl<R> Outcome<R> {
    fn fail(&mut self, file: &Path, error: &str) {
        // In a batch, a message without its file helps nobody.
        let name = file.display().to_string();
        let error = match error.contains(&name) {
            true => error.to_owned(),
            false => format!("{name}: {error}"),
        };
        output::error(&error);
        let file = file.to_owned();
        self.failed.push(Failure { file, error });
    }
}

/// Runs `work` on every job that was found. `outputs` lists what a job will write: a job that would
/// overwrite an input, or the output of another job, fails instead.
pub fn run<R>(
    jobs: Jobs,
    outputs: impl Fn(&Job) -> Vec<PathBuf>,
    mut work: impl FnMut(&Job) -> anyhow::Result<R>,
) -> Outcome<R> {
    let bar = progress(jobs.found.len());
    let mut outcome = Outcome {
        done: Vec::new(),
        failed: jobs.failed,
    };
    let inputs: HashSet<PathBuf> = jobs.found.iter().map(|job| real(&job.input)).collect();
    let mut written: HashMap<PathBuf, PathBuf> = HashMap::new();
    for job in &jobs.found {
        bar.set_message(job.input.display().to_string());
        let conflict = outputs(job).into_iter().find_map(|output| {
            let output = real(&output);
            if inputs.contains(&output) {
                return Some(format!(
                    "its result would overwrite the input {}",
                    output.display()
                ));
            }
            let other = written.insert(output.clone(), job.input.clone())?;
            let (output, other) = (output.display(), other.display());
            Some(format!(
                "its result {output} would overwrite that of {other}"
            ))
        });
        let result = match conflict {
            Some(conflict) => Err(anyhow!("{conflict}; choose another --out")),
            None => work(job),
        };
        match result {
            Ok(row) => outcome.done.push(row),
            Err(error) => bar.suspend(|| outcome.fail(&job.input, &format!("{error:#}"))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    outcome
}

/// The path without links, as far as it exists.
pub fn real(path: &Path) -> PathBuf {
    if let Ok(path) = path.canonicalize() {
        return path;
    }
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if !parent.as_os_str().is_empty() => real(parent).join(name),
        (Some(_), Some(name)) => real(Path::new(".")).join(name),
        _ => path.to_owned(),
    }
}

/// A bar over `count` things; hidden for one.
pub fn progress(count: usize) -> ProgressBar {
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
/// counts as a failure; the others go on. A file named twice is one job, and what lies in the output
/// folder is no input, if that is inside an input folder.
///
/// A file's place is its name, below the folders that led to it from a named input. Files that
/// would share a place keep their endings too.
pub fn collect(
    inputs: &[PathBuf],
    out: &Path,
    find: impl Fn(&Path) -> vitok::Result<Vec<PathBuf>>,
) -> Jobs {
    let out = real(out);
    let mut files = Vec::new();
    let mut seen = HashSet::new();
    let mut lost = Outcome::<()> {
        done: Vec::new(),
        failed: Vec::new(),
    };
    for input in inputs {
        let found = match find(input) {
            Ok(found) => found,
            Err(error) => {
                lost.fail(input, &error.to_string());
                continue;
            }
        };
        let out_is_below = input.is_dir() && out.starts_with(real(input)) && out != real(input);
        for file in found {
            let path = real(&file);
            if !seen.insert(path.clone()) || (out_is_below && path.starts_with(&out)) {
                continue;
            }
            let below = file.strip_prefix(input).ok();
            let below = below.filter(|p| !p.as_os_str().is_empty());
            let place = below.map(Path::to_owned);
            let place = place.or_else(|| file.file_name().map(PathBuf::from));
            files.push((place.unwrap_or_else(|| file.clone()), file));
        }
    }
    let failed = lost.failed;
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

    /// Writes one picture as a file with `kind` and `ending` after its name, several as a folder of
    /// numbered frames with `kind` after its name. Returns which.
    pub fn write(
        &self,
        folder: &Path,
        kind: &str,
        ending: &str,
        pictures: &[Picture],
    ) -> vitok::Result<PathBuf> {
        if let [picture] = pictures {
            let file = self.output(folder, &format!("{kind}{ending}"));
            write_picture(&file, picture)?;
            return Ok(file);
        }
        let frames = self.output(folder, kind);
        let is_frame = |name: &str| {
            let number = name.split('.').next().unwrap_or_default();
            is_picture_path(Path::new(name)) && number.bytes().all(|b| b.is_ascii_digit())
        };
        replace_folder(&frames, is_frame, |scratch| {
            let mut numbered = pictures.iter().enumerate();
            numbered
                .try_for_each(|(i, p)| write_picture(&scratch.join(format!("{i:05}{ending}")), p))
        })?;
        Ok(frames)
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
