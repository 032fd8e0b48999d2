//! The frames of an animation.

use std::io::Cursor;
use std::path::Path;
use std::time::Duration;

use image::codecs::gif::GifDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{AnimationDecoder, ColorType, Frames, ImageDecoder, ImageFormat};

use super::color::to_rgb;
use super::{EncodedImage, ReadOptions};
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
    EncodedImage::read(path, options)?.frames(options, max_frames)
}

/// [`read_clip`] of a file that is in memory already; `name` is for messages.
///
/// # Errors
/// As [`read_clip`].
pub fn decode_clip(name: &Path, bytes: Vec<u8>, options: &ReadOptions, max_frames: usize) -> Result<Clip> {
    EncodedImage::of_bytes(name, bytes, options)?.frames(options, max_frames)
}

fn decode(source: &EncodedImage<'_>, options: &ReadOptions, max_frames: usize) -> Result<Clip> {
    if max_frames == 0 {
        return Err(Error::InvalidArgument("cannot read 0 frames".to_owned()));
    }
    let bytes = Cursor::new(source.bytes.as_slice());
    let failed = |e| source.decoding_error(e);
    let still = match source.format {
        ImageFormat::Gif => {
            let mut decoder = GifDecoder::new(bytes).map_err(failed)?;
            let orientation = source.prepare(&mut decoder)?;
            let frames = decoder.into_frames();
            return source.collect(frames, orientation, options, max_frames);
        }
        ImageFormat::WebP => {
            let mut decoder = WebPDecoder::new(bytes).map_err(failed)?;
            if decoder.has_animation() {
                let orientation = source.prepare(&mut decoder)?;
                let frames = decoder.into_frames();
                return source.collect(frames, orientation, options, max_frames);
            }
            Box::new(decoder) as Box<dyn ImageDecoder>
        }
        ImageFormat::Png => {
            let mut decoder = source.png()?;
            if decoder.is_apng().map_err(failed)? {
                let orientation = source.prepare(&mut decoder)?;
                let frames = decoder.apng().map_err(failed)?.into_frames();
                return source.collect(frames, orientation, options, max_frames);
            }
            Box::new(decoder) as Box<dyn ImageDecoder>
        }
        _ => source.decoder()?,
    };
    Ok(source.decode_still(still, options)?.into())
}

impl EncodedImage<'_> {
    fn frames(&self, options: &ReadOptions, max_frames: usize) -> Result<Clip> {
        if max_frames == 0 {
            return Err(Error::InvalidArgument("cannot read 0 frames".to_owned()));
        }
        self.guarded(|| decode(self, options, max_frames))
    }

    /// The checks before decoding; returns how the frames are to be turned.
    fn prepare(&self, decoder: &mut impl ImageDecoder) -> Result<Orientation> {
        let size = decoder.dimensions();
        self.check_size(size)?;
        self.check_whole()?;
        decoder
            .set_limits(self.limits(size))
            .and_then(|()| decoder.orientation())
            .map_err(|e| self.decoding_error(e))
    }

    fn collect(
        &self,
        frames: Frames<'_>,
        orientation: Orientation,
        options: &ReadOptions,
        max_frames: usize,
    ) -> Result<Clip> {
        let mut images: Vec<Image> = Vec::new();
        let mut seconds = 0.0;
        for frame in frames.take(max_frames) {
            let frame = frame.map_err(|e| self.decoding_error(e))?;
            seconds += Duration::from(frame.delay()).as_secs_f64();
            let frame = frame.into_buffer();
            let (width, height) = frame.dimensions();
            let pixels = u64::from(width) * u64::from(height);
            let count = images.len() as u64 + 1;
            if pixels.saturating_mul(count) > self.max_pixels() {
                return Err(Error::ImageTooLarge {
                    path: self.path.to_owned(),
                    width,
                    height,
                    frames: count,
                    limit: self.max_pixels(),
                });
            }
            let rgb =
                to_rgb(frame.into_raw(), ColorType::Rgba8, options.alpha).map_err(|reason| self.refused(reason))?;
            let image = self.turned(rgb, width, height, orientation, options)?;
            images.push(image);
        }
        if images.is_empty() {
            return Err(self.refused("an animation without frames".to_owned()));
        }
        let fps = (seconds > 0.0).then(|| images.len() as f64 / seconds);
        Clip::new(images, fps).map_err(|error| self.refused(error.message()))
    }
}
