//! From an image file to a clip of the wanted size.

use std::path::Path;

use vitok::Result;
use vitok::patches::ClipShape;
use vitok::media::{Image, ReadOptions, center_crop_guided_diffusion, chw_to_image, longest_side, image_size, read_animation, read_image, resize_to_token_budget};

use crate::args::ImageArgs;

/// Reads an image, or the frames of an animation, and resizes as the options say. Frames have a
/// rate, where the file has one.
pub fn read_clip(
    path: &Path,
    args: &ImageArgs,
    patch: usize,
) -> Result<(Vec<Image>, Option<f64>)> {
    let options = options(args);
    let (frames, fps) = match args.frames {
        1 => (vec![read_image(path, &options)?], None),
        most => read_animation(path, &options, most)?,
    };
    let prepare = |frame: Image| match (args.center_crop, args.longest_side, args.max_tokens) {
        (Some(size), _, _) => center_crop_guided_diffusion(&frame, size),
        (_, Some(size), _) => longest_side(&frame, size),
        (_, _, Some(tokens)) => {
            // Rounded to bytes, so that the original a reconstruction is held against is an image.
            let (planes, size) = resize_to_token_budget(&frame, patch, tokens)?;
            chw_to_image(&planes, size.width, size.height)
        }
        _ => Ok(frame),
    };
    let frames: Result<Vec<Image>> = frames.into_iter().map(prepare).collect();
    Ok((frames?, fps))
}

/// About how many bytes [`read_clip`] takes for a file: those of its pixels, as the header has them.
pub fn size_hint(path: &Path, args: &ImageArgs) -> u64 {
    // What has no size will fail when it is read.
    let pixels = image_size(path, &options(args)).map_or(0, |size| size.pixels() as u64);
    let frames = args.frames as u64;
    3 * pixels.saturating_mul(frames).min(args.max_pixels)
}

fn options(args: &ImageArgs) -> ReadOptions {
    ReadOptions {
        max_pixels: args.max_pixels,
        ..Default::default()
    }
}

/// The size of a clip.
pub fn extent(frames: &[Image]) -> ClipShape {
    ClipShape {
        frames: frames.len(),
        height: frames[0].height(),
        width: frames[0].width(),
    }
}
