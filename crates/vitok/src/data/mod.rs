//! Data sets: from files on disk to batches of pictures, the same ones whoever loads them.
//!
//! ```text
//! folder, list, tar shards -> Collection (what there is) -> Order (what comes when)
//!                          -> Augment (crop, resize, flip) -> Loader (ahead, on threads) -> pictures
//! ```
//!
//! Which picture a place of a batch holds, and how it is cropped, follows from the seed and the
//! place alone: not from threads, timing, or where a run was interrupted.

mod augment;
mod collection;
mod loader;
mod order;
mod shards;

pub use augment::{Augment, Recipe};
pub use collection::{Collection, Record};
pub use loader::{Bad, Loader, LoaderConfig};
pub use order::{Draw, Order};

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
