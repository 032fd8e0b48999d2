//! A queue of numbered jobs that threads do ahead of the consumer: jobs are claimed in order, results are taken in
//! order, and only so many results, and so many bytes of them, exist at a time.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs `J`, numbered from 0 in the order of the iterator, and their results `T`.
#[derive(Debug)]
pub(super) struct WorkQueue<J, T> {
    /// Most jobs that are claimed and whose results are not taken yet.
    max_items: u64,
    /// Most bytes of these results.
    max_bytes: u64,
    state: Mutex<State<J, T>>,
    changed: Condvar,
}

#[derive(Debug)]
struct State<J, T> {
    jobs: J,
    /// Jobs claimed so far: the number of the next one.
    claimed: u64,
    /// Whether `jobs` has ended.
    exhausted: bool,
    /// Results taken so far: the number of the next one.
    taken: u64,
    /// Bytes of the results that are being computed or wait.
    bytes: u64,
    /// Results that wait, by number, with their bytes; no result for a job that panicked.
    results: HashMap<u64, (Option<T>, u64)>,
    closed: bool,
}

impl<J: Iterator, T> WorkQueue<J, T> {
    /// A queue of `jobs`. Workers [work](Self::work), one consumer [takes](Self::take).
    pub fn new(jobs: J, max_items: u64, max_bytes: u64) -> Self {
        Self {
            max_items,
            max_bytes,
            state: Mutex::new(State {
                jobs,
                claimed: 0,
                exhausted: false,
                taken: 0,
                bytes: 0,
                results: HashMap::new(),
                closed: false,
            }),
            changed: Condvar::new(),
        }
    }

    /// What a worker thread does until there are no jobs or the queue is closed: claims a job, waits until there is room
    /// for a result of `size_hint(job)` bytes, and runs it.
    ///
    /// The result that the consumer waits for is computed whatever its size, so that one result more than `max_bytes`
    /// may exist.
    pub fn work(&self, size_hint: impl Fn(&J::Item) -> u64, run: impl Fn(J::Item) -> T) {
        while let Some((number, job)) = self.claim() {
            // A panic is reported by the panic hook; whoever waits for the result must not wait forever.
            let bytes = match self.is_next(number) {
                true => 0,
                false => catch_unwind(AssertUnwindSafe(|| size_hint(&job))).unwrap_or(0),
            };
            if !self.wait_for_room(number, bytes) {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| run(job))).ok();
            self.lock().results.insert(number, (result, bytes));
            self.changed.notify_all();
        }
    }

    /// Waits for the next result, in the order of the jobs: `Some(None)` for a job that panicked, none after the last.
    pub fn take(&self) -> Option<Option<T>> {
        let mut state = self.lock();
        loop {
            let number = state.taken;
            if let Some((result, bytes)) = state.results.remove(&number) {
                state.taken += 1;
                state.bytes -= bytes;
                self.changed.notify_all();
                return Some(result);
            }
            if state.exhausted && number >= state.claimed {
                return None;
            }
            state = self.wait(state);
        }
    }

    /// Ends the workers after the jobs they are at.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// The next job and its number.
    fn claim(&self) -> Option<(u64, J::Item)> {
        let mut state = self.lock();
        if state.closed || state.exhausted {
            return None;
        }
        match state.jobs.next() {
            Some(job) => {
                state.claimed += 1;
                Some((state.claimed - 1, job))
            }
            None => {
                state.exhausted = true;
                self.changed.notify_all();
                None
            }
        }
    }

    fn is_next(&self, number: u64) -> bool {
        self.lock().taken == number
    }

    /// Waits until a result of `bytes` may be computed, and counts it. False if the queue was closed instead.
    fn wait_for_room(&self, number: u64, bytes: u64) -> bool {
        let mut state = self.lock();
        loop {
            if state.closed {
                return false;
            }
            let fits = number < state.taken.saturating_add(self.max_items)
                && state.bytes.saturating_add(bytes) <= self.max_bytes;
            if fits || number == state.taken {
                state.bytes += bytes;
                return true;
            }
            state = self.wait(state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<J, T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<J, T>>) -> MutexGuard<'a, State<J, T>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }
}
