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
mod events;
mod optimizer;
mod run;
mod schedule;
mod step;
mod trainer;
mod watch;

pub use checkpoint::{About, Checkpoint};
pub use config::{
    DataConfig, DataSource, EvaluateConfig, LossConfig, SharedSource, StepConfig, TrainConfig,
};
pub use ema::Ema;
pub use events::{Event, EventLog};
pub use optimizer::{Optimizer, OptimizerConfig};
pub use run::{Ending, Observer, Progress, Start, train};
pub use schedule::Schedule;
pub use step::{Losses, batch_of, loss, noise};
pub use trainer::{Step, Trainer};
pub use watch::HeldOut;
