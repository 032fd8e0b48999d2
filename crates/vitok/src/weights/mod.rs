//! Everything that is a file of tensors, and where such files come from.
//!
//! - [`TensorFile`], [`write_tensors`]: safetensors, read tensor by tensor and written as a stream;
//! - [`read_state_dict`]: weights of published networks of any kind: safetensors, `torch.save`, pickled numpy arrays;
//! - `npy`: numpy's `.npy` and `.npz`;
//! - [`hub`]: models from the Hugging Face hub;
//! - [`pretrained`]: the weights that metrics are made with.

mod download;
mod dtype;
mod float8;
pub mod hub;
pub(crate) mod npy;
pub mod pretrained;
mod range;
mod read;
mod safetensors_file;
mod state_dict;
mod torch;

pub use dtype::Dtype;
pub use range::Underflow;
pub(crate) use range::first_beyond;
pub use read::read_state_dict;
pub(crate) use safetensors_file::out_of_range;
pub use safetensors_file::{NewTensor, TensorFile, write_tensors};
pub use state_dict::{Array, StateDict};
