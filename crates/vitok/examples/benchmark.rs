//! vitok doing one case of the benchmark, an iteration for each line `run` it is told.
//!
//! `benchmark CASE OUTPUT`; benchmarks/worker.py describes the lines, benchmarks/run.py
//! writes the case.

// What the program `vitok` does with memory is part of its speed.
#[path = "../../vitok-cli/src/memory.rs"]
mod memory;

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Tensor, TensorData};
use rayon::prelude::*;
use serde::Deserialize;
use serde_json::json;
use vitok::features::{Extractor, FeatureNetwork, StateDictLoader};
use vitok::files::write_atomically;
use vitok::media::{Clip, ClipShape, Image};
use vitok::patches::{BatchLayout, Sequence, TokenBatch, TokenGrid, patchify, unpatchify_runs};
use vitok::tokenizer::LoadPart;
use vitok::tokenizer::vit::{Activations, VitTokenizer};
use vitok::train::{StepStats, TrainConfig, Trainer, noise};
use vitok::weights::{Dtype, NewTensor, TensorFile, write_tensors};
use vitok::{Error, Result, open_device};

/// Iterations before measuring, as in worker.py.
const WARM_UP: usize = 2;

/// Seconds: one iteration that takes longer is enough.
const LONG: f64 = 5.0;

/// What is read of a case.
#[derive(Deserialize)]
struct Case {
    work: Work,
    model: PathBuf,
    shape: ClipShape,
    input: PathBuf,
    /// Where to leave the noise of the first training step for the others.
    noise: Option<PathBuf>,
    config: Option<TrainConfig>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Work {
    Encode,
    Decode,
    Both,
    Train,
    Features,
}

fn main() -> Result<()> {
    memory::keep();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (case, output) = match &arguments[..] {
        [case, output] => (case, output),
        _ => {
            let usage = "usage: benchmark CASE OUTPUT";
            return Err(Error::InvalidArgument(usage.into()));
        }
    };
    let text = std::fs::read_to_string(case).map_err(|e| Error::io(case.as_ref(), "read", e))?;
    let case: Case = serde_json::from_str(&text).map_err(|e| Error::InvalidArgument(format!("{}: {e}", case)))?;
    let device = open_device("cpu")?;
    let mut worker = match case.work {
        Work::Train => Worker::Training(Box::new(Training::new(&case, &device)?)),
        Work::Features => Worker::Features(Box::new(Features::new(&case, &device)?)),
        _ => Worker::Inference(Box::new(Inference::new(&case, &device)?)),
    };
    for _ in 0..WARM_UP {
        if worker.run()? > LONG {
            break;
        }
    }
    println!("{}", json!({ "ready": true }));
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|e| Error::InvalidArgument(format!("stdin: {e}")))?;
        match line.trim() {
            "run" => println!("{}", json!({ "seconds": worker.run()? })),
            "finish" => {
                let peak = peak_mib();
                worker.finish(output.as_ref())?;
                println!("{}", json!({ "peak_mib": peak }));
                break;
            }
            _ => {}
        }
    }
    Ok(())
}

enum Worker {
    Inference(Box<Inference>),
    Training(Box<Training>),
    Features(Box<Features>),
}

impl Worker {
    fn run(&mut self) -> Result<f64> {
        match self {
            Worker::Inference(inference) => inference.run(),
            Worker::Training(training) => training.run(),
            Worker::Features(features) => features.run(),
        }
    }

    fn finish(self, path: &Path) -> Result<()> {
        match self {
            Worker::Inference(inference) => inference.finish(path),
            Worker::Training(training) => training.finish(path),
            Worker::Features(features) => features.finish(path),
        }
    }
}

/// Clips to latents, latents to clips, or clips to clips.
struct Inference {
    work: Work,
    model: VitTokenizer,
    shape: ClipShape,
    /// `[B, 3, T, H, W]`, or latents `[B, L, c]`.
    input: Tensor<5>,
    output: Option<TensorData>,
}

