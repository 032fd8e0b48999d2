//! Three stages, each at a file of its own: `read` on threads that run ahead, `compute` on the calling thread, `finish`
//! on a thread that follows.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::conflicts::Conflicts;
use super::jobs::{Job, Jobs};
use crate::data::prefetch::{PrefetchLimits, Prefetched, prefetch};
use crate::files::printable;
use crate::media::ClipShape;
use crate::observe::{Event, Observer};
use crate::tokenizer::batching::{batches, run_batch};
use crate::tokenizer::{Estimator, Tokenizer};
use crate::{Error, Result};

/// Files that are read before they are wanted, and their bytes.
const PREFETCH_FILES: usize = 32;
const PREFETCH_BYTES: u64 = 256 << 20;

/// What became of many files, in the order of the inputs.
#[derive(Debug, Serialize)]
pub struct FileResults<R> {
    /// Those that were done.
    #[serde(rename = "files")]
    pub done: Vec<R>,
    /// Those that were not.
    pub failed: Vec<FailedFile>,
    /// Whether the observer stopped the work before its end.
    pub cancelled: bool,
}

/// A file that failed, and why.
#[derive(Debug, Serialize)]
pub struct FailedFile {
    /// The input.
    #[serde(serialize_with = "lossy_path")]
    pub file: PathBuf,
    /// What went wrong, which names the file.
    #[serde(serialize_with = "message")]
    pub error: Error,
}

/// What is done with a file.
pub(super) trait Work: Sync {
    /// What is read.
    type Input: Send;
    /// What is made of it.
    type Output: Send;
    /// What is reported.
    type Row: Send;

    /// What computes.
    fn tokenizer(&self) -> &dyn Tokenizer;

    /// What a job will write. A job that would overwrite an input, or the output of another job, fails instead.
    fn outputs(&self, job: &Job) -> Vec<PathBuf>;

    /// About how many bytes an input takes in memory.
    fn size_hint(&self, job: &Job) -> u64;

    /// Reads an input; on any thread.
    fn read(&self, job: &Job) -> Result<Self::Input>;

    /// Inputs of one shape that follow each other are computed together, while they are small.
    fn shape(&self, input: &Self::Input) -> ClipShape;

    /// An input without content, to time the work on.
    fn blank(&self, shape: ClipShape) -> Result<Self::Input>;

    /// What becomes of each input of a batch.
    fn compute(&self, batch: &[Self::Input]) -> Result<Vec<Self::Output>>;

    /// Writes what was made. `spent` is the time of reading, and the share of computing.
    fn finish(&self, job: &Job, input: Self::Input, output: Self::Output, spent: Duration) -> Result<Self::Row>;
}

/// An input on its way: its job's number, and what was read or why nothing was.
type Read<T> = (usize, Result<(T, Duration)>);

/// A computed job: its number, its input, its output and the time spent, or why there is nothing.
type Computed<W> = (usize, Result<(<W as Work>::Input, <W as Work>::Output, Duration)>);

/// Does `work` on every job that was found.
pub(super) fn run<W: Work>(task: &str, jobs: Jobs, work: &W, observer: &dyn Observer) -> FileResults<W::Row> {
    let found = jobs.found;
    let mut failed = Vec::new();
    for (file, error) in jobs.missing {
        fail(&mut failed, &file, error, observer);
    }
    // Before anything is read, so that nothing is computed in vain.
    let mut conflicts = Conflicts::of(&found);
    let refused: Vec<Mutex<Option<Error>>> = found
        .iter()
        .map(|job| Mutex::new(conflicts.enter(job, work.outputs(job)).err()))
        .collect();
    let refusal = |number: usize| refused[number].lock().unwrap_or_else(PoisonError::into_inner);
    let size_hint = |number: usize| match *refusal(number) {
        Some(_) => 0,
        None => work.size_hint(&found[number]),
    };
    let read = |number: usize| {
        if let Some(error) = refusal(number).take() {
            return Err(error);
        }
        let start = Instant::now();
        Ok((work.read(&found[number])?, start.elapsed()))
    };
    let limits = PrefetchLimits {
        workers: thread::available_parallelism().map_or(1, NonZero::get),
        items: PREFETCH_FILES,
        bytes: PREFETCH_BYTES,
    };
    thread::scope(|scope| {
        // One batch may wait: writing takes longer for some than for others.
        let (send, receive) = mpsc::sync_channel(1);
        let writer = scope.spawn(|| write(task, work, &found, failed, receive, observer));
        let cancelled = prefetch(found.len(), limits, size_hint, read, |prefetched| {
            compute(work, &found, prefetched, send, observer)
        });
        let (done, failed) = writer.join().unwrap_or_else(|panic| resume_unwind(panic));
        FileResults {
            done,
            failed,
            cancelled,
        }
    })
}

