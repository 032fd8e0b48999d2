//! The arguments of `vitok encode`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use vitok::weights::Dtype;

use super::{ClipArgs, ModelArgs};

const HELP: &str = "Examples:
  vitok encode photo.jpg --model 350M-f16x64
  vitok encode photos/ more/*.png --model ./my-model -o latents/
  vitok encode anim.gif --frames 16 --model ./my-video-model
  vitok encode \"train-{000..099}.tar\" list.txt --model ./my-model

A file becomes OUT/NAME.safetensors; what lies in a folder, list or shard keeps its place below it.
Read one in Python:
  from safetensors import safe_open
  f = safe_open(\"NAME.safetensors\", \"np\"); z, info = f.get_tensor(\"latents\"), f.metadata()";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct EncodeArgs {
    /// Images, folders, lists of paths, tar shards
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub clip: ClipArgs,
    /// Folder for the latent files
    #[arg(long, short, default_value = "latents")]
    pub out: PathBuf,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = LatentDtype::F16)]
    pub dtype: LatentDtype,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LatentDtype {
    F32,
    F16,
}

impl From<LatentDtype> for Dtype {
    fn from(dtype: LatentDtype) -> Self {
        match dtype {
            LatentDtype::F32 => Dtype::F32,
            LatentDtype::F16 => Dtype::F16,
        }
    }
}
