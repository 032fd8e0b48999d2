//! The arguments of `vitok evaluate`.

use std::path::PathBuf;

use clap::Args;
use vitok::evaluate::Metric;
use vitok::features::FeatureNetwork;

use super::{DeviceName, at_least_one, one_of, parse_weights};

const HELP: &str = "Examples:
  vitok evaluate held-out.txt --model models/photographs-64
  vitok evaluate val/ --model a/ --model b/ --protocol imagenet-256-center-crop --out scores/
  vitok evaluate originals/ --outputs reconstructions/ --protocol fid-clean
  vitok evaluate train/ --outputs samples/ --unpaired --protocol fid-pytorch
  vitok evaluate --reference stats.npz --outputs samples/ --protocol fid-pytorch
  vitok evaluate clips/ --frames 16 --model my-video-model

Protocols: native (any size, files as they are shown), fid-pytorch, fid-clean, vitok-v1-research,
imagenet-256-center-crop, coco-256. Scores: psnr, ssim, ms-ssim, lpips-vgg, lpips-alex, st-lpips,
mse, mae, frechet, kid, inception-score, precision, recall; without --metrics all whose weights are
there (`vitok download metrics`). A distance on another network than FID's carries its name.

The folder OUT holds report.html (opens from disk), scores.json, images.csv (a line an image),
and state/, from which the same command goes on after Ctrl-C or a crash.";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct EvaluateArgs {
    /// Originals: images, folders, lists of paths, tar shards; with --frames, folders of clips
    pub inputs: Vec<String>,
    /// Model whose reconstructions are scored; may be repeated
    #[arg(long, short)]
    pub model: Vec<String>,
    /// Folder, list or shards with outputs named as their originals; may be repeated
    #[arg(long, value_name = "DATA")]
    pub outputs: Vec<String>,
    /// How images are read, cropped and resized, and the network of distances between sets
    #[arg(long, default_value = "native")]
    pub protocol: String,
    /// Scores, with commas between [default: all whose weights are there]
    #[arg(long, value_delimiter = ',', value_parser = parse_metric)]
    pub metrics: Vec<Metric>,
    /// Another network than the protocol's for distances between sets: inception-fid,
    /// inception-torchvision, efficientnet-lite0, i3d
    #[arg(long, value_parser = parse_network)]
    pub network: Option<FeatureNetwork>,
    /// Weights to use instead of those downloaded, by their name in `vitok download metrics`
    #[arg(long, value_name = "NAME=FILE", value_parser = parse_weights)]
    pub weights: Vec<(String, PathBuf)>,
    /// Crop to a centered square of this side, whatever the protocol says
    #[arg(long, value_name = "PIXELS", value_parser = at_least_one)]
    pub center_crop: Option<usize>,
    /// Score clips of at most this many frames: animations, and folders of images
    #[arg(long, value_name = "N", default_value = "1", value_parser = at_least_one)]
    pub frames: usize,
    /// The outputs have no originals each: a generator's
    #[arg(long)]
    pub unpaired: bool,
    /// Statistics of the originals instead of their features, as pytorch-fid's .npz
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// Write the originals' statistics, for --reference and for pytorch-fid
    #[arg(long, value_name = "FILE", conflicts_with = "reference")]
    pub save_reference: Option<PathBuf>,
    /// Only the first so many originals
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// Score also in the other ways that are common, to explain a number that differs; several
    /// times the work
    #[arg(long)]
    pub explain: bool,
    /// Resamples behind 95 % intervals (of distances between sets at most 100); 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub rounds: usize,
    /// Subsets of KID
    #[arg(long, value_name = "N", default_value = "100", value_parser = at_least_one)]
    pub subsets: usize,
    /// Images in each; of smaller sets, half
    #[arg(long, value_name = "N", default_value = "1000", value_parser = at_least_one)]
    pub subset_size: usize,
    /// Seed of KID's subsets
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the report and what is done so far
    #[arg(long, short, default_value = "evaluation")]
    pub out: PathBuf,
    /// Begin anew where OUT holds another evaluation
    #[arg(long)]
    pub restart: bool,
    /// Refuse images of more pixels than this before decoding them
    #[arg(long, value_name = "PIXELS", default_value_t = 1 << 28)]
    pub max_pixels: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
