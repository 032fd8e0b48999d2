//! Attempts at a download: what breaks off goes on, what is silent for too long is given up.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::progress::Progress;
use crate::observe::Observer;

/// Most attempts in a row that bring no new byte.
const MAX_FRUITLESS_ATTEMPTS: u32 = 3;

/// Most attempts at one file, whatever they bring; a line this bad needs its user's attention.
const MAX_ATTEMPTS: usize = 50;

/// A download is given up if it brought fewer bytes a second than this in the time of [`PATIENCE`] timeouts.
const MIN_RATE: f64 = 256.0;

/// See [`MIN_RATE`].
const PATIENCE: u32 = 10;

/// How often a download is looked after: its observer told, and asked whether to stop.
const TICK: Duration = Duration::from_millis(100);

/// Downloads one file, in as many attempts as it takes.
///
/// `attempt` makes the work of one attempt, which runs in a thread of its own, fetches what is still missing and counts
/// it. `forget_part` deletes what earlier attempts left. A server silent for `timeout`, or slower than it can have any use,
/// is given up.
///
/// The observer gets [`Event::Download`](crate::observe::Event::Download) from the calling thread. Where it asks to stop,
/// the result is [`Failure::Cancelled`]; what has arrived is kept.
pub(in crate::weights) fn download<T, Work>(
    file: &str,
    timeout: Duration,
    observer: &dyn Observer,
    attempt: impl Fn(Progress) -> Work,
    forget_part: impl Fn(),
) -> Result<T, Failure>
where
    T: Send + 'static,
    Work: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    let (mut fruitless, mut best, mut restarted) = (0, 0, false);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let progress = Progress::default();
        let result = watch(attempt(progress.clone()), file, timeout, &progress, observer);
        // Nobody waits for a thread that is left behind.
        progress.abandon();
        let failure = match result {
            Ok(fetched) => return Ok(fetched),
            Err(failure) => failure,
        };
        match failure {
            Failure::StalePart if !restarted => {
                restarted = true;
                forget_part();
                continue;
            }
            failure if !failure.is_transient() || attempts >= MAX_ATTEMPTS => return Err(failure),
            failure => {
                if progress.done() > best {
                    best = progress.done();
                    fruitless = 0;
                }
                fruitless += 1;
                if fruitless >= MAX_FRUITLESS_ATTEMPTS {
                    return Err(failure);
                }
                pause(Duration::from_millis(250 << fruitless), observer)?;
            }
        }
    }
}

/// One attempt, given up when nothing arrives for `timeout`.
fn watch<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    file: &str,
    timeout: Duration,
    progress: &Progress,
    observer: &dyn Observer,
) -> Result<T, Failure> {
    if observer.cancelled() {
        return Err(Failure::Cancelled);
    }
    // Not every HTTP client has a limit for silence, hence a thread that can be left behind. It then holds its file
    // until the server sends something, closes the connection, or the process ends.
    let receiver = in_thread(work)?;
    let (mut before, mut since) = ((0, 0), Instant::now());
    // Bytes at the beginning of a stretch of time, and its beginning.
    let mut stretch: Option<(u64, Instant)> = None;
    let result = loop {
        match receiver.recv_timeout(TICK) {
            Ok(result) => break result,
            // The thread ended without an answer.
            Err(RecvTimeoutError::Disconnected) => {
                let what = format!("an answer its client fails on for {file}");
                break Err(Failure::Unexpected(what));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = (progress.total(), progress.done());
        if now != before {
            (before, since) = (now, Instant::now());
        } else if since.elapsed() > timeout {
            break Err(Failure::Stalled(timeout));
        }
        let (bytes, begun) = *stretch.get_or_insert((now.1, Instant::now()));
        if begun.elapsed() > timeout * PATIENCE {
            let rate = now.1.saturating_sub(bytes) as f64 / begun.elapsed().as_secs_f64();
            if rate < MIN_RATE {
                break Err(Failure::Slow(rate));
            }
            stretch = None;
        }
        progress.tell(file, observer);
        if observer.cancelled() {
            break Err(Failure::Cancelled);
        }
    };
    progress.tell(file, observer);
    result
}

/// Waits, unless the observer asks to stop.
fn pause(duration: Duration, observer: &dyn Observer) -> Result<(), Failure> {
    let end = Instant::now() + duration;
    loop {
        if observer.cancelled() {
            return Err(Failure::Cancelled);
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(TICK));
    }
}

/// Runs `work` in a thread of its own; its result arrives on the channel.
fn in_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<mpsc::Receiver<T>, Failure> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new()
        .name("vitok-download".into())
        .spawn(move || {
            // Nobody may be listening any more.
            let _ = send.send(work());
        })
        .map_err(|e| Failure::Unexpected(format!("no thread to download with: {e}")))?;
    Ok(receive)
}
