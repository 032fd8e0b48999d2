//! Which keys a query attends to.

use std::ops::Range;

use burn::tensor::{Bool, Device, Tensor, TensorData};

use super::config::Attention;
use crate::patches::{BatchLayout, TokenGrid};

/// The keys that token `query` of a sequence attends to. This is the one rule of windows and causality, for the
/// composition's masks and for the kernels.
pub(super) fn visible_keys(attention: Attention, grid: TokenGrid, query: usize) -> Range<usize> {
    let tokens = grid.tokens();
    match attention {
        Attention::Full => 0..tokens,
        Attention::Window(window) => query.saturating_sub(window)..query.saturating_add(window + 1).min(tokens),
        Attention::BlockCausal => {
            let per_frame = grid.rows * grid.cols;
            0..(query / per_frame + 1) * per_frame
        }
    }
}

/// The attention mask of a batch, `[B or 1, 1, N, N]`, true where a query (row) must not attend to a key (column);
/// `None` where every token attends to every other. True means masked, as in Burn's attention and in
/// `nn.MultiheadAttention`; PyTorch's `scaled_dot_product_attention` has it the other way round.
///
/// A padding position attends to itself alone, so that its softmax stays finite; nothing attends to it.
pub(super) fn attn_mask(layout: &BatchLayout, attention: Attention, device: &Device) -> Option<Tensor<4, Bool>> {
    let n = layout.length();
    let sequences = layout.sequences();
    let all_visible = match attention {
        Attention::Full => true,
        Attention::Window(window) => window >= n - 1,
        Attention::BlockCausal => sequences.iter().all(|s| s.grid.frames == 1),
    };
    if all_visible && !layout.has_padding() {
        return None;
    }
    // One mask serves the batch where all its sequences are alike.
    let alike = sequences.iter().all(|s| s.grid == sequences[0].grid);
    let distinct = if alike { &sequences[..1] } else { sequences };
    let mut masked = Vec::with_capacity(distinct.len() * n * n);
    for sequence in distinct {
        let tokens = sequence.grid.tokens();
        for query in 0..n {
            let visible = match query < tokens {
                true => visible_keys(attention, sequence.grid, query),
                false => query..query + 1,
            };
            masked.extend((0..n).map(|key| !visible.contains(&key)));
        }
    }
    let shape = [distinct.len(), 1, n, n];
    Some(Tensor::from_data(TensorData::new(masked, shape), device))
}
