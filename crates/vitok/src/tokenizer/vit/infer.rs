//! Which network weights without a config are of, read off their tensors' shapes.

use super::bottleneck::Bottleneck;
use super::config::ModelConfig;
use super::variant::{DEFAULT_MLP_RATIO, Family, Size, Variant};
use crate::nn::{Attention, BlockKind, Rope, StackConfig};
use crate::patches::Tubelet;

/// The config of a ViTok-v2 model whose tensors have these shapes, by name; else what cannot be told, in words.
pub(super) fn infer_config<'a>(shape: &impl Fn(&str) -> Option<&'a [usize]>) -> Result<ModelConfig, String> {
    let matrix = |name: &str| match shape(name) {
        Some(&[rows, cols]) => Some((rows, cols)),
        _ => None,
    };
    let encoder = matrix("patch_embed.weight").zip(matrix("to_code.weight"));
    let decoder = matrix("to_pixels.weight").zip(matrix("decoder_embed.weight"));
    let (values, channels) = match (encoder, decoder) {
        (Some(((_, values), (channels, _))), _) => (values, channels),
        (None, Some(((values, _), (_, channels)))) => (values, channels),
        (None, None) => return Err("neither patch_embed nor to_pixels is there".into()),
    };
    if let (_, Some((_, (_, taken)))) = (encoder, decoder)
        && taken != channels
    {
        // A Gaussian's mean and log-variance are twice as many as its channels.
        return Err(format!(
            "the encoder gives {channels} values a token and the decoder takes {taken}: not the release's bottleneck"
        ));
    }
    let patch = (values / 3).isqrt();
    if patch == 0 || 3 * patch * patch != values {
        return Err(format!("a patch of {values} values is no square of RGB pixels"));
    }
    let encoder = infer_stack(shape, "encoder_blocks", encoder.map(|((w, _), _)| w));
    let decoder = infer_stack(shape, "decoder_blocks", decoder.map(|(_, (w, _))| w));
    // A part that is not in the files is never built; the other stands in for its numbers.
    let (name, encoder, decoder) = match (encoder, decoder) {
        (Some(e), Some(d)) => (None, e, d),
        (Some(e), None) => (Some("encoder only"), e, e),
        (None, Some(d)) => (Some("decoder only"), d, d),
        (None, None) => return Err("no complete stack of blocks".into()),
    };
    let size = |s: &StackConfig| Size {
        width: s.width,
        depth: s.depth,
        heads: s.heads,
    };
    let mut variant = Variant {
        family: Family::V2,
        encoder: size(&encoder),
        decoder: size(&decoder),
        mlp_ratio: DEFAULT_MLP_RATIO,
        tubelet: Tubelet { frames: 1, patch },
        channels,
    };
    if variant.hidden(encoder.width) != encoder.hidden {
        variant.mlp_ratio = encoder.hidden as f64 / encoder.width as f64;
    }
    Ok(ModelConfig {
        variant: match name {
            Some(which) => format!("{variant} ({which})"),
            None => variant.to_string(),
        },
        tubelet: variant.tubelet,
        colors: 3,
        encoder,
        channels,
        bottleneck: Bottleneck::LayerNorm,
        decoder,
        block: BlockKind::Parallel,
        rope: Rope::TwoD,
        attention: Attention::Full,
        layer_scale: 1e-4,
    })
}

fn infer_stack<'a>(
    shape: &impl Fn(&str) -> Option<&'a [usize]>,
    prefix: &str,
    width: Option<usize>,
) -> Option<StackConfig> {
    let width = width?;
    let depth = (0..).take_while(|i| shape(&format!("{prefix}.{i}.norm1.weight")).is_some());
    let depth = depth.count();
    let head_dim = *shape(&format!("{prefix}.0.attn.norm_q.weight"))?.first()?;
    let hidden = *shape(&format!("{prefix}.0.ffn.fc2.weight"))?.get(1)?;
    let heads = width.checked_div(head_dim)?;
    Some(StackConfig {
        width,
        depth,
        heads,
        hidden,
    })
}
