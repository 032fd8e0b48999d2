//! Images and clips: reading and writing files, resizing, cropping, and the step between bytes and the values a network
//! sees.
//!
//! A [`Clip`] is a sequence of [`Image`]s of one size, and an image is a clip of one frame. An [`Image`] is
//! always 8-bit RGB; whatever a file may hold beyond that (alpha, 16 bits, a palette, an orientation tag) is dealt with
//! once, while [reading](read_image). A network sees values in [-1, 1], plane by plane; [`range`] is the only place that
//! converts between the two.
//!
//! Tokenizers are compared by the images they give back, so the resizing that comes before a model must be the very one
//! the model was trained and measured with. [`resize`] therefore follows two libraries to the digit: Pillow (on bytes
//! and on floats) and PyTorch's `interpolate` (with and without its antialiasing).

mod clip;
mod crop;
mod image;
mod make_grid;
pub mod range;
mod read;
pub mod resize;
mod side_by_side;
mod tensor;
mod text;
mod token_budget;
mod write;

pub use clip::{Clip, ClipShape};
pub use crop::{center_crop_guided_diffusion, longest_side};
pub use image::{Image, Size, byte_planes};
pub use make_grid::make_grid;
pub use range::{chw_to_image, image_to_chw};
pub use read::{
    Alpha, ClipOptions, ClipResize, READABLE_EXTENSIONS, ReadOptions, SixteenBits, Upright, decode_clip, decode_image,
    image_size, is_image_content, is_image_path, jumps_of_frames, read_clip, read_encoded, read_image,
};
pub use resize::{Filter, resize_f32_antialiased, resize_f32_pillow, resize_f32_plain, resize_u8};
pub use side_by_side::side_by_side;
pub use tensor::{clip_from_tensor, clip_to_tensor};
pub use token_budget::{resize_to_token_budget, token_budget_size};
pub use write::{WRITABLE_EXTENSIONS, check_writable, encode_image, write_image};
