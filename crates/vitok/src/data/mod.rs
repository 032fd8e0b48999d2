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
