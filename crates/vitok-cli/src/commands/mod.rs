//! One module a command; `run` returns whether all went well.

pub mod compare;
pub mod completions;
pub mod convert;
pub mod decode;
pub mod download;
pub mod encode;
pub mod evaluate;
pub mod info;
pub mod init;
pub mod reconstruct;
pub mod train;
