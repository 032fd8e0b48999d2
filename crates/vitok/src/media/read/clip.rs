//! From a file to a clip of the wanted size.

use std::path::Path;

use super::{ReadOptions, decode_clip, decode_image, image_size, read_clip, read_image};
use crate::Result;
use crate::media::{Clip, Image, center_crop_guided_diffusion, chw_to_image, longest_side, resize_to_token_budget};

/// How files become clips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipOptions {
    /// What to do beyond decoding.
    pub read: ReadOptions,
    /// Most frames of an animation; 1 reads a still image.
    pub max_frames: usize,
    /// To which size; none: clips keep theirs.
    pub resize: Option<ClipResize>,
}

/// The ways to bring clips to a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClipResize {
    /// The middle square of this many pixels, as guided diffusion crops ([`center_crop_guided_diffusion`]).
    CenterCrop(usize),
    /// The longer side to this many pixels ([`longest_side`]).
    LongestSide(usize),
    /// Smaller, until a frame has at most this many tokens ([`resize_to_token_budget`]).
    MaxTokens(usize),
}

/// Still images of their own size.
impl Default for ClipOptions {
    fn default() -> Self {
        Self {
            read: ReadOptions::default(),
            max_frames: 1,
            resize: None,
        }
    }
}

impl ClipOptions {
    /// Reads a clip. `patch` is the side of a token in pixels, which [`ClipResize::MaxTokens`] counts in.
    ///
    /// # Errors
    /// As [`read_image`] and [`read_clip`].
    pub fn read(&self, path: &Path, patch: usize) -> Result<Clip> {
        let clip = match self.max_frames {
            1 => read_image(path, &self.read)?.into(),
            most => read_clip(path, &self.read, most)?,
        };
        clip.map(|frame| self.resized(frame, patch))
    }

    /// [`read`](Self::read) of a file that is in memory already; `name` is for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn decode(&self, name: &Path, bytes: Vec<u8>, patch: usize) -> Result<Clip> {
        let clip = match self.max_frames {
            1 => decode_image(name, bytes, &self.read)?.into(),
            most => decode_clip(name, bytes, &self.read, most)?,
        };
        clip.map(|frame| self.resized(frame, patch))
    }

    fn resized(&self, frame: Image, patch: usize) -> Result<Image> {
        match self.resize {
            Some(ClipResize::CenterCrop(size)) => center_crop_guided_diffusion(&frame, size),
            Some(ClipResize::LongestSide(size)) => longest_side(&frame, size),
            Some(ClipResize::MaxTokens(tokens)) => {
                // Rounded to bytes, so that the original a reconstruction is held against is an image.
                let (planes, size) = resize_to_token_budget(&frame, patch, tokens)?;
                chw_to_image(&planes, size.width, size.height)
            }
            None => Ok(frame),
        }
    }

    /// About how many bytes [`read`](Self::read) takes for a file: those of its pixels, as the header has them.
    pub fn size_hint(&self, path: &Path) -> u64 {
        // What has no size will fail when it is read.
        let pixels = image_size(path, &self.read).map_or(0, |size| size.pixels() as u64);
        3 * pixels.saturating_mul(self.max_frames as u64).min(self.read.max_pixels)
    }
}
