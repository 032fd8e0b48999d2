//! The command line as typed: a file for each command, and what several commands share.

mod completions;
mod convert;
mod decode;
mod download;
mod encode;
mod evaluate;
mod info;
mod init;
mod reconstruct;
mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vitok::media::{ClipOptions, ClipResize, ReadOptions};
use vitok::tokenizer::vit::WeightsFormat;
use vitok::weights::Dtype;

pub use completions::CompletionsArgs;
pub use convert::ConvertArgs;
pub use decode::DecodeArgs;
pub use download::{DownloadArgs, MetricsDownloadArgs};
pub use encode::EncodeArgs;
pub use evaluate::EvaluateArgs;
pub use info::InfoArgs;
pub use init::InitArgs;
pub use reconstruct::ReconstructArgs;
pub use train::TrainArgs;

/// Visual tokenizers: images and clips to compact latents and back.
#[derive(Parser)]
#[command(name = "vitok", version, about, max_term_width = 100, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show a model's size, cost and compression
    Info(InfoArgs),
    /// Fetch a released model into the Hugging Face cache, or the weight files of metrics
    Download(DownloadArgs),
    /// Turn images into latent files
    Encode(EncodeArgs),
    /// Turn latent files back into images
    Decode(DecodeArgs),
    /// Encode and decode images; write and score the result
    Reconstruct(ReconstructArgs),
    /// Train a tokenizer
    Train(TrainArgs),
    /// Score models, baselines or folders of images by a named protocol, with a report to look at
    Evaluate(Box<EvaluateArgs>),
    /// Write a model in another dtype or format
    Convert(ConvertArgs),
    /// Write a model with random weights
    Init(InitArgs),
    /// Print a shell's completion script
    Completions(CompletionsArgs),
}

/// Which model, and where it runs.
#[derive(Args)]
pub struct ModelArgs {
    /// Model folder, safetensors file, downloaded model's name, or random:VARIANT
    #[arg(long, short, value_name = "MODEL")]
    pub model: String,
    /// Variant or TOML spec, where the files cannot tell
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceName {
    Cpu,
    Cuda,
    Wgpu,
    Vulkan,
}

impl From<ModelFormat> for WeightsFormat {
    fn from(format: ModelFormat) -> Self {
        match format {
            ModelFormat::Vitok => WeightsFormat::Vitok,
            ModelFormat::Release => WeightsFormat::Release,
        }
    }
}

impl From<WeightsDtype> for Dtype {
    fn from(dtype: WeightsDtype) -> Self {
        match dtype {
            WeightsDtype::F32 => Dtype::F32,
            WeightsDtype::F16 => Dtype::F16,
            WeightsDtype::Bf16 => Dtype::Bf16,
        }
    }
}

impl DeviceName {
    /// As [`vitok::open_device`] takes it.
    pub fn name(self) -> &'static str {
        match self {
            DeviceName::Cpu => "cpu",
            DeviceName::Cuda => "cuda",
            DeviceName::Wgpu => "wgpu",
            DeviceName::Vulkan => "vulkan",
        }
    }
}

/// How files become clips. Without an option they keep their size.
#[derive(Args)]
pub struct ClipArgs {
    /// Resize and crop to a square of this many pixels, as guided diffusion does
    #[arg(long, value_name = "PIXELS", group = "resizing", value_parser = at_least_one)]
    pub center_crop: Option<usize>,
    /// Resize so that the longer side has this many pixels
    #[arg(long, value_name = "PIXELS", group = "resizing", value_parser = at_least_one)]
    pub longest_side: Option<usize>,
    /// Resize so that an image has at most this many tokens
    #[arg(long, value_name = "TOKENS", group = "resizing", value_parser = at_least_one)]
    pub max_tokens: Option<usize>,
    /// Refuse images of more pixels than this before decoding them
    #[arg(long, value_name = "PIXELS", default_value_t = 1 << 28)]
    pub max_pixels: u64,
    /// Take up to this many frames of an animation (GIF, APNG, WebP) as one clip
    #[arg(long, value_name = "FRAMES", default_value_t = 1, value_parser = at_least_one)]
    pub frames: usize,
}

impl ClipArgs {
    /// As the library takes them.
    pub fn options(&self) -> ClipOptions {
        let center_crop = self.center_crop.map(ClipResize::CenterCrop);
        let longest_side = self.longest_side.map(ClipResize::LongestSide);
        let max_tokens = self.max_tokens.map(ClipResize::MaxTokens);
        ClipOptions {
            read: ReadOptions {
                max_pixels: self.max_pixels,
                ..Default::default()
            },
            max_frames: self.frames,
            resize: center_crop.or(longest_side).or(max_tokens),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub enum WeightsDtype {
    F32,
    F16,
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ModelFormat {
    /// config.json and model.safetensors
    Vitok,
    /// encoder.safetensors and decoder.safetensors, as the ViTok-v2 release
    Release,
}

fn one_of<const N: usize>(names: [&str; N]) -> String {
    format!("one of {} is expected", names.join(", "))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("a whole number of at least 1 is expected".into()),
    }
}

/// SIDE or WIDTHxHEIGHT, as (width, height).
fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    // Keeps the counts of any clip within 64 bits.
    let side = |t: &str| at_least_one(t).ok().filter(|n| *n <= 1 << 16);
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok((width, height)),
        _ => Err("SIDE or WIDTHxHEIGHT in pixels is expected, such as 256 or 1920x1080".into()),
    }
}

/// NAME=FILE.
fn parse_weights(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => Ok((name.into(), file.into())),
        _ => Err("NAME=FILE is expected, such as vgg16=vgg16-397923af.pth".into()),
    }
}
