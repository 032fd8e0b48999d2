//! From clips to token sequences and back.
//!
//! A clip `[C, T, H, W]` is cut into tubelets of q x p x p values, each flattened into one token; clips of different
//! sizes share a batch by padding their sequences at the end. A [`BatchLayout`] says what each sequence is: how many of
//! its tokens are real, how they lie in the clip, and the shape to crop back to.

mod batch_layout;
mod patchify;
mod token_grid;

pub use batch_layout::{BatchLayout, Sequence, TokenBatch};
pub use patchify::{patchify, unpatchify, unpatchify_runs};
pub use token_grid::{TokenGrid, Tubelet};
