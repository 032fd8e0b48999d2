//! The arguments of `vitok info`.

use clap::Args;

use super::parse_size;

const HELP: &str = "Examples:
  vitok info S-B/16
  vitok info S-B/4x8 --frames 16 --size 128
  vitok info Ld4-Ld24/1x16x64 --size 1920x1080 --json
  vitok info ./my-model
  vitok info model.toml";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct InfoArgs {
    /// Variant name, TOML spec, model folder or file, or downloaded model
    pub model: String,
    /// Size in pixels: SIDE, or WIDTHxHEIGHT
    #[arg(long, default_value = "256", value_parser = parse_size)]
    pub size: (usize, usize),
    /// Frames of the clip
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub frames: u16,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
