//! The evaluation engine.

mod full_reference;
mod metric;
mod protocol;

pub use full_reference::{PairScorer, PairScores};
pub use metric::{Better, Metric};
pub use protocol::{PROTOCOLS, Protocol, Reading};
