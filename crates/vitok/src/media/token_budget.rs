//! Shrinking an image until its patches fit a number of tokens.

use super::{Filter, Image, Size, image_to_chw, resize_f32_antialiased};
use crate::{Error, Result};

/// The size at which an image of `size` has at most `max_tokens` patches of `patch` x `patch`
/// pixels, cut-off patches at the edges counted as whole ones.
///
/// An image that fits keeps its size. A larger one shrinks, its proportions kept as far as sides
/// of whole patches allow, by the rule of the ViTok-v2 reference. That rule overruns the budget
/// for a strip whose shorter side becomes a single patch; here the longer side is then cut to
/// `max_tokens` patches.
///
/// # Errors
/// [`Error::InvalidArgument`] if any argument is zero.
pub fn token_budget_size(size: Size, patch: usize, max_tokens: usize) -> Result<Size> {
    if size.pixels() == 0 || patch == 0 || max_tokens == 0 {
        return Err(Error::InvalidArgument(format!(
            "cannot fit {size} pixels in {max_tokens} tokens of {patch} x {patch} pixels: \
             nothing may be zero"
        )));
    }
    let columns = size.width.div_ceil(patch);
    let rows = size.height.div_ceil(patch);
    if columns.saturating_mul(rows) <= max_tokens {
        return Ok(size);
    }
    let scale = (max_tokens as f64 / (columns as f64 * rows as f64)).sqrt();
    let shrunk = |patches: usize| ((patches as f64 * scale) as usize).clamp(1, max_tokens);
    Ok(Size::new(
        (shrunk(columns) * patch).min(size.width),
        (shrunk(rows) * patch).min(size.height),
    ))
}

/// An image as a network sees it, shrunk to [`token_budget_size`] if it is larger: the planes as
/// in [`image_to_chw`], and their size.
///
/// The resizing is PyTorch's antialiased bicubic on the values in [-1, 1]; it may leave them a
/// little outside that range, as in the reference.
///
/// # Errors
/// [`Error::InvalidArgument`] if `patch` or `max_tokens` is zero.
pub fn resize_to_token_budget(image: &Image, patch: usize, max_tokens: usize) -> Result<(Vec<f32>, Size)> {
    let from = image.size();
    let to = token_budget_size(from, patch, max_tokens)?;
    let planes = image_to_chw(image);
    if to == from {
        return Ok((planes, to));
    }
    let resized = resize_f32_antialiased(&planes, from, to, Filter::Bicubic)?;
    Ok((resized, to))
}
