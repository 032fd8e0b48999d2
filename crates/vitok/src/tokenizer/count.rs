//! Parameters and multiply-adds, counted on the network itself.

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

use super::{Decoder, Encoder};
use crate::config::{Attention, Plan, StackPlan};
use crate::nn::params;
use crate::patches::{Extent, Grid};

/// What a model is and costs at one size. A multiply-add counts once, as in the paper's table 1.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Size in pixels.
    pub extent: Extent,
    /// Size in tokens.
    pub grid: Grid,
    /// Tokens L.
    pub tokens: usize,
    /// Parameters of the encoder.
    pub encoder_params: u64,
    /// Parameters of the decoder.
    pub decoder_params: u64,
    /// Multiply-adds of the encoder.
    pub encoder_macs: u64,
    /// Multiply-adds of the decoder.
    pub decoder_macs: u64,
    /// E = L * c, the values of a code (paper, section 2).
    pub code_values: usize,
    /// Pixel values over code values.
    pub compression: f64,
}

impl Counts {
    /// Counts `plan` at `extent` by walking its parameters; nothing is allocated for them.
    pub fn new(plan: &Plan, extent: Extent) -> Self {
        let device = Device::flex();
        let grid = Grid::covering(extent, plan.tubelet);
        let tokens = grid.tokens();
        let (encoder_params, encoder_linear) = walk(&Encoder::new(plan, &device));
        let (decoder_params, decoder_linear) = walk(&Decoder::new(plan, &device));
        let macs = |linear: u64, stack: &StackPlan| {
            // Saturating: sizes nobody can run may still be asked for.
            let attention =
                pairs(plan, grid).saturating_mul(2 * (stack.width * stack.depth) as u64);
            linear
                .saturating_mul(tokens as u64)
                .saturating_add(attention)
        };
        Self {
            extent,
            grid,
            tokens,
            encoder_params,
            decoder_params,
            encoder_macs: macs(encoder_linear, &plan.encoder),
            decoder_macs: macs(decoder_linear, &plan.decoder),
            code_values: tokens * plan.channels,
            compression: extent.values() as f64 / (tokens * plan.channels) as f64,
        }
    }
}

/// All parameters, and the multiply-adds one token costs in the linear layers.
fn walk<M: Module>(half: &M) -> (u64, u64) {
    let (mut all, mut linear) = (0, 0);
    params::for_each(half, |_, shape, _| {
        let count = shape.iter().product::<usize>() as u64;
        all += count;
        if shape.len() == 2 {
            linear += count;
        }
    });
    (all, linear)
}

/// Pairs of (query, key) that attention must look at.
fn pairs(plan: &Plan, grid: Grid) -> u64 {
    let per_frame = (grid.rows * grid.cols) as u64;
    let frames = grid.frames as u64;
    let (sequences, n, frames) = if plan.frame_by_frame() {
        (frames, per_frame, 1)
    } else {
        (1, per_frame * frames, frames)
    };
    let square = per_frame.saturating_mul(per_frame);
    let pairs = match plan.attention {
        Attention::Full => n.saturating_mul(n),
        Attention::Window(reach) => {
            let reach = (reach as u64).min(n - 1);
            let unbounded = n.saturating_mul(2 * reach + 1);
            unbounded.saturating_sub(reach.saturating_mul(reach + 1))
        }
        Attention::BlockCausal => square.saturating_mul(frames * (frames + 1) / 2),
    };
    pairs.saturating_mul(sequences)
}
