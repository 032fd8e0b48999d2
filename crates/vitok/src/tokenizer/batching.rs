//! Which clips go through a network together, and what happens when they fail: here and nowhere else.
//!
//! Clips of one shape that follow each other are batched while the batch has at most [`MAX_TOKENS`] tokens. Batches
//! follow from the inputs alone, never from what happens to be ready, and a batch that fails is done again clip by clip,
//! so that only what is bad is lost.

use std::iter::Peekable;

use crate::Result;
use crate::media::ClipShape;

/// Most tokens of a batch. Larger batches were no faster, or slower (docs/experiments.md).
pub const MAX_TOKENS: usize = 1024;

/// Cuts a stream of items into batches. `shape` says which items may be batched with which; an item for which it is
/// `None` is a batch of its own.
pub fn batches<T, I: Iterator<Item = T>>(
    items: I,
    shape: impl Fn(&T) -> Option<ClipShape>,
    tokens: impl Fn(ClipShape) -> usize,
) -> impl Iterator<Item = Vec<T>> {
    Batches {
        items: items.peekable(),
        shape,
        tokens,
    }
}

struct Batches<I: Iterator, S, C> {
    items: Peekable<I>,
    shape: S,
    tokens: C,
}

impl<T, I, S, C> Iterator for Batches<I, S, C>
where
    I: Iterator<Item = T>,
    S: Fn(&T) -> Option<ClipShape>,
    C: Fn(ClipShape) -> usize,
{
    type Item = Vec<T>;

    fn next(&mut self) -> Option<Vec<T>> {
        let first = self.items.next()?;
        let Some(shape) = (self.shape)(&first) else {
            return Some(vec![first]);
        };
        let most = MAX_TOKENS / (self.tokens)(shape).max(1);
        let mut batch = vec![first];
        while batch.len() < most
            && let Some(next) = self.items.next_if(|next| (self.shape)(next) == Some(shape))
        {
            batch.push(next);
        }
        Some(batch)
    }
}

/// Runs a batch; if that fails, its items one by one. A result for each item.
pub fn run_batch<T, R>(batch: &[T], run: impl Fn(&[T]) -> Result<Vec<R>>) -> Vec<Result<R>> {
    match run(batch) {
        Ok(results) => results.into_iter().map(Ok).collect(),
        Err(error) if batch.len() == 1 => vec![Err(error)],
        Err(_) => batch
            .iter()
            .map(|item| Ok(run(std::slice::from_ref(item))?.remove(0)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::Error;

    #[test]
    fn batches_follow_shapes_and_the_budget() {
        let items = [(8, 0), (8, 1), (8, 2), (16, 3), (0, 4), (8, 5)];
        let shape = |item: &(usize, usize)| (item.0 > 0).then(|| ClipShape::image(item.0, item.0));
        let found: Vec<Vec<usize>> = batches(items.into_iter(), shape, |_| MAX_TOKENS / 2)
            .map(|batch| batch.into_iter().map(|item| item.1).collect())
            .collect();
        assert_eq!(found, [vec![0, 1], vec![2], vec![3], vec![4], vec![5]]);
    }

    #[test]
    fn a_batch_that_fails_loses_only_what_is_bad() {
        let run = |items: &[i32]| match items.contains(&2) {
            true => Err(Error::InvalidArgument("two".into())),
            false => Ok(items.to_vec()),
        };
        let found = run_batch(&[1, 2, 3], run);
        assert_eq!(found.iter().filter_map(|r| r.as_ref().ok()).count(), 2);
        assert!(found[1].is_err());
    }
}
