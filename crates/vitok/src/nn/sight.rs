//! What the tokens of a batch know of each other.

use std::env;
use std::sync::Arc;

use burn::tensor::{Bool, Tensor};

use super::RopeTable;
use super::fused::{self, Geometry};
use crate::config::{Attention, Rope};
use crate::patches::Layout;

/// Set to anything, this environment variable keeps the CPU to the plain composition, to tell a
/// kernel's fault from a model's.
pub const COMPOSED: &str = "VITOK_COMPOSED";

/// Positions and masks; the same for every block of a stack.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for a whole stack, and it is never moved"
)]
pub enum Sight {
    /// As tensors, for the plain composition on any device.
    Composed {
        /// Their positions.
        rope: RopeTable,
        /// `[B or 1, 1, N, N]`, true where a query must not see a key.
        blocked: Option<Tensor<4, Bool>>,
    },
    /// As the CPU's fused kernels need it.
    Fused(Arc<Geometry>),
}

impl Sight {
    /// For tokens `x` `[B, N, C]` of `layout` and heads of `head_dim` values: fused, if `x` is in
    /// memory.
    pub fn new(
        x: &Tensor<3>,
        layout: &Layout,
        attention: Attention,
        rope: Rope,
        head_dim: usize,
    ) -> Self {
        if fused::serves(x) && env::var_os(COMPOSED).is_none() {
            let geometry = Geometry::new(layout, attention, rope, head_dim);
            return Self::Fused(Arc::new(geometry));
        }
        Self::composed(x, layout, attention, rope, head_dim)
    }

    /// For the plain composition, on the device of `x`.
    pub fn composed(
        x: &Tensor<3>,
        layout: &Layout,
        attention: Attention,
        rope: Rope,
        head_dim: usize,
    ) -> Self {
        Self::Composed {
            rope: RopeTable::new(rope, layout, head_dim, &x.device()),
            blocked: layout.blocked(attention, &x.device()),
        }
    }
}
