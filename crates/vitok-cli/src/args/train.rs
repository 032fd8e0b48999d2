//! The arguments of `vitok train`.

use std::path::PathBuf;

use clap::Args;

use super::DeviceName;

const HELP: &str = "Examples:
  vitok train configs/tiny.toml
  vitok train config.toml --out runs/a --set train.lr=3e-4 --set train.steps=2000
  vitok train --resume runs/a

The folder OUT holds events.jsonl (what happened, a JSON object a line), curve.svg, samples/
(held-out images above their reconstructions), checkpoints/, and at the end model/, which every
other command takes as --model. Ctrl-C stops after a checkpoint.";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct TrainArgs {
    /// TOML file that describes the run; with --resume the run's own, if none is given
    #[arg(required_unless_present = "resume")]
    pub config: Option<PathBuf>,
    /// Folder of the run [default: runs/NAME for NAME.toml]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Go on with the run in this folder, from its newest checkpoint
    #[arg(long, value_name = "RUN", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// With --resume: go on although the configuration changed
    #[arg(long, requires = "resume")]
    pub accept_changes: bool,
    /// Override a value of the config, such as train.lr=3e-4; may be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
    /// Print events as JSON lines
    #[arg(long)]
    pub json: bool,
}
