//! What a stack of transformer blocks is built from.

use serde::{Deserialize, Serialize};

/// One stack of blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StackConfig {
    /// Width C of a token.
    pub width: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Hidden width of the gated MLP.
    pub hidden: usize,
}

impl StackConfig {
    /// Width of one head.
    pub fn head_dim(&self) -> usize {
        self.width / self.heads
    }
}

/// Which tokens of one clip attend to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// Every token to every token.
    #[default]
    Full,
    /// Token i to token j where |i - j| is at most this many tokens in raster order.
    Window(usize),
    /// A token to those of the same and of earlier time steps.
    BlockCausal,
}

/// How attention and MLP are wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// The paper's: `x += attn(LN(x)); x += mlp(LN(x))`, with biases and a final LayerNorm.
    Sequential,
    /// v2's: `x += gamma * (attn(h) + mlp(h))`, `h = RMSNorm(x)`, QK-norm, no biases.
    Parallel,
}

/// The axes of a token's position in the rotary embedding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum Rope {
    /// Row and column, half of a head's pairs each (v2). A clip's frames are encoded one by one.
    #[serde(rename = "2d")]
    TwoD,
    /// Row, column and time, a third of a head each (paper).
    #[serde(rename = "3d")]
    ThreeD,
}
