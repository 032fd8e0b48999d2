//! The arguments of `vitok convert`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelFormat, WeightsDtype};

const HELP: &str = "Example:
  vitok convert runs/a/model my-model --dtype f16";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct ConvertArgs {
    /// Model folder, safetensors file, or downloaded model's name
    pub model: String,
    /// Folder to write; must not exist or be empty
    pub out: PathBuf,
    /// Variant or TOML spec, where the files cannot tell
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Files to write
    #[arg(long, value_enum, default_value_t = ModelFormat::Vitok)]
    pub format: ModelFormat,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = WeightsDtype::F16)]
    pub dtype: WeightsDtype,
}
