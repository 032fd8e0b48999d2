//! Downloads of one file: counted, watched for silence, tried again from where they broke off.
//!
//! [`download`] makes the attempts, each in a thread of its own, and tells the observer from the
//! caller's. [`Request`] is what a server is asked, [`Part`] a file on disk that is not whole yet, and how it grows.

mod failure;
mod part;
mod progress;
mod request;
mod retry;

pub(super) use failure::Failure;
pub(super) use part::Part;
pub(super) use progress::Progress;
pub(super) use request::{Credentials, Request};
pub(super) use retry::download;
