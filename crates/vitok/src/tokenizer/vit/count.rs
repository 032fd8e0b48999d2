//! Parameters and multiply-adds, counted on the network itself.

use burn::module::Module;
use burn::tensor::Device;
use serde::Serialize;

use super::config::ModelConfig;
use super::network::{Decoder, Encoder};
use crate::media::ClipShape;
use crate::nn::params;
use crate::nn::{Attention, StackConfig};
use crate::patches::TokenGrid;

/// What a model is and costs at one size. A multiply-add counts once, as in the paper's table 1.
#[derive(Clone, Debug, Serialize)]
pub struct Counts {
    /// Size in pixels.
    pub shape: ClipShape,
    /// Size in tokens.
    pub grid: TokenGrid,
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
    /// E = L * c, the number of latent values (paper, section 2).
    pub latent_values: usize,
    /// Pixel values over latent values.
    pub compression: f64,
}

impl Counts {
    /// Counts `config` at `shape` by walking its parameters; nothing is allocated for them.
    pub fn new(config: &ModelConfig, shape: ClipShape) -> Self {
        let device = Device::flex();
        let grid = TokenGrid::covering(shape, config.tubelet);
        let tokens = grid.tokens();
        let (encoder_params, encoder_linear) = walk(&Encoder::new(config, &device));
        let (decoder_params, decoder_linear) = walk(&Decoder::new(config, &device));
        let macs = |linear: u64, stack: &StackConfig| {
            // Saturating: sizes nobody can run may still be asked for.
            let attention = pairs(config, grid).saturating_mul(2 * (stack.width * stack.depth) as u64);
            linear.saturating_mul(tokens as u64).saturating_add(attention)
        };
        Self {
            shape,
            grid,
            tokens,
            encoder_params,
            decoder_params,
            encoder_macs: macs(encoder_linear, &config.encoder),
            decoder_macs: macs(decoder_linear, &config.decoder),
            latent_values: tokens * config.channels,
            compression: shape.values() as f64 / (tokens * config.channels) as f64,
        }
    }
}

/// All parameters, and the multiply-adds one token costs in the linear layers.
fn walk<M: Module>(part: &M) -> (u64, u64) {
    let (mut all, mut linear) = (0, 0);
    params::for_each(part, |_, shape, _| {
        let count = shape.iter().product::<usize>() as u64;
        all += count;
        if shape.len() == 2 {
            linear += count;
        }
    });
    (all, linear)
}

/// Pairs of (query, key) that attention must look at.
fn pairs(config: &ModelConfig, grid: TokenGrid) -> u64 {
    let per_frame = (grid.rows * grid.cols) as u64;
    let frames = grid.frames as u64;
    let (sequences, n, frames) = if config.frame_by_frame() {
        (frames, per_frame, 1)
    } else {
        (1, per_frame * frames, frames)
    };
    let square = per_frame.saturating_mul(per_frame);
    let pairs = match config.attention {
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
