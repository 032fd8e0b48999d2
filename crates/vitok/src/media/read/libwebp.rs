//! libwebp behind a safe door.
//!
//! libwebp is C, so every call to it is `unsafe`. What makes the calls sound: the file outlives what libwebp makes of it
//! and points into it, and buffers have the size that libwebp is told.

use std::ffi::c_int;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};
use std::slice;

use libwebp_sys::*;

/// The parts of a WebP file.
pub(super) struct Demuxer<'a> {
    demuxer: NonNull<WebPDemuxer>,
    bytes: &'a [u8],
}

impl<'a> Demuxer<'a> {
    /// None if the file is not whole or breaks the rules.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let data = data(bytes);
        // SAFETY: the data are as long as they say; no state is asked for, and no part of a file allowed.
        let demuxer = unsafe { WebPDemuxInternal(&data, 0, ptr::null_mut(), WEBP_DEMUX_ABI_VERSION as c_int) };
        NonNull::new(demuxer).map(|demuxer| Self { demuxer, bytes })
    }

    /// Width and height of the canvas.
    pub(super) fn size(&self) -> (u32, u32) {
        (
            self.feature(WebPFormatFeature::WEBP_FF_CANVAS_WIDTH),
            self.feature(WebPFormatFeature::WEBP_FF_CANVAS_HEIGHT),
        )
    }

    pub(super) fn is_animated(&self) -> bool {
        self.has(WebPFeatureFlags::ANIMATION_FLAG)
    }

    pub(super) fn has_alpha(&self) -> bool {
        self.has(WebPFeatureFlags::ALPHA_FLAG)
    }

    fn has(&self, flag: WebPFeatureFlags) -> bool {
        self.feature(WebPFormatFeature::WEBP_FF_FORMAT_FLAGS) & flag as u32 != 0
    }

    fn feature(&self, feature: WebPFormatFeature) -> u32 {
        // SAFETY: the demuxer lives as long as `self`.
        unsafe { WebPDemuxGetI(self.demuxer.as_ptr(), feature) }
    }

    /// The first chunk of metadata of a kind: `EXIF`, `XMP `.
    pub(super) fn metadata(&self, kind: &[u8; 4]) -> Option<&'a [u8]> {
        let mut chunk = MaybeUninit::<WebPChunkIterator>::zeroed();
        // SAFETY: the kind has the four characters that are read; libwebp fills in the iterator where it finds a chunk. The
        // chunk lies in the file.
        unsafe {
            let found = WebPDemuxGetChunk(self.demuxer.as_ptr(), kind.as_ptr().cast(), 1, chunk.as_mut_ptr());
            let mut chunk = chunk.assume_init();
            let content = (found != 0).then(|| slice::from_raw_parts(chunk.chunk.bytes, chunk.chunk.size));
            WebPDemuxReleaseChunkIterator(&mut chunk);
            content
        }
    }

    /// The pixels of a still image: RGBA, or RGB if it has no alpha.
    pub(super) fn decode(&self) -> Option<Vec<u8>> {
        let (width, height) = self.size();
        let (mut image_width, mut image_height) = (0, 0);
        let bytes = self.bytes;
        // SAFETY: the data are as long as they say.
        let known = unsafe { WebPGetInfo(bytes.as_ptr(), bytes.len(), &mut image_width, &mut image_height) };
        if known == 0 || (image_width as u32, image_height as u32) != (width, height) {
            return None;
        }
        let stride = width as usize * if self.has_alpha() { 4 } else { 3 };
        let mut pixels = vec![0; stride * height as usize];
        let decode = if self.has_alpha() {
            WebPDecodeRGBAInto
        } else {
            WebPDecodeRGBInto
        };
        // SAFETY: the buffer is as long as it says.
        let done = unsafe {
            decode(
                bytes.as_ptr(),
                bytes.len(),
                pixels.as_mut_ptr(),
                pixels.len(),
                c_int::try_from(stride).ok()?,
            )
        };
        (!done.is_null()).then_some(pixels)
    }
}

impl Drop for Demuxer<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing points to it any more.
        unsafe { WebPDemuxDelete(self.demuxer.as_ptr()) }
    }
}

/// The frames of an animation, drawn on its canvas.
pub(super) struct AnimationDecoder<'a> {
    decoder: NonNull<WebPAnimDecoder>,
    /// Bytes of the canvas.
    length: usize,
    _bytes: PhantomData<&'a [u8]>,
}

impl<'a> AnimationDecoder<'a> {
    /// None if the file is not whole or breaks the rules. Allocates two canvases.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let data = data(bytes);
        let mut info = MaybeUninit::<WebPAnimInfo>::zeroed();
        let version = WEBP_DEMUX_ABI_VERSION as c_int;
        let mut options = MaybeUninit::<WebPAnimDecoderOptions>::zeroed();
        // SAFETY: the options are filled in before they are used, the data are as long as they say, and the decoder is
        // checked before it is asked.
        unsafe {
            if WebPAnimDecoderOptionsInitInternal(options.as_mut_ptr(), version) == 0 {
                return None;
            }
            let decoder = NonNull::new(WebPAnimDecoderNewInternal(&data, options.as_ptr(), version))?;
            WebPAnimDecoderGetInfo(decoder.as_ptr(), info.as_mut_ptr());
            let info = info.assume_init();
            Some(Self {
                decoder,
                length: info.canvas_width as usize * info.canvas_height as usize * 4,
                _bytes: PhantomData,
            })
        }
    }

    pub(super) fn has_more(&self) -> bool {
        // SAFETY: the decoder lives as long as `self`.
        unsafe { WebPAnimDecoderHasMoreFrames(self.decoder.as_ptr()) != 0 }
    }

    /// The RGBA canvas with the next frame, and the time at which it ends in milliseconds. None if it cannot be decoded.
    pub(super) fn next(&mut self) -> Option<(Vec<u8>, i32)> {
        let (mut canvas, mut end) = (ptr::null_mut(), 0);
        // SAFETY: the canvas belongs to the decoder, and is copied before the decoder is asked again.
        unsafe {
            let done = WebPAnimDecoderGetNext(self.decoder.as_ptr(), &mut canvas, &mut end);
            (done != 0).then(|| (slice::from_raw_parts(canvas, self.length).to_vec(), end))
        }
    }
}

impl Drop for AnimationDecoder<'_> {
    fn drop(&mut self) {
        // SAFETY: nothing points to it any more.
        unsafe { WebPAnimDecoderDelete(self.decoder.as_ptr()) }
    }
}

fn data(bytes: &[u8]) -> WebPData {
    WebPData {
        bytes: bytes.as_ptr(),
        size: bytes.len(),
    }
}
