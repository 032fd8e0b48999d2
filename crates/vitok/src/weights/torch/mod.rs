//! Files of `torch.save`, and pickled numpy arrays.
//!
//! Pickles are programs. Here they run on a machine that knows the few functions a weight file needs and refuses all
//! others by name, so a hostile file is an error and never more than that.
//!
//! ```text
//! container.rs   which container; where its pickle and its storages lie
//! naming.rs      from the values to named arrays
//! pickle.rs      what each operation of a pickle does: bytes to values
//! objects.rs     the functions it may call: tensors, numpy arrays, ordered dictionaries
//! machine.rs     the stack machine it is a program for
//! heap.rs        the values, which refer to each other by number
//! global.rs      the names of those functions
//! strided.rs     shapes and strides: from bytes to row-major f32
//! ```
//!
//! Each file uses only files below it. Errors are reasons without the file's name, which who calls puts before them.

mod container;
mod global;
mod heap;
mod machine;
mod naming;
mod objects;
mod pickle;
mod printable;
mod strided;

pub(super) use container::{read_pickles, read_zip};
pub(super) use pickle::PROTO;
