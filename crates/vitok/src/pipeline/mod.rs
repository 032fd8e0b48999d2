//! Many files through a tokenizer: read ahead, computed in batches and written in their order, while a failure does not
//! stop the rest.
//!
//! ```text
//! inputs -> Jobs (which file goes where) -> read, on threads -> batch -> tokenizer -> write, on a thread that follows
//! ```

mod conflicts;
mod decode;
mod encode;
mod jobs;
mod reconstruct;
mod run;

pub use decode::{DecodeOptions, DecodedFile, decode_files};
pub use encode::{EncodeOptions, EncodedFile, encode_files};
pub use reconstruct::{ReconstructOptions, ReconstructedFile, reconstruct_files};
pub use run::{FailedFile, FileResults, named};
