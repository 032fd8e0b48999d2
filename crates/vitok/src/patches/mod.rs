//! From clips to token sequences and back.
//!
//! A clip `[C, T, H, W]` is cut into tubelets of q x p x p values, each flattened into one token;
//! clips of different sizes share a batch by padding their sequences at the end. A [`Layout`] says
//! what each sequence is: where its tokens lie, how many are real, and the size to crop back to.

mod grid;
mod layout;
mod patchify;

pub use grid::{Extent, Grid};
pub use layout::{Item, Layout, TokenBatch};
pub use patchify::{patchify, unpatchify, unpatchify_runs};
