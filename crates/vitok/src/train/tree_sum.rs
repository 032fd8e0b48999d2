//! Sums in a fixed order, so that any number of processes can compute them together and get the same bits.
//!
//! Floating-point addition is not associative: a sum depends on how its terms are bracketed. Here it is always
//!
//! ```text
//! sum(x0 .. xn) = sum(x0 .. xp) + sum(xp .. xn)        p: the largest power of two below n
//! ```
//!
//! that is ((0 + 1) + (2 + 3)) + ((4 + 5) + 6) for seven terms. Terms from a multiple of a power of two on, as many as
//! that power, are a subtree: a process that sums them itself hands on one value, and summing these values in the same
//! way gives the bits of the whole sum.

/// A sum that takes its terms in order and holds one partial sum for each power of two in their count.
pub(super) struct TreeSum<T, F> {
    add: F,
    /// Partial sums of subtrees, left to right, with the number of their terms: falling powers of two.
    partial: Vec<(T, u64)>,
}

impl<T, F: Fn(T, T) -> T> TreeSum<T, F> {
    /// An empty sum.
    pub fn new(add: F) -> Self {
        Self {
            add,
            partial: Vec::new(),
        }
    }

    /// Adds the next term.
    pub fn push(&mut self, term: T) {
        let (mut sum, mut terms) = (term, 1);
        while let Some((left, left_terms)) = self.partial.pop() {
            if left_terms != terms {
                self.partial.push((left, left_terms));
                break;
            }
            sum = (self.add)(left, sum);
            terms *= 2;
        }
        self.partial.push((sum, terms));
    }

    /// The sum; none of no terms.
    pub fn finish(mut self) -> Option<T> {
        let (mut sum, _) = self.partial.pop()?;
        while let Some((left, _)) = self.partial.pop() {
            sum = (self.add)(left, sum);
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn sum<T>(terms: impl IntoIterator<Item = T>, add: impl Fn(T, T) -> T) -> T {
        let mut sum = TreeSum::new(add);
        terms.into_iter().for_each(|term| sum.push(term));
        sum.finish().unwrap()
    }

    /// Terms of many magnitudes, so that every other order rounds otherwise.
    fn terms(count: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (1.0 + i as f32).powi(i as i32 % 5 - 2) / 3.0)
            .collect()
    }

    #[test]
    fn the_tree_splits_at_the_largest_power_of_two_below_the_count() {
        let bracketed = |count: usize| sum((0..count).map(|i| i.to_string()), |a, b| format!("({a}{b})"));
        assert_eq!(bracketed(1), "0");
        assert_eq!(bracketed(3), "((01)2)");
        assert_eq!(bracketed(5), "(((01)(23))4)");
        assert_eq!(bracketed(6), "(((01)(23))(45))");
        assert_eq!(bracketed(7), "(((01)(23))((45)6))");
        assert_eq!(bracketed(8), "(((01)(23))((45)(67)))");
        assert!(TreeSum::new(|a: f32, b: f32| a + b).finish().is_none());
    }

    #[test]
    fn one_two_four_or_eight_processes_give_the_same_bits() {
        let add = |a: f32, b: f32| a + b;
        for count in [8, 13, 16, 32] {
            let terms = terms(count);
            let whole = sum(terms.clone(), add);
            for each in [1, 2, 4, 8, 16] {
                let processes = terms.chunks(each).map(|own| sum(own.to_vec(), add));
                assert_eq!(
                    sum(processes, add).to_bits(),
                    whole.to_bits(),
                    "{count} terms by {each}"
                );
            }
        }
        let running: f32 = terms(13).iter().sum();
        assert_ne!(running.to_bits(), sum(terms(13), add).to_bits(), "the order matters");
    }
}
