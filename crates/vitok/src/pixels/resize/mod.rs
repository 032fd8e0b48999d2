//! Resizing, as Pillow and PyTorch do it.
//!
//! All of it is separable: a pass along the rows, then one along the columns. What differs is
//! where the weights come from ([`taps`]) and in which numbers the sums are taken ([`bytes`],
//! [`floats`]). A pass that would not change the length is left out, as in both libraries.

mod bytes;
mod filter;
mod floats;
mod taps;

pub use bytes::resize_u8;
pub use filter::Filter;
pub use floats::{resize_f32_antialiased, resize_f32_pillow, resize_f32_plain};
