//! Read-ahead: what comes before the model is done on threads, ahead of its consumer; results come out in order.

use std::ops::Range;
use std::thread;

use super::work_queue::WorkQueue;

/// How far to read ahead.
#[derive(Clone, Copy, Debug)]
pub struct PrefetchLimits {
    /// Threads that read; at least 1 is used.
    pub workers: usize,
    /// Most items begun and not yet taken.
    pub items: usize,
    /// Most bytes of these. The item that is waited for is read whatever its size, so that one item more than this may
    /// be in memory.
    pub bytes: u64,
}

/// The results of items 0, 1, 2, ... in this order; none in place of one whose reading panicked.
pub struct Prefetched<'a, T> {
    queue: &'a WorkQueue<Range<usize>, T>,
}

/// Reads items 0 to `count` - 1 with `read` on threads while `consume` takes the results. `size_hint` says beforehand
/// about how many bytes an item's result takes in memory.
///
/// Items that `consume` leaves are not read. A panic of `consume` goes on after the threads have ended.
pub fn prefetch<T: Send, R>(
    count: usize,
    limits: PrefetchLimits,
    size_hint: impl Fn(usize) -> u64 + Sync,
    read: impl Fn(usize) -> T + Sync,
    consume: impl FnOnce(Prefetched<T>) -> R,
) -> R {
    let queue = WorkQueue::new(0..count, limits.items as u64, limits.bytes);
    thread::scope(|scope| {
        // Made before the threads, for when it is dropped they end.
        let results = Prefetched { queue: &queue };
        for _ in 0..limits.workers.clamp(1, count.max(1)) {
            scope.spawn(|| queue.work(|item| size_hint(*item), &read));
        }
        consume(results)
    })
}

impl<T> Iterator for Prefetched<'_, T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Self::Item> {
        self.queue.take()
    }
}

impl<T> Drop for Prefetched<'_, T> {
    fn drop(&mut self) {
        self.queue.close();
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;

    const LIMITS: PrefetchLimits = PrefetchLimits {
        workers: 3,
        items: 5,
        bytes: 100,
    };

    #[test]
    fn results_come_in_order() {
        let read = |item: usize| {
            // The first of three is the slowest.
            thread::sleep(Duration::from_millis(2 * (2 - item as u64 % 3)));
            item
        };
        let all: Vec<_> = prefetch(50, LIMITS, |_| 1, read, |results| results.collect());
        assert_eq!(all, (0..50).map(Some).collect::<Vec<_>>());
        assert_eq!(prefetch(0, LIMITS, |_| 1, read, |results| results.count()), 0);
    }

    #[test]
    fn a_panic_is_one_item_missing() {
        let read = |item: usize| match item {
            3 => panic!("a bug in reading (this test's)"),
            _ => item,
        };
        let size_hint = |item: usize| match item {
            5 => panic!("a bug in the size hint (this test's)"),
            _ => 1,
        };
        let all: Vec<_> = prefetch(8, LIMITS, size_hint, read, |results| results.collect());
        let expected = (0..8).map(|item| (item != 3).then_some(item));
        assert_eq!(all, expected.collect::<Vec<_>>());
    }

    /// Only what the limits allow is begun before it is taken.
    #[test]
    fn readers_wait_for_room() {
        let most = |limits: PrefetchLimits, bytes: u64| {
            let (held, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let read = |_| {
                let now = 1 + held.fetch_add(1, SeqCst);
                most.fetch_max(now, SeqCst);
            };
            prefetch(
                40,
                limits,
                |_| bytes,
                read,
                |results| {
                    for _ in results {
                        held.fetch_sub(1, SeqCst);
                        thread::sleep(Duration::from_millis(1));
                    }
                },
            );
            most.into_inner()
        };
        // One more each: it leaves the queue before this test has noted so.
        assert!(most(LIMITS, 1) <= 5 + 1);
        assert!(most(LIMITS, 40) <= 3 + 1, "two fit, and the one waited for");
        assert!(most(LIMITS, 1000) <= 1 + 1, "too large: one at a time");
    }

    #[test]
    fn a_consumer_may_stop_or_panic() {
        let first = prefetch(1000, LIMITS, |_| 60, |item| item, |mut results| results.next());
        assert_eq!(first, Some(Some(0)));
        let broken = catch_unwind(|| prefetch(1000, LIMITS, |_| 60, |item| item, |_| panic!("this test's")));
        assert!(broken.is_err());
    }
}
