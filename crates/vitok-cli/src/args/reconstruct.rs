//! The arguments of `vitok reconstruct`.

use std::path::PathBuf;

use clap::Args;

use super::{ClipArgs, ModelArgs};

const HELP: &str = "Examples:
  vitok reconstruct photo.jpg --model 350M-f16x64
  vitok reconstruct photos/ --model ./my-model -o out/ --json
  vitok reconstruct photo.jpg --model random:B/1x16x64

For each image OUT/NAME.png is the reconstruction and OUT/NAME.compare.png shows original,
reconstruction and 5 times their difference.";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct ReconstructArgs {
    /// Images, folders, lists of paths, tar shards
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub clip: ClipArgs,
    /// Folder for the images
    #[arg(long, short, default_value = "reconstructed")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
