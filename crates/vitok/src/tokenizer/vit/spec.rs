//! What the user wrote: a variant and the choices that differ from its family's.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::bottleneck::Bottleneck;
use crate::Result;
use crate::nn::{Attention, BlockKind, Rope};
use crate::toml_file::read_toml;

/// A model as a TOML file describes it. Only `variant` is required.
///
/// ```toml
/// variant = "S-B/4x16"
/// attention = "block-causal"     # or "full", or { window = 512 }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// The network's sizes, such as `S-B/16` or `w96_d2_h2/1x8x16`: encoder and decoder, then frames x pixels a side of a
    /// token x latent channels.
    pub variant: String,
    /// Which tokens of a clip attend to each other. Default: full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<Attention>,
    /// How attention and MLP of a block are wired. Default: that of the variant's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockKind>,
    /// How the encoder's output becomes the latents. Default: that of the variant's family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Bottleneck>,
    /// Axes of the rotary position embedding. Default: 3d for the paper's family and for tokens of several frames, else 2d.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rope: Option<Rope>,
    /// Initial LayerScale of parallel blocks. Default 1e-4 (ViTok-v2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer_scale: Option<f64>,
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