impl Inference {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let half = match case.work {
            Work::Encode => LoadPart::Encoder,
            Work::Decode => LoadPart::Decoder,
            _ => LoadPart::Both,
        };
        let (values, mut shape) = read(&case.input)?;
        shape.extend(std::iter::repeat_n(1, 5 - shape.len()));
        Ok(Self {
            work: case.work,
            model: VitTokenizer::load(&case.model, half, None, device)?,
            shape: case.shape,
            input: Tensor::from_data(TensorData::new(values, shape), device),
            output: None,
        })
    }

    fn run(&mut self) -> Result<f64> {
        self.output = None; // a caller would not hold two results either
        let input = self.input.clone();
        let start = Instant::now();
        let output = match self.work {
            Work::Encode => self.encode(input)?.tokens.into_data(),
            Work::Decode => {
                let [b, n, c, ..] = input.dims();
                let item = Sequence {
                    shape: self.shape,
                    grid: TokenGrid::covering(self.shape, self.model.config().tubelet),
                };
                let latents = TokenBatch {
                    tokens: input.reshape([b, n, c]),
                    layout: BatchLayout::new(vec![item; b])?,
                };
                self.decode(&latents)?
            }
            _ => self.decode(&self.encode(input)?)?,
        };
        let seconds = start.elapsed().as_secs_f64();
        self.output = Some(output);
        Ok(seconds)
    }

    fn encode(&self, clips: Tensor<5>) -> Result<TokenBatch> {
        let clips: Vec<Tensor<4>> = clips.split(1, 0).into_iter().map(|clip| clip.squeeze_dim(0)).collect();
        let patches = patchify(&clips, self.model.config().tubelet, None)?;
        Ok(self.model.forward_encoder(&patches, &mut Activations::off())?.latents)
    }

    fn decode(&self, latents: &TokenBatch) -> Result<TensorData> {
        let patches = self.model.forward_decoder(latents, &mut Activations::off())?;
        let clips = unpatchify_runs(&patches, self.model.config().tubelet)?;
        Ok(Tensor::cat(clips, 0).into_data())
    }

    fn finish(self, path: &Path) -> Result<()> {
        let output = self.output.unwrap_or_else(|| TensorData::from([0f32]));
        write(path, "output", output)
    }
}

/// Training steps on the same images.
struct Training {
    trainer: Trainer,
    clips: Vec<Clip>,
    first: Option<StepStats>,
}

impl Training {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let config = case.config.as_ref();
        let config = config.ok_or_else(|| Error::InvalidArgument("the case has no config".into()))?;
        let trainer = Trainer::new(config, device)?;
        let clips: Vec<Clip> = read_images(&case.input)?.into_iter().map(Clip::from).collect();
        if let Some(path) = &case.noise {
            let model = trainer.model_config();
            let tokens = TokenGrid::covering(case.shape, model.tubelet).tokens();
            let shape = [clips.len(), tokens, model.channels];
            let first = noise(shape, &[config.seed, 0, 0], device);
            write(path, "noise", first.into_data())?;
        }
        Ok(Self {
            trainer,
            clips,
            first: None,
        })
    }

    fn run(&mut self) -> Result<f64> {
        let clips = self.clips.clone();
        let start = Instant::now();
        let step = self.trainer.step(clips)?;
        let seconds = start.elapsed().as_secs_f64();
        self.first.get_or_insert(step);
        Ok(seconds)
    }

    fn finish(self, path: &Path) -> Result<()> {
        let first = self
            .first
            .map(|step| json!({ "loss": step.losses.loss, "gradient_norm": step.grad_norm }).to_string());
        write_atomically(path, |out| out.write_all(first.unwrap_or_default().as_bytes()))
    }
}

/// Images to the features of the FID network.
struct Features {
    extractor: Extractor,
    images: Vec<Image>,
    output: Vec<f32>,
}

impl Features {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let network = FeatureNetwork::InceptionFid;
        let loader = StateDictLoader::open(&case.model, device)?;
        Ok(Self {
            extractor: Extractor::load(network, &loader, network.preprocess())?,
            images: read_images(&case.input)?,
            output: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<f64> {
        let start = Instant::now();
        let images = self.images.par_iter();
        let prepared = images.map(|image| self.extractor.prepare(std::slice::from_ref(image)));
        let prepared: Vec<Vec<f32>> = prepared.collect::<Result<_>>()?;
        self.output = self.extractor.extract(&prepared)?.features;
        Ok(start.elapsed().as_secs_f64())
    }

    fn finish(self, path: &Path) -> Result<()> {
        let shape = [self.images.len(), self.extractor.kind().features()];
        write(path, "output", TensorData::new(self.output, shape))
    }
}

/// Images of an input file of bytes `[B, H, W, 3]`, as floats.
fn read_images(path: &Path) -> Result<Vec<Image>> {
    let (values, shape) = read(path)?;
    let [_, height, width, _] = shape[..] else {
        return Err(Error::InvalidArgument("images [B, H, W, 3] expected".into()));
    };
    let bytes: Vec<u8> = values.into_iter().map(|v| v as u8).collect();
    let images = bytes.chunks(height * width * 3);
    images.map(|rgb| Image::new(width, height, rgb.to_vec())).collect()
}

/// The one tensor of an input file.
fn read(path: &Path) -> Result<(Vec<f32>, Vec<usize>)> {
    let mut file = TensorFile::open(path)?;
    let shape = file.shape("input").unwrap_or_default().to_vec();
    Ok((file.read("input")?, shape))
}

fn write(path: &Path, name: &str, data: TensorData) -> Result<()> {
    let tensor = NewTensor {
        name: name.to_owned(),
        shape: data.shape().to_vec(),
        values: Box::new(move || data.try_into_vec().map_err(io::Error::other)),
    };
    write_tensors(path, &BTreeMap::new(), vec![tensor], Dtype::F32)
}

/// The most memory this process ever held; 0 where the system does not say.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
