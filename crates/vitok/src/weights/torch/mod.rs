//! Files of `torch.save`, and pickled numpy arrays.
//!
//! Pickles are programs. Here they run on a machine that knows the few functions a weight file needs and refuses all
//! others by name, so a hostile file is an error and never more than that.

mod container;
mod elements;
mod heap;
mod naming;
mod objects;
mod pickle;

pub(super) use container::{read_pickles, read_zip};
pub(super) use pickle::PROTO;

/// Shorthand inside this module, where the file's name is not known.
pub(super) type Outcome<T> = std::result::Result<T, String>;

/// A name out of a file that may be hostile, as it may stand in a message.
fn shown(text: &str) -> String {
    /// Enough to tell what it is.
    const LONGEST: usize = 100;
    let plain = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    plain.take(LONGEST).collect()
}
