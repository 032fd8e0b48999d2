//! Many files: read ahead, computed and written in their order, with progress, and a failure does not
//! stop the rest.

use std::collections::{HashMap, HashSet};
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use vitok::files::replace_folder;
use vitok::patches::{ClipShape, TokenGrid};
use vitok::media::{Image, is_image_path, write_image};

use crate::ahead::{Ahead, Limits, ahead};
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

/// What a command does with a file, in three stages: `read` on threads that run ahead, `compute` on
/// the calling thread, `finish` on a thread that follows. Each stage is at a file of its own.
pub trait Work: Sync {
    type Input: Send;
    type Made: Send;
    type Row: Send;

    /// What a job will write. A job that would overwrite an input, or the output of another job,
    /// fails instead.
    fn outputs(&self, job: &Job) -> Vec<PathBuf>;

    /// About how many bytes an input takes in memory.
    fn size_hint(&self, job: &Job) -> u64;

    fn read(&self, job: &Job) -> anyhow::Result<Self::InvalidArgument>;

    /// Inputs of one size that follow each other are computed together, while they are small.
    fn size(&self, input: &Self::InvalidArgument) -> (ClipShape, TokenGrid);

    /// What becomes of each input.
    fn compute(&self, inputs: &[Self::InvalidArgument]) -> anyhow::Result<Vec<Self::Made>>;

    /// Writes what was made. `spent` is the time of reading, and the share of computing.
    fn finish(
        &self,
        job: &Job,
        input: Self::InvalidArgument,
        made: Self::Made,
        spent: Duration,
    ) -> anyhow::Result<Self::Row>;
}

/// Most tokens that are computed together. Larger groups were no faster, or slower.
const TOKENS_AT_ONCE: usize = 1024;

/// Files that are read before they are wanted, and their bytes.
const FILES_AHEAD: usize = 32;
const BYTES_AHEAD: u64 = 256 << 20;

/// An input, and the time of reading it.
type Read<W> = (<W as Work>::Input, Duration);

/// A job by its number, and what is to be written or why there is nothing.
type Made<W> = (usize, anyhow::Result<(Read<W>, <W as Work>::Made)>);

