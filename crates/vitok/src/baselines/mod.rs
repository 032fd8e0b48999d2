//! What a tokenizer must beat to be worth running: codes of the same size that need no network.
//!
//! - [`LinearCode`]: patches of p x p pixels projected on their c principal components (PCA), the best
//!   that any linear code of the shape does in squared error;
//! - [`bicubic`]: the picture made small until it has about as many values as the code, and large
//!   again;
//! - [`jpeg`]: for orientation, JPEG at the bytes of the code in 16-bit floats.

mod bicubic;
mod jpeg;
mod linear;

pub use bicubic::{bicubic, bicubic_size};
pub use jpeg::{Jpeg, jpeg};
pub use linear::{LinearCode, LinearFit};
