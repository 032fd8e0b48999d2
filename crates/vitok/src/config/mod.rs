//! What network to build.
//!
//! Three steps, each its own type: a [`Variant`] is a name taken apart ("S-B/4x16"), a
//! [`ModelSpec`] is what the user wrote (a variant and the choices that differ from its family's),
//! and a [`Plan`] holds every number the network is built from. Only the plan reaches the network,
//! and it travels inside the weights.

mod file;
mod plan;
mod spec;
mod variant;

pub use file::read_toml;
pub use plan::{Plan, StackPlan};
pub use spec::{Attention, BlockKind, Bottleneck, ModelSpec, Rope};
pub use variant::{DEFAULT_MLP_RATIO, Family, Size, Tubelet, Variant};
