//! From a picture file to a clip of the wanted size.

use std::path::Path;

use vitok::Result;
use vitok::patches::Extent;
use vitok::pixels::{
    Picture, ReadOptions, centre_crop_guided_diffusion, chw_to_picture, longest_side, picture_size,
    read_animation, read_picture, resize_to_token_budget,
};

use crate::args::PictureArgs;

/// Reads a picture, or the frames of an animation, and resizes as the options say. Frames have a
/// rate, where the file has one.
pub fn read_clip(
    path: &Path,
    args: &PictureArgs,
    patch: usize,
) -> Result<(Vec<Picture>, Option<f64>)> {
    let options = options(args);
    let (frames, fps) = match args.frames {
        1 => (vec![read_picture(path, &options)?], None),
        most => read_animation(path, &options, most)?,
    };
    let prepare = |frame: Picture| match (args.centre_crop, args.longest_side, args.max_tokens) {
        (Some(size), _, _) => centre_crop_guided_diffusion(&frame, size),
        (_, Some(size), _) => longest_side(&frame, size),
        (_, _, Some(tokens)) => {
            // Rounded to bytes, so that the original a reconstruction is held against is a picture.
            let (planes, size) = resize_to_token_budget(&frame, patch, tokens)?;
            chw_to_picture(&planes, size.width, size.height)
        }
        _ => Ok(frame),
    };
    let frames: Result<Vec<Picture>> = frames.into_iter().map(prepare).collect();
    Ok((frames?, fps))
}

/// About how many bytes [`read_clip`] takes for a file: those of its pixels, as the header has them.
pub fn weigh(path: &Path, args: &PictureArgs) -> u64 {
    // What has no size will fail when it is read.
    let pixels = picture_size(path, &options(args)).map_or(0, |size| size.pixels() as u64);
    let frames = args.frames as u64;
    3 * pixels.saturating_mul(frames).min(args.max_pixels)
}

fn options(args: &PictureArgs) -> ReadOptions {
    ReadOptions {
        max_pixels: args.max_pixels,
        ..Default::default()
    }
}

/// The size of a clip.
pub fn extent(frames: &[Picture]) -> Extent {
    Extent {
        frames: frames.len(),
        height: frames[0].height(),
        width: frames[0].width(),
    }
}
