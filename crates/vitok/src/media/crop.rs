//! The two ways evaluation sets of images are brought to one size.

use super::{Filter, Image, Size, resize_u8};
use crate::{Error, Result};

/// The middle `size` x `size` pixels, the shorter side first resized to `size`.
///
/// The rule is `center_crop_arr` of OpenAI's guided-diffusion, by which ImageNet figures are
/// compared: halve with [`Filter::Box`] while the shorter side is at least twice `size`, go the
/// rest with [`Filter::Bicubic`], then cut out the middle. A smaller image is enlarged.
///
/// # Errors
/// [`Error::InvalidArgument`] if `size` is zero, or if the image is so elongated that the resized one
/// would be absurdly large.
pub fn center_crop_guided_diffusion(image: &Image, size: usize) -> Result<Image> {
    check(size)?;
    let mut halved = None;
    loop {
        let current = halved.as_ref().unwrap_or(image);
        if current.size().shortest() / 2 < size {
            break;
        }
        let half = Size::new(current.width() / 2, current.height() / 2);
        halved = Some(resize_u8(current, half, Filter::Box)?);
    }
    let image = halved.as_ref().unwrap_or(image);
    let scale = size as f64 / image.size().shortest() as f64;
    let resized = resize_u8(image, scaled(image.size(), scale), Filter::Bicubic)?;
    let x = (resized.width() - size) / 2;
    let y = (resized.height() - size) / 2;
    resized.crop(x, y, size, size)
}

/// The whole image with its longer side resized to `size` by [`Filter::Lanczos`]; the other
/// side follows, rounded, and is at least 1. A smaller image is enlarged.
///
/// # Errors
/// [`Error::InvalidArgument`] if `size` is zero or absurdly large.
pub fn longest_side(image: &Image, size: usize) -> Result<Image> {
    check(size)?;
    let scale = size as f64 / image.size().longest() as f64;
    resize_u8(image, scaled(image.size(), scale), Filter::Lanczos)
}

fn check(size: usize) -> Result<()> {
    if size == 0 {
        return Err(Error::InvalidArgument("cannot resize to 0 pixels".to_owned()));
    }
    Ok(())
}

/// Both sides times `scale`, rounded as Python rounds: halves to the even neighbor.
fn scaled(size: Size, scale: f64) -> Size {
    let side = |length: usize| ((length as f64 * scale).round_ties_even() as usize).max(1);
    Size::new(side(size.width), side(size.height))
}
