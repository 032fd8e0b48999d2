//! Training: `run.rs` is the loop, `trainer.rs` what changes from step to step, `step.rs` one
//! step's loss.
//!
//! Everything random follows from the seed and the step's number, and everything that changes is in
//! a [`Checkpoint`]: a resumed run ends as if it had never stopped.

mod adamw;
mod checkpoint;
mod config;
mod curve;
mod ema;

mod objective;
mod optimizer;
mod run;
mod run_log;
mod schedule;
mod trainer;
mod validation;

pub use checkpoint::{Checkpoint, CheckpointMeta};
pub use config::{DataConfig, DataSource, LossConfig, StepConfig, TrainConfig, ValidationConfig, WeightedSource};
pub use ema::Ema;
pub use objective::{Losses, batch_of, loss, noise};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use run::{Ending, Observer, Progress, Start, train};
pub use run_log::{Event, RunLog};
pub use schedule::Schedule;
pub use trainer::{Step, Trainer};
pub use validation::Validation;
