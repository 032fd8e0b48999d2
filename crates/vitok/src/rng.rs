//! Random numbers that depend on what they are for, and on nothing else: not on the platform, the thread, or what was
//! drawn before.

use rand::SeedableRng;
pub(crate) use rand_chacha::ChaCha8Rng as Rng;
use sha2::{Digest, Sha256};

/// A generator for one purpose, told from all others by its name and numbers (a seed, a step, a position).
///
/// ChaCha with 8 rounds: its stream is specified, so the same numbers come on every platform and with every version.
pub(crate) fn generator(purpose: &str, numbers: &[u64]) -> Rng {
    let mut hash = Sha256::new();
    for number in numbers {
        hash.update(number.to_le_bytes());
    }
    hash.update(purpose);
    Rng::from_seed(hash.finalize().into())
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    #[test]
    // The first number by an independent implementation of ChaCha8 (in Python, with hashlib for the seed).
    fn streams_are_the_same_everywhere_and_of_one_purpose() {
        let first = |purpose, numbers: &[u64]| generator(purpose, numbers).random::<u64>();
        assert_eq!(first("order", &[1, 2]), 15_006_516_427_366_426_162);
        assert_ne!(first("order", &[1, 2]), first("noise", &[1, 2]));
        assert_ne!(first("order", &[1, 2]), first("order", &[2, 1]));
    }
}
