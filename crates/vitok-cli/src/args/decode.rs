//! The arguments of `vitok decode`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ModelArgs;

const HELP: &str = "Examples:
  vitok decode latents/ --model 350M-f16x64 -o images/
  vitok decode photo.safetensors --model ./my-model --format jpg";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct DecodeArgs {
    /// Latent files and folders of them
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Folder for the images
    #[arg(long, short, default_value = "decoded")]
    pub out: PathBuf,
    /// Image format
    #[arg(long, value_enum, default_value_t = OutputFormat::Png)]
    pub format: OutputFormat,
    /// Decode also what another model encoded
    #[arg(long)]
    pub any_model: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum OutputFormat {
    Png,
    Jpg,
    Webp,
    Bmp,
    Tiff,
}

impl OutputFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            OutputFormat::Png => "png",
            OutputFormat::Jpg => "jpg",
            OutputFormat::Webp => "webp",
            OutputFormat::Bmp => "bmp",
            OutputFormat::Tiff => "tiff",
        }
    }
}
