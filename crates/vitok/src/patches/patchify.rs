//! Cutting clips into tubelets and putting them back: exact inverses at every size.
//!
//! A flattened tubelet is ordered (color, frame, row, column), so that the linear layers on
//! either side equal the paper's 3D convolution and its transpose, and v2's patch layers for q = 1.

use burn::tensor::Tensor;

use super::{BatchLayout, Sequence, TokenBatch, TokenGrid};
use crate::media::ClipShape;
use crate::patches::Tubelet;
use crate::{Error, Result};

/// Cuts clips `[C, T, H, W]`, of any sizes, into one batch of patches `[B, N, C*q*p*p]`.
///
/// A clip is padded with 0 (mid-gray) at its end in time, at the bottom and at the right to whole
/// tubelets; sequences are padded to the longest, or to `pad_to` tokens.
///
/// # Errors
/// [`Error::InvalidArgument`] for no clips, an empty clip, or `pad_to` below the longest sequence.
pub fn patchify(clips: &[Tensor<4>], tubelet: Tubelet, pad_to: Option<usize>) -> Result<TokenBatch> {
    let sequences = clips
        .iter()
        .map(|clip| {
            let [_, frames, height, width] = clip.dims();
            let shape = ClipShape { frames, height, width };
            Sequence {
                shape,
                grid: TokenGrid::covering(shape, tubelet),
            }
        })
        .collect();
    let mut layout = BatchLayout::new(sequences)?;
    if let Some(length) = pad_to {
        layout = layout.padded_to(length)?;
    }
    let alike = clips.iter().all(|c| c.dims() == clips[0].dims());
    let tokens = if alike {
        let tokens = cut(Tensor::stack(clips.to_vec(), 0), layout.sequences()[0], tubelet);
        lengthen(tokens, layout.length())
    } else {
        let sequences = clips
            .iter()
            .zip(layout.sequences())
            .map(|(clip, sequence)| {
                let tokens = cut(clip.clone().unsqueeze_dim(0), *sequence, tubelet);
                lengthen(tokens, layout.length())
            })
            .collect();
        Tensor::cat(sequences, 0)
    };
    Ok(TokenBatch { tokens, layout })
}

/// Puts patches `[B, N, C*q*p*p]` back together: clips `[C, T, H, W]` of their original sizes.
///
/// # Errors
/// [`Error::InvalidArgument`] if the patches do not hold whole tubelets.
pub fn unpatchify(batch: &TokenBatch, tubelet: Tubelet) -> Result<Vec<Tensor<4>>> {
    let runs = unpatchify_runs(batch, tubelet)?.into_iter();
    let clips = runs.flat_map(|run| {
        let clips = run.dims()[0];
        (0..clips).map(move |i| run.clone().narrow(0, i, 1).squeeze_dim(0))
    });
    Ok(clips.collect())
}

/// [`unpatchify`], with clips of one size that follow each other left together: `[n, C, T, H, W]`.
///
/// # Errors
/// [`Error::InvalidArgument`] if the patches do not hold whole tubelets.
pub fn unpatchify_runs(batch: &TokenBatch, tubelet: Tubelet) -> Result<Vec<Tensor<5>>> {
    let [_, _, values] = batch.tokens.dims();
    let Tubelet { frames: q, patch: p } = tubelet;
    if values == 0 || !values.is_multiple_of(q * p * p) {
        return Err(Error::InvalidArgument(format!(
            "patches of {values} values are not tubelets of {q} x {p} x {p} pixels"
        )));
    }
    let mut start = 0;
    let runs = batch.layout.sequences().chunk_by(|a, b| a == b).map(|run| {
        let tokens = batch.tokens.clone().narrow(0, start, run.len());
        start += run.len();
        join(tokens.narrow(1, 0, run[0].grid.tokens()), run[0], tubelet)
    });
    Ok(runs.collect())
}

/// `[B, C, T, H, W]` -> `[B, L, C*q*p*p]`.
fn cut(clips: Tensor<5>, sequence: Sequence, tubelet: Tubelet) -> Tensor<3> {
    let [b, c, ..] = clips.dims();
    let Tubelet { frames: q, patch: p } = tubelet;
    let TokenGrid { frames, rows, cols } = sequence.grid;
    let clips = lengthen_axis(clips, 2, frames * q);
    let clips = lengthen_axis(clips, 3, rows * p);
    let clips = lengthen_axis(clips, 4, cols * p);
    clips
        .reshape([b, c, frames, q, rows, p, cols, p])
        .permute([0, 2, 4, 6, 1, 3, 5, 7]) // [B, frames, rows, cols, C, q, p, p]
        .reshape([b, frames * rows * cols, c * q * p * p])
}

/// `[n, L, C*q*p*p]` -> `[n, C, T, H, W]`.
fn join(tokens: Tensor<3>, sequence: Sequence, tubelet: Tubelet) -> Tensor<5> {
    let Tubelet { frames: q, patch: p } = tubelet;
    let TokenGrid { frames, rows, cols } = sequence.grid;
    let [n, _, values] = tokens.dims();
    let c = values / (q * p * p);
    let ClipShape {
        frames: t,
        height,
        width,
    } = sequence.shape;
    tokens
        .reshape([n, frames, rows, cols, c, q, p, p])
        .permute([0, 4, 1, 5, 2, 6, 3, 7]) // [n, C, frames, q, rows, p, cols, p]
        .reshape([n, c, frames * q, rows * p, cols * p])
        .slice([0..n, 0..c, 0..t, 0..height, 0..width])
}

/// Pads sequences `[B, L, D]` with 0 to `[B, length, D]`.
pub(crate) fn lengthen(tokens: Tensor<3>, length: usize) -> Tensor<3> {
    lengthen_axis(tokens, 1, length)
}

fn lengthen_axis<const D: usize>(x: Tensor<D>, axis: usize, length: usize) -> Tensor<D> {
    let mut shape = x.dims();
    if shape[axis] == length {
        return x;
    }
    shape[axis] = length - shape[axis];
    let zeros = Tensor::zeros(shape, &x.device());
    Tensor::cat(vec![x, zeros], axis)
}
