//! Pictures: reading and writing files, resizing, cropping, and the step between bytes and the
//! values a network sees.
//!
//! A [`Picture`] is always 8-bit RGB. Everything a file may hold beyond that (alpha, 16 bits, a
//! palette, an orientation tag) is dealt with once, while [reading](read_picture). A network sees
//! values in [-1, 1], plane by plane; [`range`] is the only place that converts between the two.
//!
//! Tokenizers are compared by the pictures they give back, so the resizing that comes before a
//! model must be the very one the model was trained and measured with. [`resize`] therefore
//! follows two libraries to the digit: Pillow (on bytes and on floats) and PyTorch's
//! `interpolate` (with and without its antialiasing).

mod budget;
mod clip;
mod compare;
mod crop;
mod grid;
mod picture;
pub mod range;
mod read;
pub mod resize;
mod write;

pub use budget::{resize_to_token_budget, token_budget_size};
pub use clip::{clip_from_pictures, clips_of_images, pictures_from_clip};
pub use compare::side_by_side;
pub use crop::{centre_crop_guided_diffusion, longest_side};
pub use grid::picture_grid;
pub use picture::{Picture, Size};
pub use range::{chw_to_picture, picture_to_chw};
pub use read::{
    Alpha, READABLE_EXTENSIONS, ReadOptions, find_pictures, is_picture_path, picture_from_bytes,
    picture_size, read_animation, read_frames, read_picture,
};
pub use resize::{Filter, resize_f32_antialiased, resize_f32_pillow, resize_f32_plain, resize_u8};
pub use write::{WRITABLE_EXTENSIONS, check_writable, encode_picture, write_picture};
