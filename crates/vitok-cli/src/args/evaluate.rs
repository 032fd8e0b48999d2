//! The arguments of `vitok evaluate`.

use std::path::PathBuf;

use clap::Args;
use vitok::evaluate::Metric;
use vitok::features::FeatureNetwork;

use super::{DeviceName, at_least_one, one_of, parse_weights};

const HELP: &str = "Examples:
  vitok evaluate held-out.txt --model models/photographs-64
  vitok evaluate held-out.txt --model runs/a/model --baselines --fit train.txt --center-crop 64,256
  vitok evaluate val/ --model a/ --model b/ --protocol imagenet-256-center-crop --out scores/
  vitok evaluate originals/ --outputs reconstructions/ --protocol fid-clean
  vitok evaluate train/ --outputs samples/ --unpaired --protocol fid-pytorch
  vitok evaluate --reference stats.npz --outputs samples/ --protocol fid-pytorch
  vitok evaluate clips/ --frames 16 --model my-video-model

Protocols: native (any size, files as they are shown), fid-pytorch, fid-clean, vitok-v1-research,
imagenet-256-center-crop, coco-256. Scores: psnr, ssim, ms-ssim, lpips-vgg, lpips-alex, st-lpips,
mse, mae, frechet, kid, inception-score, precision, recall; without --metrics all whose weights are
there (`vitok download metrics`). A distance on another network than FID's carries its name.

With --baselines, codes without a network stand beside the models, of as many values as the first
model's latents (PCA: the same patches and channels; bicubic: the image made that small, and large
again; it may get a few more). JPEG gets the bytes of those values as 16-bit floats, or what it needs
at its lowest quality. PCA is fitted on --fit, at each size, or comes with the model.

The folder OUT holds report.html (opens from disk), sheet.png (originals and outputs side by side),
scores.json, images.csv (a line an image), and store/, from which the same command goes on after
Ctrl-C or a crash, and from which a later one takes the scores of files and models that are the same
byte for byte; of several sizes, OUT/SIZE does.";

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
    #[command(flatten)]
    pub baselines: BaselineArgs,
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
    /// Crop to a centered square of this side, whatever the protocol says; several, with commas
    /// between, are evaluated one after the other
    #[arg(long, value_name = "PIXELS", value_delimiter = ',', value_parser = at_least_one)]
    pub center_crop: Vec<usize>,
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
    pub resamples: usize,
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
    /// Score everything again, whatever OUT holds already
    #[arg(long)]
    pub restart: bool,
    /// Refuse images of more pixels than this before decoding them
    #[arg(long, value_name = "PIXELS", default_value_t = 1 << 28)]
    pub max_pixels: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
    /// Print JSON: the report, or a list of those of several sizes
    #[arg(long)]
    pub json: bool,
}

/// Codes without a network.
#[derive(Args)]
pub struct BaselineArgs {
    /// Score PCA, bicubic and JPEG too, at the size of the first model's latents
    #[arg(long, requires = "model")]
    pub baselines: bool,
    /// Data set to fit PCA on, never one that is scored; may be repeated
    #[arg(long, value_name = "DATA", requires = "baselines")]
    pub fit: Vec<String>,
    /// A PCA fitted before [default: pca.safetensors in the first model's folder, if it is there]
    #[arg(long, value_name = "FILE", requires = "baselines", conflicts_with = "fit")]
    pub pca: Option<PathBuf>,
    /// Write the PCA fitted, at the first size
    #[arg(long, value_name = "FILE", requires = "fit")]
    pub save_pca: Option<PathBuf>,
}

fn parse_metric(text: &str) -> Result<Metric, String> {
    Metric::named(text).map_err(|_| one_of(Metric::ALL.map(Metric::key)))
}

fn parse_network(text: &str) -> Result<FeatureNetwork, String> {
    let all = FeatureNetwork::ALL;
    let found = all.into_iter().find(|network| network.name() == text);
    found.ok_or_else(|| one_of(all.map(FeatureNetwork::name)))
}
