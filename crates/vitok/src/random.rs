//! Random numbers that depend on what they are for, and on nothing else.

use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};

/// A generator for one purpose, told from all others by its name and numbers.
pub(crate) fn generator(purpose: &str, numbers: &[u64]) -> StdRng {
    let mut hash = Sha256::new();
    for number in numbers {
        hash.update(number.to_le_bytes());
    }
    hash.update(purpose);
    StdRng::from_seed(hash.finalize().into())
}
