//! Training: so far the step's parts; the loop comes with the data sets.

mod optimizer;
mod schedule;

pub use optimizer::{Optimizer, OptimizerConfig};
pub use schedule::Schedule;
