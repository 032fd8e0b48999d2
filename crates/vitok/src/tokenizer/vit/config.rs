//! Every number the network is built from, derived from the spec once and saved with the weights.

use serde::{Deserialize, Serialize};

use super::bottleneck::Bottleneck;
use super::spec::ModelSpec;
use super::variant::{Family, Size, Variant};
use crate::media::ClipShape;
use crate::nn::{Attention, BlockKind, Rope, StackConfig};
use crate::patches::{TokenGrid, Tubelet};
use crate::{Error, Result};

/// A resolved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The variant's canonical name.
    pub variant: String,
    /// Pixels per token.
    pub tubelet: Tubelet,
    /// Color channels of a pixel; 3.
    pub colors: usize,
    /// The encoder's stack.
    pub encoder: StackConfig,
    /// Channels c of a latent token.
    pub channels: usize,
    /// How the encoder's output becomes the latents.
    pub bottleneck: Bottleneck,
    /// The decoder's stack.
    pub decoder: StackConfig,
    /// How blocks are wired.
    pub block: BlockKind,
    /// Which axes rotate.
    pub rope: Rope,
    /// Which tokens attend to each other.
    pub attention: Attention,
    /// Initial LayerScale of parallel blocks.
    pub layer_scale: f64,
}

impl ModelConfig {
    /// Derives the config of a spec.
    ///
    /// # Errors
    /// [`Error::Variant`] if the name does not parse or the numbers do not fit each other.
    pub fn resolve(spec: &ModelSpec) -> Result<Self> {
        let variant: Variant = spec.variant.parse()?;
        let stack = |size: Size| StackConfig {
            width: size.width,
            depth: size.depth,
            heads: size.heads,
            hidden: variant.hidden(size.width),
        };
        let (block, bottleneck) = match variant.family {
            Family::Paper => (BlockKind::Sequential, Bottleneck::Kl),
            Family::V2 => (BlockKind::Parallel, Bottleneck::LayerNorm),
        };
        let rope = match variant.family {
            Family::V2 if variant.tubelet.frames == 1 => Rope::TwoD,
            _ => Rope::ThreeD,
        };
        let config = Self {
            variant: variant.to_string(),
            tubelet: variant.tubelet,
            colors: 3,
            encoder: stack(variant.encoder),
            channels: variant.channels,
            bottleneck: spec.bottleneck.unwrap_or(bottleneck),
            decoder: stack(variant.decoder),
            block: spec.block.unwrap_or(block),
            rope: spec.rope.unwrap_or(rope),
            attention: spec.attention.unwrap_or_default(),
            layer_scale: spec.layer_scale.unwrap_or(1e-4),
        };
        config.check()?;
        Ok(config)
    }

    /// The config of a variant name with its family's defaults.
    ///
    /// # Errors
    /// As [`ModelConfig::resolve`].
    pub fn of_variant(name: &str) -> Result<Self> {
        Self::resolve(&ModelSpec::new(name))
    }

    /// The spec that [resolves](Self::resolve) to this config, with nothing left to the family's defaults.
    pub fn spec(&self) -> ModelSpec {
        ModelSpec {
            variant: self.variant.clone(),
            attention: Some(self.attention),
            block: Some(self.block),
            bottleneck: Some(self.bottleneck),
            rope: Some(self.rope),
            // Sequential blocks have none.
            layer_scale: (self.block == BlockKind::Parallel).then_some(self.layer_scale),
        }
    }

    /// Whether the numbers fit each other; called for every config, also one read from a file.
    ///
    /// # Errors
    /// [`Error::Variant`].
    pub fn check(&self) -> Result<()> {
        let wrong = |reason: String| {
            Err(Error::Variant {
                name: self.variant.clone(),
                reason,
            })
        };
        let Tubelet { frames, patch } = self.tubelet;
        // Within these bounds no product of the network's sizes overflows.
        let sane = |n: usize, most: usize| (1..=most).contains(&n);
        if !sane(frames, 1 << 10) || !sane(patch, 1 << 10) || !sane(self.channels, 1 << 16) {
            return wrong(
                "a tubelet has 1 to 1024 frames and 1 to 1024 pixels a side, a latent 1 to 65536 channels".into(),
            );
        }
        if self.colors != 3 {
            return wrong(format!("{} colors; only 3 (RGB) are supported", self.colors));
        }
        if self.rope == Rope::TwoD && frames > 1 {
            return wrong(format!(
                "2D RoPE knows no time, so it cannot go with tubelets of {frames} frames; use rope = \"3d\""
            ));
        }
        if !(self.layer_scale.is_finite()) {
            return wrong("layer-scale must be a finite number".into());
        }
        for (side, stack) in [("encoder", &self.encoder), ("decoder", &self.decoder)] {
            if !sane(stack.width, 1 << 16) || !sane(stack.hidden, 1 << 18) || stack.depth > 1 << 12 {
                return wrong(format!(
                    "the {side}'s width may be 1 to 65536, its MLP's 1 to 262144, its depth up to 4096"
                ));
            }
            if stack.heads == 0 || !stack.width.is_multiple_of(stack.heads) {
                return wrong(format!("the {side}'s width must divide by its heads"));
            }
            let head_dim = stack.head_dim();
            let fits = match self.rope {
                Rope::TwoD => head_dim.is_multiple_of(4),
                Rope::ThreeD => head_dim.is_multiple_of(2) && head_dim >= 6,
            };
            if !fits {
                return wrong(format!(
                    "the {side}'s heads are {head_dim} wide; {}",
                    match self.rope {
                        Rope::TwoD => "2D RoPE needs a multiple of 4",
                        Rope::ThreeD => "3D RoPE needs an even number, at least 6",
                    }
                ));
            }
        }
        Ok(())
    }

    /// Values of one flattened tubelet: colors x q x p x p.
    pub fn patch_values(&self) -> usize {
        self.colors * self.tubelet.frames * self.tubelet.patch * self.tubelet.patch
    }

    /// The grid of latents for a clip of this shape, and their channels.
    pub fn latent_shape(&self, shape: ClipShape) -> (TokenGrid, usize) {
        (TokenGrid::covering(shape, self.tubelet), self.channels)
    }

    /// Whether a clip is encoded frame by frame: 2D RoPE has no positions in time.
    pub fn frame_by_frame(&self) -> bool {
        self.rope == Rope::TwoD
    }
}
