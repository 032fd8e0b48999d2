//! The frames of an animation.

use std::path::Path;

use super::EncodedImage;
use super::decoder::{DecodeResult, Decoder, Flaw};
use super::{ReadOptions, to_image};
use crate::media::{Clip, Image};
use crate::{Error, Result};

/// Reads the first `max_frames` frames of an animated GIF, PNG or WebP as a clip, each frame as it is shown: drawn over
/// what the frames before leave in place. A still image of any format is a clip of one frame. The clip's rate is the
/// mean one, where the file has durations: how long a single frame is shown is lost.
///
/// Frames are otherwise treated as in [`read_image`](super::read_image). The limit on pixels counts those of all frames
/// read.
///
/// # Errors
/// As [`read_image`](super::read_image); [`Error::ImageTooLarge`] too if the frames together exceed the limit, and
/// [`Error::InvalidArgument`] if `max_frames` is zero.
pub fn read_clip(path: &Path, options: &ReadOptions, max_frames: usize) -> Result<Clip> {
    decode(&EncodedImage::read(path, options)?, max_frames)
}

/// [`read_clip`] of a file that is in memory already; `name` is for messages.
///
/// # Errors
/// As [`read_clip`].
pub fn decode_clip(name: &Path, bytes: Vec<u8>, options: &ReadOptions, max_frames: usize) -> Result<Clip> {
    decode(&EncodedImage::of_bytes(name, bytes, options)?, max_frames)
}

fn decode(source: &EncodedImage<'_>, max_frames: usize) -> Result<Clip> {
    if max_frames == 0 {
        return Err(Error::InvalidArgument("cannot read 0 frames".to_owned()));
    }
    let (frames, fps) = source.decode(|decoder| collect(decoder, source, max_frames))?;
    Clip::new(frames, fps)
}

/// The frames, and how many are shown a second.
fn collect<'a>(
    decoder: Box<dyn Decoder<'a> + 'a>,
    source: &EncodedImage<'_>,
    max_frames: usize,
) -> DecodeResult<(Vec<Image>, Option<f64>)> {
    let (width, height) = decoder.size();
    let orientation = decoder.orientation();
    let mut images: Vec<Image> = Vec::new();
    let mut seconds = 0.0;
    for frame in decoder.frames()?.take(max_frames) {
        let frame = frame?;
        let frames = images.len() as u64 + 1;
        let pixels = u64::from(width) * u64::from(height);
        if pixels.saturating_mul(frames) > source.options.max_pixels {
            return Err(Flaw::Size { width, height, frames });
        }
        seconds += frame.seconds;
        images.push(to_image(frame.pixels, orientation, source)?);
    }
    if images.is_empty() {
        return Err(Flaw::Damaged("an animation without frames".into()));
    }
    let fps = (seconds > 0.0).then(|| images.len() as f64 / seconds);
    Ok((images, fps))
}
