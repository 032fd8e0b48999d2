//! Down and up again.

use super::CodeSize;
use crate::Result;
use crate::media::{Clip, ClipShape, Filter, Image, Size, resize_u8};
use crate::tokenizer::{Codec, Reconstruction};

/// Every frame through a small one of as many RGB values as it may keep: Pillow's antialiased bicubic down to
/// [`bicubic_size`], and bicubic up, rounded to bytes at each step.
#[derive(Clone, Copy, Debug)]
pub struct Bicubic {
    /// How many values it may keep of a clip.
    pub size: CodeSize,
}

/// The size nearest to the proportions of `size` whose RGB values are `values` at least: the baseline never gets fewer
/// numbers than the tokenizer it stands beside, and no more than it must.
pub fn bicubic_size(size: Size, values: usize) -> Size {
    let pixels = values.div_ceil(3).max(1);
    if pixels >= size.pixels() {
        return size;
    }
    let scale = (pixels as f64 / size.pixels() as f64).sqrt();
    let width = ((size.width as f64 * scale).round() as usize).clamp(1, size.width);
    // Of the widths nearby, the one that wastes least.
    let candidates = [width.saturating_sub(1).max(1), width, (width + 1).min(size.width)];
    let sizes = candidates.map(|width| Size::new(width, pixels.div_ceil(width).min(size.height)));
    let fits = |s: &&Size| s.pixels() >= pixels;
    let best = sizes.iter().filter(fits).min_by_key(|s| s.pixels());
    best.copied().unwrap_or(size)
}

impl Bicubic {
    /// The small size of each frame of a clip, of which all together have the values.
    fn small(&self, clip: &Clip) -> Size {
        let shape = clip.shape();
        bicubic_size(clip.size(), self.size.values(shape).div_ceil(shape.frames))
    }
}

impl Codec for Bicubic {
    fn name(&self) -> String {
        "bicubic".into()
    }

    fn reconstruct(&self, clips: &[Clip]) -> Result<Vec<Reconstruction>> {
        let one = |clip: &Clip| -> Result<Reconstruction> {
            let small = self.small(clip);
            let values = 3 * small.pixels() * clip.frames().len();
            let down_up = |frame: Image| {
                let size = frame.size();
                resize_u8(&resize_u8(&frame, small, Filter::Bicubic)?, size, Filter::Bicubic)
            };
            Ok(Reconstruction {
                clip: clip.clone().map(down_up)?,
                values: Some(values),
                bytes: values,
                quality: None,
            })
        };
        clips.iter().map(one).collect()
    }

    fn tokens(&self, shape: ClipShape) -> usize {
        self.size.tokens(shape)
    }
}
