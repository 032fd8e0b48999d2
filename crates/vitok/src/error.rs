//! The library's one error type: every variant names the thing at fault and, where there is one, the remedy.

use std::path::{Path, PathBuf};

/// Shorthand for results of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Whatever can go wrong with what a user gave us.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a read or a write.
    #[error("{path}: cannot {action}: {cause}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb phrase: "read", "write", "create the folder".
        action: &'static str,
        /// The system's answer. Part of the message, so not its `source` as well: a chain would say it
        /// twice.
        cause: std::io::Error,
    },
    /// A picture that cannot be decoded.
    #[error("{path}: {reason}", path = path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A picture whose header announces more pixels than allowed; nothing was allocated.
    #[error(
        "{path}: {width} x {height} is {pixels} pixels, over the limit of {limit} (raise it with --max-pixels)",
        path = path.display(), pixels = *width as u64 * *height as u64
    )]
    PictureTooLarge {
        /// The picture.
        path: PathBuf,
        /// Width in pixels from the header.
        width: u32,
        /// Height in pixels from the header.
        height: u32,
        /// Largest allowed number of pixels.
        limit: u64,
    },
    /// A variant string that does not parse or that describes an impossible network.
    #[error("variant \"{name}\": {reason}")]
    Variant {
        /// The string as given.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration file or plan with a wrong or unknown value.
    #[error("{path}: {reason}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A weight file that is damaged or does not fit the network.
    #[error("{path}: {reason}", path = path.display())]
    Weights {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A data set that holds nothing usable, or too little of it.
    #[error("{name}: {reason}")]
    Data {
        /// The data set or picture as named by the user.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A latent file that is damaged or does not fit the model.
    #[error("{path}: {reason}", path = path.display())]
    Latents {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A model that is not on this machine and could not be fetched.
    #[error("model {name}: {reason}")]
    Hub {
        /// The model as named by the user.
        name: String,
        /// What went wrong and what to do.
        reason: String,
    },
    /// A device this build or this machine does not have.
    #[error("device {name}: {reason}")]
    Device {
        /// The device as named by the user.
        name: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// An argument of a library call that does not fit the model or the data.
    #[error("{0}")]
    Input(String),
}

impl Error {
    /// An [`Error::Io`] for `path`; `action` is a verb phrase such as "read".
    pub fn io(path: &Path, action: &'static str, cause: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            cause,
        }
    }
}
