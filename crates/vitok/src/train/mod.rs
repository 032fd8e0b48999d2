//! Training: `run.rs` is the loop, `trainer.rs` a step of it, `objective.rs` the loss of a step.
//!
//! ```text
//! TrainConfig -> Loader -> Trainer::step: MicroBatch, loss, gradients -> TreeSum -> Optimizer, Ema -> Checkpoint
//! ```
//!
//! Everything random follows from the seed and the step's number, and everything that changes is in a [`Checkpoint`]: a
//! resumed run ends with the same bits as one that never stopped.

mod adamw;
mod checkpoint;
mod config;
mod config_changes;
mod config_check;
#[cfg(test)]
mod config_reference;
mod config_unused;
mod curve;
mod data_record;
mod ema;
mod events;
mod micro_batch;
mod objective;
mod optimizer;
mod resume;
mod run;
mod run_folder;
mod run_log;
mod schedule;
mod trainer;
mod tree_sum;
mod validation;

pub use checkpoint::{Checkpoint, CheckpointMeta};
pub use config::{LossConfig, StepConfig, TrainConfig, ValidationConfig};
pub use ema::Ema;
pub use events::{TrainEvent, TrainObserver};
pub use objective::{Losses, batch_of, loss, noise};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use resume::{Start, config_of_run};
pub use run::{TrainOutput, train};
pub use run_log::read_events;
pub use schedule::Schedule;
pub use trainer::{StepStats, Trainer};
pub use validation::Validation;
