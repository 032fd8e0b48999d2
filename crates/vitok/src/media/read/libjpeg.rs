//! libjpeg behind a safe door.
//!
//! libjpeg is C, so every call to it is `unsafe`. What makes the calls sound: a reader keeps the structures libjpeg points
//! into, and the file, as long as itself, in places that do not move; rows are written into buffers of the size that
//! libjpeg has computed. Errors leave libjpeg by unwinding, for which it is compiled, and end at [`guarded`].

use std::marker::PhantomData;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

pub(super) use mozjpeg_sys::J_COLOR_SPACE as ColorSpace;
use mozjpeg_sys::{
    JERR_BAD_PRECISION, JERR_CCIR601_NOTIMPL, JERR_CONVERSION_NOTIMPL, JERR_FRACT_SAMPLE_NOTIMPL, JERR_NOTIMPL,
    JERR_SOF_UNSUPPORTED, jpeg_common_struct, jpeg_create_decompress, jpeg_decompress_struct, jpeg_destroy_decompress,
    jpeg_error_mgr, jpeg_mem_src, jpeg_read_header, jpeg_read_scanlines, jpeg_start_decompress, jpeg_std_error,
};

use super::decoder::{Channels, Flaw, Pixels};

/// A JPEG whose header has been read.
pub(super) struct JpegReader<'a> {
    state: Box<jpeg_decompress_struct>,
    /// `state` points to it.
    _errors: Box<jpeg_error_mgr>,
    /// So does its source.
    _bytes: PhantomData<&'a [u8]>,
}

impl<'a> JpegReader<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Flaw> {
        // SAFETY: both are plain C structures, for which zero is a value of every field.
        let (mut errors, state) = unsafe { (Box::new(mem::zeroed::<jpeg_error_mgr>()), Box::new(mem::zeroed())) };
        // SAFETY: fills in the structure it is given.
        unsafe { jpeg_std_error(&mut errors) };
        errors.error_exit = Some(exit);
        errors.output_message = Some(ignore);
        let mut reader = Self {
            state,
            _errors: errors,
            _bytes: PhantomData,
        };
        reader.state.common.err = &mut *reader._errors;
        let state = &mut *reader.state;
        // SAFETY: `state` has its error handler; the source is as long as it says, and outlives the reader.
        guarded(|| unsafe {
            jpeg_create_decompress(state);
            jpeg_mem_src(state, bytes.as_ptr(), bytes.len() as _);
            jpeg_read_header(state, 1);
        })?;
        Ok(reader)
    }

    /// Width and height.
    pub(super) fn size(&self) -> (u32, u32) {
        (self.state.image_width, self.state.image_height)
    }

    /// The pixels: gray, RGB or CMYK by the number of components.
    ///
    /// The color space of the components is `stored`, or follows from the file's markers by libjpeg's rule. If it is said to
    /// be unknown, the components stay as they are.
    pub(super) fn decode(mut self, stored: Option<ColorSpace>) -> Result<Pixels, Flaw> {
        let as_it_is = stored == Some(ColorSpace::JCS_UNKNOWN);
        let (channels, converted) = match self.state.num_components {
            1 => (Channels::Gray, ColorSpace::JCS_GRAYSCALE),
            2 if as_it_is => (Channels::GrayAlpha, ColorSpace::JCS_UNKNOWN),
            3 => (Channels::Rgb, ColorSpace::JCS_RGB),
            4 => (Channels::Cmyk, ColorSpace::JCS_CMYK),
            n => return Err(Flaw::Unsupported(format!("{n} color components"))),
        };
        let (width, height) = self.size();
        let state = &mut *self.state;
        if let Some(stored) = stored {
            state.jpeg_color_space = stored;
        }
        state.out_color_space = if as_it_is { ColorSpace::JCS_UNKNOWN } else { converted };
        // SAFETY: the header has been read.
        guarded(|| unsafe { jpeg_start_decompress(state) })?;
        let stride = width as usize * channels.count();
        let computed = (
            state.output_width,
            state.output_height,
            state.output_components as usize,
        );
        if computed != (width, height, channels.count()) {
            return Err(Flaw::Damaged("its headers disagree about its size".into()));
        }
        let mut bytes = vec![0; stride * height as usize];
        let mut rows: Vec<*mut u8> = bytes.chunks_exact_mut(stride).map(<[u8]>::as_mut_ptr).collect();
        while state.output_scanline < height {
            let left = &mut rows[state.output_scanline as usize..];
            // SAFETY: each row has room for the components of `output_width` pixels.
            let read = guarded(|| unsafe { jpeg_read_scanlines(state, left.as_mut_ptr(), left.len() as u32) })?;
            if read == 0 {
                return Err(Flaw::CutShort);
            }
        }
        Ok(Pixels::bytes(width, height, channels, bytes))
    }
}

impl Drop for JpegReader<'_> {
    fn drop(&mut self) {
        // SAFETY: frees what libjpeg has allocated for `state`, at any time after it was created.
        unsafe { jpeg_destroy_decompress(&mut self.state) }
    }
}

/// What libjpeg has given up with.
struct Exit {
    code: i32,
    message: String,
}

/// libjpeg's way out of an error: it must not return.
extern "C-unwind" fn exit(state: &mut jpeg_common_struct) {
    // libjpeg's JMSG_LENGTH_MAX.
    let mut text = [0u8; 200];
    type Format = unsafe extern "C-unwind" fn(*mut jpeg_common_struct, *mut u8);
    // SAFETY: the error handler outlives the reader; the function takes the text's address, which the bindings describe as
    // a reference to fewer bytes than it may write.
    let code = unsafe {
        let errors = &*state.err;
        if let Some(format) = errors.format_message {
            let format: Format = mem::transmute(format);
            format(ptr::from_mut(state), text.as_mut_ptr());
        }
        errors.msg_code
    };
    let length = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
    let message = String::from_utf8_lossy(&text[..length]).into_owned();
    // Not a panic: no hook is called, so nothing is printed.
    resume_unwind(Box::new(Exit { code, message }))
}

/// Warnings are what other readers pass over too.
extern "C-unwind" fn ignore(_: &mut jpeg_common_struct) {}

/// Runs a call into libjpeg.
fn guarded<T>(call: impl FnOnce() -> T) -> Result<T, Flaw> {
    // After an error libjpeg's structures are only destroyed.
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| match payload.downcast::<Exit>() {
        Ok(exit) => flaw(*exit),
        Err(panic) => resume_unwind(panic),
    })
}

fn flaw(exit: Exit) -> Flaw {
    match exit.code {
        JERR_BAD_PRECISION
        | JERR_CCIR601_NOTIMPL
        | JERR_CONVERSION_NOTIMPL
        | JERR_FRACT_SAMPLE_NOTIMPL
        | JERR_NOTIMPL
        | JERR_SOF_UNSUPPORTED => Flaw::Unsupported(exit.message),
        _ => Flaw::Damaged(exit.message),
    }
}
