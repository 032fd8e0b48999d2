//! Patience with servers: what breaks off goes on, what is silent for too long is given up.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::progress::{Line, Meter};

/// Attempts in a row that bring no new byte.
const FRUITLESS_ATTEMPTS: u32 = 3;

/// All attempts at one file, fruitful or not; a line this bad needs its user's attention.
const MOST_ATTEMPTS: usize = 50;

/// How often a download is looked after.
const TICK: Duration = Duration::from_millis(100);

/// Fetches one file, in as many attempts as it takes.
///
/// `attempt` makes the work of one attempt, which counts on the meter, fetches what is still missing
/// and runs in a thread of its own. `forget_part` deletes what earlier attempts left. `progress`
/// writes a line to standard error.
pub(crate) fn fetch<T, Work>(
    file: &str,
    progress: bool,
    patience: Duration,
    attempt: impl Fn(Meter) -> Work,
    forget_part: impl Fn(),
) -> Result<T, Failure>
where
    T: Send + 'static,
    Work: FnOnce() -> Result<T, Failure> + Send + 'static,
{
    let mut line = Line::new(file, progress);
    let (mut fruitless, mut best, mut restarted) = (0, 0, false);
    let mut attempts = 0;
    loop {
        attempts += 1;
        let meter = Meter::default();
        let outcome = watch(attempt(meter.clone()), file, patience, &meter, &mut line);
        let failure = match outcome {
            Ok(fetched) => return Ok(fetched),
            Err(failure) => failure,
        };
        match failure {
            Failure::StalePart if !restarted => {
                restarted = true;
                forget_part();
                continue;
            }
            failure if !failure.is_transient() || attempts >= MOST_ATTEMPTS => return Err(failure),
            failure => {
                if meter.seen() > best {
                    best = meter.seen();
                    fruitless = 0;
                }
                fruitless += 1;
                if fruitless >= FRUITLESS_ATTEMPTS {
                    return Err(failure);
                }
                thread::sleep(Duration::from_millis(250 << fruitless));
            }
        }
    }
}

/// One attempt, given up when nothing arrives for too long.
fn watch<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    file: &str,
    patience: Duration,
    meter: &Meter,
    line: &mut Line<'_>,
) -> Result<T, Failure> {
    // Not every client offers a limit for silence, hence a thread that can be left behind. It then
    // holds its file until the server gives in or the process ends.
    let outcome = in_thread(work)?;
    let (mut before, mut since) = ((0, 0), Instant::now());
    let result = loop {
        match outcome.recv_timeout(TICK) {
            Ok(result) => break result,
            // The thread ended without an answer.
            Err(RecvTimeoutError::Disconnected) => {
                break Err(Failure::Odd(format!("an answer its client fails on for {file}")));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = (meter.total(), meter.seen());
        if now != before {
            (before, since) = (now, Instant::now());
        } else if since.elapsed() > patience {
            break Err(Failure::Stalled(patience));
        }
        line.show(meter);
    };
    line.end(meter);
    result
}

/// Runs `work` in a thread of its own; its result arrives on the channel.
pub(super) fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<mpsc::Receiver<T>, Failure> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new()
        .name("vitok-download".into())
        .spawn(move || {
            // Nobody may be listening any more.
            let _ = send.send(work());
        })
        .map_err(|e| Failure::Odd(format!("no thread to download with: {e}")))?;
    Ok(receive)
}