/// Computes what was read, batch by batch, until all is done or the observer stops it. Whether it was stopped.
fn compute<W: Work>(
    work: &W,
    jobs: &[Job],
    prefetched: Prefetched<Result<(W::Input, Duration)>>,
    send: mpsc::SyncSender<Vec<Computed<W>>>,
    observer: &dyn Observer,
) -> bool {
    let panicked = || Err(Error::Internal("reading a file panicked".into()));
    let read = prefetched.map(|read| read.unwrap_or_else(panicked)).enumerate();
    let shape = |(_, read): &Read<W::Input>| Some(work.shape(&read.as_ref().ok()?.0));
    let mut estimator = Estimator::default();
    for batch in batches(read, shape, |shape| work.tokenizer().tokens(shape)) {
        if observer.cancelled() {
            return true;
        }
        if let [(number, Ok((input, _)))] = batch.as_slice() {
            let run = |shape| work.compute(&[work.blank(shape)?]);
            estimator.tell_if_long(work.tokenizer(), &jobs[*number].input, work.shape(input), run, observer);
        }
        if send.send(compute_batch(work, batch)).is_err() {
            // The writer is gone, and its panic is passed on.
            return false;
        }
    }
    false
}

fn compute_batch<W: Work>(work: &W, batch: Vec<Read<W::Input>>) -> Vec<Computed<W>> {
    let start = Instant::now();
    let mut numbers = Vec::with_capacity(batch.len());
    let (mut inputs, mut times) = (Vec::new(), Vec::new());
    for (number, read) in batch {
        match read {
            Ok((input, time)) => {
                numbers.push(number);
                inputs.push(input);
                times.push(time);
            }
            // What could not be read is a batch of its own.
            Err(error) => return vec![(number, Err(error))],
        }
    }
    let outputs = run_batch(&inputs, |inputs| work.compute(inputs));
    let share = start.elapsed() / outputs.len().max(1) as u32;
    let all = numbers.into_iter().zip(inputs).zip(times).zip(outputs);
    all.map(|(((number, input), time), output)| (number, output.map(|output| (input, output, time + share))))
        .collect()
}

/// Writes what was made, and tells of what was not.
fn write<W: Work>(
    task: &str,
    work: &W,
    jobs: &[Job],
    mut failed: Vec<FailedFile>,
    batches: mpsc::Receiver<Vec<Computed<W>>>,
    observer: &dyn Observer,
) -> (Vec<W::Row>, Vec<FailedFile>) {
    observer.event(Event::Begin {
        task,
        done: 0,
        total: jobs.len() as u64,
    });
    let mut done = Vec::new();
    // Again: where the file system takes two names for one, it shows once the first is written.
    let mut conflicts = Conflicts::of(jobs);
    for (count, (number, computed)) in batches.into_iter().flatten().enumerate() {
        let job = &jobs[number];
        let row = computed.and_then(|(input, output, spent)| {
            conflicts.enter(job, work.outputs(job))?;
            work.finish(job, input, output, spent)
        });
        match row {
            Ok(row) => done.push(row),
            Err(error) => fail(&mut failed, &job.input, error, observer),
        }
        observer.event(Event::Progress {
            done: count as u64 + 1,
            item: &printable(&job.input),
        });
    }
    observer.event(Event::End);
    (done, failed)
}

fn fail(failed: &mut Vec<FailedFile>, file: &Path, error: Error, observer: &dyn Observer) {
    observer.event(Event::Failure { file, error: &error });
    failed.push(FailedFile {
        file: file.to_owned(),
        error,
    });
}

impl FailedFile {
    /// What went wrong, with the file's name.
    pub fn message(&self) -> String {
        named(&self.file, &self.error)
    }
}

/// An error's message; where it does not name the file, with its name before it: in a batch, a message without its file
/// helps nobody.
pub fn named(file: &Path, error: &Error) -> String {
    let (name, message) = (file.display().to_string(), error.message());
    match message.contains(&name) {
        true => message,
        false => format!("{name}: {message}"),
    }
}

/// Serializes a path that need not be UTF-8.
pub(super) fn lossy_path<S: serde::Serializer>(path: &Path, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&printable(path))
}

fn message<S: serde::Serializer>(error: &Error, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&error.message())
}
