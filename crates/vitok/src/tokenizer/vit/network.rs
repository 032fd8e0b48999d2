//! Encoder and decoder as Burn modules. Field names are the tensor names of the v2 files.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::activations::Activations;
use super::bottleneck::{Bottleneck, EncoderOutput};
use super::config::ModelConfig;
use crate::nn::{self, AttentionContext, Block, BlockKind, Linear, Norm, StackConfig};
use crate::patches::{BatchLayout, TokenBatch};

/// Encoder and decoder; either may be absent.
#[derive(Module, Debug)]
pub struct Network {
    /// Patches to latents.
    pub encoder: Option<Encoder>,
    /// Latents to patches.
    pub decoder: Option<Decoder>,
}

/// Patches to latents.
#[derive(Module, Debug)]
pub struct Encoder {
    /// `[C, 3qpp]`.
    pub patch_embed: Linear,
    /// Transformer blocks, first to last.
    pub encoder_blocks: Vec<Block>,
    /// Final LayerNorm of sequential stacks.
    pub encoder_norm: Option<Norm>,
    /// `[c, C]`, or `[2c, C]` (mean, then log-variance) with a KL bottleneck.
    pub to_code: Linear,
}

/// Latents to patches.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[C, c]`.
    pub decoder_embed: Linear,
    /// Transformer blocks, first to last.
    pub decoder_blocks: Vec<Block>,
    /// Final LayerNorm of sequential stacks.
    pub decoder_norm: Option<Norm>,
    /// `[3qpp, C]`.
    pub to_pixels: Linear,
}

/// The name on disk of the parameter at a path of [`Network`]: the path less the part.
pub(super) fn tensor_name(path: &str) -> &str {
    path.strip_prefix("encoder.")
        .or_else(|| path.strip_prefix("decoder."))
        .unwrap_or(path)
}

fn blocks(stack: &StackConfig, config: &ModelConfig, device: &Device) -> Vec<Block> {
    (0..stack.depth)
        .map(|_| Block::new(stack, config.block, device))
        .collect()
}

fn final_norm(stack: &StackConfig, config: &ModelConfig, device: &Device) -> Option<Norm> {
    (config.block == BlockKind::Sequential).then(|| Norm::layer(stack.width, device))
}

/// Sends tokens `x` `[B, N, C]` through a stack's blocks, known to `activations` as `name`.
fn forward_blocks(
    blocks: &[Block],
    name: &str,
    stack: &StackConfig,
    config: &ModelConfig,
    layout: &BatchLayout,
    mut x: Tensor<3>,
    activations: &mut Activations,
) -> Tensor<3> {
    let context = AttentionContext::new(&x, layout, config.attention, config.rope, stack.head_dim());
    if !activations.are_on() {
        return nn::forward_blocks(blocks, stack.heads, &context, x);
    }
    for (i, block) in blocks.iter().enumerate() {
        x = block.forward(x, stack.heads, &context);
        activations.record(|| format!("{name}.{i}"), &x);
    }
    x
}

impl Encoder {
    /// An encoder without values yet.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let width = config.encoder.width;
        let outputs = match config.bottleneck {
            Bottleneck::Kl => 2 * config.channels,
            Bottleneck::LayerNorm => config.channels,
        };
        Self {
            patch_embed: Linear::new(config.patch_values(), width, true, device),
            encoder_blocks: blocks(&config.encoder, config, device),
            encoder_norm: final_norm(&config.encoder, config, device),
            to_code: Linear::new(width, outputs, true, device),
        }
    }

    /// Patches `[B, N, 3qpp]` -> latents `[B, N, c]`.
    pub fn encode(&self, config: &ModelConfig, patches: &TokenBatch, activations: &mut Activations) -> EncoderOutput {
        let layout = &patches.layout;
        let x = self.patch_embed.forward(patches.tokens.clone()); // [B, N, C]
        activations.record(|| "patch_embed".into(), &x);
        let (blocks, stack) = (&self.encoder_blocks, &config.encoder);
        let mut x = forward_blocks(blocks, "encoder_blocks", stack, config, layout, x, activations);
        if let Some(norm) = &self.encoder_norm {
            x = norm.forward(x);
        }
        let x = self.to_code.forward(x); // [B, N, c or 2c]
        activations.record(|| "to_code".into(), &x);
        EncoderOutput::new(x, config.bottleneck, layout)
    }
}

impl Decoder {
    /// A decoder without values yet.
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        let width = config.decoder.width;
        Self {
            decoder_embed: Linear::new(config.channels, width, true, device),
            decoder_blocks: blocks(&config.decoder, config, device),
            decoder_norm: final_norm(&config.decoder, config, device),
            to_pixels: Linear::new(width, config.patch_values(), true, device),
        }
    }

    /// Latents `[B, N, c]` -> patches `[B, N, 3qpp]`.
    pub fn decode(&self, config: &ModelConfig, latents: &TokenBatch, activations: &mut Activations) -> TokenBatch {
        let layout = &latents.layout;
        let x = self.decoder_embed.forward(latents.tokens.clone()); // [B, N, C]
        activations.record(|| "decoder_embed".into(), &x);
        let (blocks, stack) = (&self.decoder_blocks, &config.decoder);
        let mut x = forward_blocks(blocks, "decoder_blocks", stack, config, layout, x, activations);
        if let Some(norm) = &self.decoder_norm {
            x = norm.forward(x);
        }
        TokenBatch {
            tokens: layout.clear_padding(self.to_pixels.forward(x)),
            layout: layout.clone(),
        }
    }
}