/// Does `work` on every job that was found. Results and failures are in the order of the jobs.
pub fn run<W: Work>(jobs: Jobs, work: &W) -> Outcome<W::Row> {
    let found = jobs.found;
    // Before anything is read, so that nothing is computed in vain.
    let mut conflicts = Conflicts::of(&found);
    let conflicts = found.iter().map(|job| conflicts.find(work, job));
    let conflicts: Vec<Option<String>> = conflicts.collect();
    let size_hint = |place: usize| match conflicts[place] {
        Some(_) => 0,
        None => work.size_hint(&found[place]),
    };
    let read = |place: usize| {
        if let Some(conflict) = &conflicts[place] {
            bail!("{conflict}");
        }
        let start = Instant::now();
        let input = work.read(&found[place])?;
        Ok((input, start.elapsed()))
    };
    let limits = Limits {
        threads: thread::available_parallelism().map_or(1, NonZero::get),
        places: FILES_AHEAD,
        bytes: BYTES_AHEAD,
    };
    thread::scope(|scope| {
        // One group may wait: writing takes longer for some than for others.
        let (send, receive) = mpsc::sync_channel(1);
        let writer = scope.spawn(|| write(work, &found, jobs.failed, receive));
        ahead(found.len(), limits, size_hint, read, |ahead| {
            compute(work, ahead, send);
        });
        writer.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Computes what was read, group by group, until all is done or nobody takes it any more.
fn compute<W: Work>(
    work: &W,
    ahead: Ahead<anyhow::Result<Read<W>>>,
    send: mpsc::SyncSender<Vec<Made<W>>>,
) {
    let mut ahead = ahead.enumerate().peekable();
    while let Some((first, read)) = ahead.next() {
        let read = read.unwrap_or_else(|| Err(anyhow!("reading it broke down; this is a bug")));
        let mut group = match read {
            Ok(input) => vec![input],
            Err(error) => match send.send(vec![(first, Err(error))]) {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        let (extent, grid) = work.size(&group[0].0);
        let most = TOKENS_AT_ONCE / grid.tokens().max(1);
        while group.len() < most
            && let Some((_, Some(Ok(next)))) = ahead.next_if(
                |(_, read)| matches!(read, Some(Ok((input, _))) if work.size(input).0 == extent),
            )
        {
            group.push(next);
        }
        let made = (first..).zip(compute_group(work, group));
        if send.send(made.collect()).is_err() {
            return;
        }
    }
}

/// Computes inputs together; if that fails, one by one, so that only what is bad is lost.
fn compute_group<W: Work>(
    work: &W,
    group: Vec<Read<W>>,
) -> Vec<anyhow::Result<(Read<W>, W::Made)>> {
    let start = Instant::now();
    let count = group.len();
    let (inputs, times): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let made: Vec<anyhow::Result<W::Made>> = match work.compute(&inputs) {
        Ok(made) => made.into_iter().map(Ok).collect(),
        Err(error) if count == 1 => vec![Err(error)],
        Err(_) => inputs
            .iter()
            .map(|input| Ok(work.compute(std::slice::from_ref(input))?.remove(0)))
            .collect(),
    };
    let share = start.elapsed() / count as u32;
    let all = inputs.into_iter().zip(times).zip(made);
    all.map(|((input, reading), made)| Ok(((input, reading + share), made?)))
        .collect()
}

/// Writes what was made, and tells of what was not.
fn write<W: Work>(
    work: &W,
    jobs: &[Job],
    failed: Vec<Failure>,
    groups: mpsc::Receiver<Vec<Made<W>>>,
) -> Outcome<W::Row> {
    let bar = progress(jobs.len());
    let mut outcome = Outcome {
        done: Vec::new(),
        failed,
    };
    // Again: where the file system takes two names for one, it shows once the first is written.
    let mut conflicts = Conflicts::of(jobs);
    for (place, made) in groups.into_iter().flatten() {
        let job = &jobs[place];
        bar.set_message(job.input.display().to_string());
        let row = made.and_then(|((input, spent), made)| match conflicts.find(work, job) {
            Some(conflict) => Err(anyhow!(conflict)),
            None => work.finish(job, input, made, spent),
        });
        match row {
            Ok(row) => outcome.done.push(row),
            Err(error) => bar.suspend(|| outcome.fail(&job.input, &format!("{error:#}"))),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    outcome
}

/// What may not be overwritten.
struct Conflicts {
    inputs: HashSet<PathBuf>,
    written: HashMap<PathBuf, PathBuf>,
}

impl Conflicts {
    fn of(jobs: &[Job]) -> Self {
        Self {
            inputs: jobs.iter().map(|job| real(&job.input)).collect(),
            written: HashMap::new(),
        }
    }

    /// Why a job may not write, or its outputs are entered.
    fn find<W: Work>(&mut self, work: &W, job: &Job) -> Option<String> {
        work.outputs(job).into_iter().find_map(|output| {
            let output = real(&output);
            let shown = output.display().to_string();
            if self.inputs.contains(&output) {
                return Some(format!(
                    "its result would overwrite the input {shown}; choose another --out"
                ));
            }
            let other = self.written.insert(output, job.input.clone())?;
            Some(format!(
                "its result {shown} would overwrite that of {}; choose another --out",
                other.display()
            ))
        })
    }
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

    /// Writes one image as a file with `kind` and `ending` after its name, several as a folder of
    /// numbered frames with `kind` after its name. Returns which.
    pub fn write(
        &self,
        folder: &Path,
        kind: &str,
        ending: &str,
        images: &[Image],
    ) -> vitok::Result<PathBuf> {
        if let [image] = images {
            let file = self.output(folder, &format!("{kind}{ending}"));
            write_image(&file, image)?;
            return Ok(file);
        }
        let frames = self.output(folder, kind);
        let is_frame = |name: &str| {
            let number = name.split('.').next().unwrap_or_default();
            is_image_path(Path::new(name)) && number.bytes().all(|b| b.is_ascii_digit())
        };
        replace_folder(&frames, is_frame, |scratch| {
            let mut numbered = images.iter().enumerate();
            numbered
                .try_for_each(|(i, p)| write_image(&scratch.join(format!("{i:05}{ending}")), p))
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
