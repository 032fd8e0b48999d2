//! The arguments of `vitok init`.

use std::path::PathBuf;

use clap::Args;

use super::{ModelFormat, WeightsDtype};

const HELP: &str = "Examples:
  vitok init S-B/16 my-model
  vitok init Ld4-Ld24/1x16x64 my-model --format release --dtype bf16";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct InitArgs {
    /// Variant name or TOML spec
    pub variant: String,
    /// Folder to write; must not exist or be empty
    pub out: PathBuf,
    /// Seed of the random values
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Files to write
    #[arg(long, value_enum, default_value_t = ModelFormat::Vitok)]
    pub format: ModelFormat,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = WeightsDtype::F32)]
    pub dtype: WeightsDtype,
}
