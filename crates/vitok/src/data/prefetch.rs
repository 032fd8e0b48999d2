//! Doing on threads, ahead of who needs it, what comes before the model: results come out in order,
//! and only so many wait.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// How far ahead to go.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Threads that read.
    pub threads: usize,
    /// Places begun and not yet taken.
    pub places: usize,
    /// Bytes of these. What is wanted next is read whatever it weighs, so that one place more than
    /// this may be in memory.
    pub bytes: u64,
}

/// The results of places 0, 1, 2, ... in this order. None for one whose reading panicked.
pub struct Ahead<'a, T> {
    shared: &'a Shared<T>,
    count: usize,
}

struct Shared<T> {
    limits: Limits,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// The place that no thread has begun.
    begun: usize,
    /// The place that is wanted next.
    next: usize,
    /// Bytes of what is being read or waits.
    bytes: u64,
    /// What waits, and its bytes.
    done: HashMap<usize, (Option<T>, u64)>,
    closed: bool,
}

/// Reads the places below `count` on threads while `consume` takes them. `size_hint` says beforehand
/// about how many bytes a place takes in memory.
pub fn ahead<T: Send, R>(
    count: usize,
    limits: Limits,
    size_hint: impl Fn(usize) -> u64 + Sync,
    read: impl Fn(usize) -> T + Sync,
    consume: impl FnOnce(Ahead<T>) -> R,
) -> R {
    let shared = Shared {
        limits,
        state: Mutex::new(State {
            begun: 0,
            next: 0,
            bytes: 0,
            done: HashMap::new(),
            closed: false,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        // Made before the threads, for when it is dropped they end.
        let ahead = Ahead { shared: &shared, count };
        for _ in 0..limits.threads.clamp(1, count.max(1)) {
            scope.spawn(|| shared.work(count, &size_hint, &read));
        }
        consume(ahead)
    })
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<T>>) -> MutexGuard<'a, State<T>> {
        let woken = self.changed.wait(state);
        woken.unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, count: usize, size_hint: &impl Fn(usize) -> u64, read: &impl Fn(usize) -> T) {
        loop {
            let mut state = self.lock();
            let place = state.begun;
            if state.closed || place >= count {
                return;
            }
            state.begun += 1;
            let wanted = place == state.next;
            drop(state);
            // What is wanted already is read whatever it weighs. A panic has said so by itself, and
            // whoever waits for the place must not wait forever.
            let weight = match wanted {
                true => 0,
                false => catch_unwind(AssertUnwindSafe(|| size_hint(place))).unwrap_or(0),
            };
            let mut state = self.lock();
            while !state.closed && !state.admits(place, weight, self.limits) {
                state = self.wait(state);
            }
            if state.closed {
                return;
            }
            state.bytes += weight;
            drop(state);
            let made = catch_unwind(AssertUnwindSafe(|| read(place))).ok();
            self.lock().done.insert(place, (made, weight));
            self.changed.notify_all();
        }
    }
}

impl<T> State<T> {
    fn admits(&self, place: usize, weight: u64, limits: Limits) -> bool {
        let within = self.bytes.saturating_add(weight) <= limits.bytes;
        place == self.next || (place < self.next + limits.places && within)
    }
}

impl<T> Iterator for Ahead<'_, T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut state = self.shared.lock();
        if state.next >= self.count {
            return None;
        }
        loop {
            let place = state.next;
            if let Some((made, weight)) = state.done.remove(&place) {
                state.next += 1;
                state.bytes -= weight;
                self.shared.changed.notify_all();
                return Some(made);
            }
            state = self.shared.wait(state);
        }
    }
}

impl<T> Drop for Ahead<'_, T> {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    const LIMITS: Limits = Limits {
        threads: 3,
        places: 5,
        bytes: 100,
    };

    #[test]
    fn results_come_in_order() {
        let read = |place: usize| {
            // The first of three is the slowest.
            thread::sleep(Duration::from_millis(2 * (2 - place as u64 % 3)));
            place
        };
        let all: Vec<_> = ahead(50, LIMITS, |_| 1, read, |ahead| ahead.collect());
        assert_eq!(all, (0..50).map(Some).collect::<Vec<_>>());
        assert_eq!(ahead(0, LIMITS, |_| 1, read, |ahead| ahead.count()), 0);
    }

    #[test]
    fn a_panic_is_one_place_missing() {
        let read = |place: usize| match place {
            3 => panic!("a bug in reading (this test's)"),
            _ => place,
        };
        let size_hint = |place: usize| match place {
            5 => panic!("a bug in weighing (this test's)"),
            _ => 1,
        };
        let all: Vec<_> = ahead(8, LIMITS, size_hint, read, |ahead| ahead.collect());
        let wanted = (0..8).map(|place| (place != 3).then_some(place));
        assert_eq!(all, wanted.collect::<Vec<_>>());
    }

    /// Only what the limits allow is begun before it is taken.
    #[test]
    fn readers_wait_for_room() {
        let most = |limits: Limits, weight: u64| {
            let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let read = |_| {
                let now = 1 + held.fetch_add(1, SeqCst);
                most.fetch_max(now, SeqCst);
            };
            ahead(
                40,
                limits,
                |_| weight,
                read,
                |ahead| {
                    for _ in ahead {
                        held.fetch_sub(1, SeqCst);
                        thread::sleep(Duration::from_millis(1));
                    }
                },
            );
            most.into_inner()
        };
        // One more each: it leaves the queue before this test has noted so.
        assert!(most(LIMITS, 1) <= 5 + 1);
        assert!(most(LIMITS, 40) <= 3 + 1, "two fit, and the one wanted");
        assert!(most(LIMITS, 1000) <= 1 + 1, "too large: one at a time");
    }

    #[test]
    fn a_consumer_may_stop_or_panic() {
        let first = ahead(1000, LIMITS, |_| 60, |place| place, |mut ahead| ahead.next());
        assert_eq!(first, Some(Some(0)));
        let broken = catch_unwind(|| ahead(1000, LIMITS, |_| 60, |place| place, |_| panic!("this test's")));
        assert!(broken.is_err());
    }
}
