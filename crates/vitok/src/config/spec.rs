//! What the user wrote: a variant and the choices that differ from its family's.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::read_toml;
use crate::Result;

/// A model as a TOML file describes it. Only `variant` is required.
///
/// ```toml
/// variant = "S-B/4x16"
/// attention = "block-causal"     # or "full", or { window = 512 }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelSpec {
    /// A name as [`super::Variant`] reads it.
    pub variant: String,
    /// Which tokens see each other. Default: full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
    /// How a block is wired. Default: the family's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockKind>,
    /// How the encoder's output becomes the code. Default: the family's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Bottleneck>,
    /// Which axes rotate. Default: 3D for the paper and for tubelets of several frames, else 2D.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope: Option<Rope>,
    /// Initial LayerScale of parallel blocks. Default 1e-4 (ViTok-v2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_scale: Option<f64>,
}

/// Which tokens of one clip attend to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attention {
    /// Every token to every token.
    #[default]
    Full,
    /// Token i to token j where |i - j| is at most this many places in raster order.
    Window(usize),
    /// A token to those of its own and of earlier time steps.
    BlockCausal,
}

/// How attention and MLP are wired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockKind {
    /// The paper's: `x += attn(LN(x)); x += mlp(LN(x))`, with biases and a final LayerNorm.
    Sequential,
    /// v2's: `x += gamma * (attn(h) + mlp(h))`, `h = RMSNorm(x)`, QK-norm, no biases.
    Parallel,
}

/// How the encoder's last tokens become the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// Mean and log-variance of a Gaussian (paper, section 2).
    Kl,
    /// LayerNorm over the channels, no affine (v2).
    LayerNorm,
}

/// Which axes the rotary embedding knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rope {
    /// Row and column, half of a head's pairs each (v2). A clip's frames are coded one by one.
    #[serde(rename = "2d")]
    TwoD,
    /// Row, column and time, a third of a head each (paper).
    #[serde(rename = "3d")]
    ThreeD,
}

impl ModelSpec {
    /// The spec that is just a variant.
    pub fn new(variant: &str) -> Self {
        Self {
            variant: variant.to_owned(),
            attention: None,
            block: None,
            bottleneck: None,
            rope: None,
            layer_scale: None,
        }
    }

    /// Reads a TOML file.
    ///
    /// # Errors
    /// As [`read_toml`], with line and column.
    pub fn read(path: &Path) -> Result<Self> {
        read_toml(path, &[])
    }
}
