//! Named arrays in memory.

use std::collections::BTreeMap;

/// An array of a weight file, as f32 whatever the file holds.
///
/// f16, bf16, f64, integers and booleans are converted, to the nearest f32: integers beyond 2^24
/// (a long training's `num_batches_tracked`) may not be exact.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// Shape, outermost axis first; empty for a single number.
    pub shape: Vec<usize>,
    /// Values, row-major, all finite.
    pub values: Vec<f32>,
}

/// The arrays of a weight file by name, as PyTorch calls it.
pub type StateDict = BTreeMap<String, Array>;
