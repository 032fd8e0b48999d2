//! The two halves as Burn modules. Field names are the tensor names of the v2 files.

use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::Taps;
use super::bottleneck::Code;
use crate::config::{BlockKind, Bottleneck, Plan, StackPlan};
use crate::nn::{Block, Linear, Norm, Sight, fused};
use crate::patches::{Layout, TokenBatch};

/// Encoder and decoder; either may be absent.
#[derive(Module, Debug)]
pub struct Network {
    /// Patches to code.
    pub encoder: Option<Encoder>,
    /// Code to patches.
    pub decoder: Option<Decoder>,
}

/// Patches to code.
#[derive(Module, Debug)]
pub struct Encoder {
    /// `[C, 3qpp]`.
    pub patch_embed: Linear,
    /// The stack.
    pub encoder_blocks: Vec<Block>,
    /// Final LayerNorm of sequential stacks.
    pub encoder_norm: Option<Norm>,
    /// `[c, C]`, or `[2c, C]` (mean, then log-variance) with a KL bottleneck.
    pub to_code: Linear,
}

/// Code to patches.
#[derive(Module, Debug)]
pub struct Decoder {
    /// `[C, c]`.
    pub decoder_embed: Linear,
    /// The stack.
    pub decoder_blocks: Vec<Block>,
    /// Final LayerNorm of sequential stacks.
    pub decoder_norm: Option<Norm>,
    /// `[3qpp, C]`.
    pub to_pixels: Linear,
}

fn blocks(stack: &StackPlan, plan: &Plan, device: &Device) -> Vec<Block> {
    (0..stack.depth)
        .map(|_| Block::new(stack, plan.block, device))
        .collect()
}

fn final_norm(stack: &StackPlan, plan: &Plan, device: &Device) -> Option<Norm> {
    (plan.block == BlockKind::Sequential).then(|| Norm::layer(stack.width, device))
}

/// Sends tokens `x` `[B, N, C]` through a stack's blocks, known to `taps` as `name`.
fn through(
    blocks: &[Block],
    name: &str,
    stack: &StackPlan,
    plan: &Plan,
    layout: &Layout,
    mut x: Tensor<3>,
    taps: &mut Taps,
) -> Tensor<3> {
    let sight = Sight::new(&x, layout, plan.attention, plan.rope, stack.head_dim());
    if let (Sight::Fused(geometry), false) = (&sight, taps.are_on())
        && let Some(x) = fused::through(blocks, stack.heads, geometry, &x)
    {
        return x;
    }
    for (i, block) in blocks.iter().enumerate() {
        x = block.forward(x, stack.heads, &sight);
        taps.record(|| format!("{name}.{i}"), &x);
    }
    x
}

impl Encoder {
    /// An encoder without values yet.
    pub fn new(plan: &Plan, device: &Device) -> Self {
        let width = plan.encoder.width;
        let outputs = match plan.bottleneck {
            Bottleneck::Kl => 2 * plan.channels,
            Bottleneck::LayerNorm => plan.channels,
        };
        Self {
            patch_embed: Linear::new(plan.patch_values(), width, true, device),
            encoder_blocks: blocks(&plan.encoder, plan, device),
            encoder_norm: final_norm(&plan.encoder, plan, device),
            to_code: Linear::new(width, outputs, true, device),
        }
    }

    /// Patches `[B, N, 3qpp]` -> code `[B, N, c]`.
    pub fn encode(&self, plan: &Plan, patches: &TokenBatch, taps: &mut Taps) -> Code {
        let layout = &patches.layout;
        let x = self.patch_embed.forward(patches.tokens.clone()); // [B, N, C]
        taps.record(|| "patch_embed".into(), &x);
        let (blocks, stack) = (&self.encoder_blocks, &plan.encoder);
        let mut x = through(blocks, "encoder_blocks", stack, plan, layout, x, taps);
        if let Some(norm) = &self.encoder_norm {
            x = norm.forward(x);
        }
        let x = self.to_code.forward(x); // [B, N, c or 2c]
        taps.record(|| "to_code".into(), &x);
        Code::new(x, plan, layout)
    }
}

impl Decoder {
    /// A decoder without values yet.
    pub fn new(plan: &Plan, device: &Device) -> Self {
        let width = plan.decoder.width;
        Self {
            decoder_embed: Linear::new(plan.channels, width, true, device),
            decoder_blocks: blocks(&plan.decoder, plan, device),
            decoder_norm: final_norm(&plan.decoder, plan, device),
            to_pixels: Linear::new(width, plan.patch_values(), true, device),
        }
    }

    /// Code `[B, N, c]` -> patches `[B, N, 3qpp]`.
    pub fn decode(&self, plan: &Plan, latents: &TokenBatch, taps: &mut Taps) -> TokenBatch {
        let layout = &latents.layout;
        let x = self.decoder_embed.forward(latents.tokens.clone()); // [B, N, C]
        taps.record(|| "decoder_embed".into(), &x);
        let (blocks, stack) = (&self.decoder_blocks, &plan.decoder);
        let mut x = through(blocks, "decoder_blocks", stack, plan, layout, x, taps);
        if let Some(norm) = &self.decoder_norm {
            x = norm.forward(x);
        }
        TokenBatch {
            tokens: layout.clear_padding(self.to_pixels.forward(x)),
            layout: layout.clone(),
        }
    }
}
