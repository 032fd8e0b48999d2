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
use vitok::features::{Extractor, FeatureNetwork, Source};
use vitok::files::write_atomically;
use vitok::patches::{Extent, Grid, Item, Layout, TokenBatch, patchify, unpatchify_runs};
use vitok::pixels::Picture;
use vitok::tensor_file::{NewTensor, Precision, TensorFile, write_tensors};
use vitok::tokenizer::{Half, Taps, Tokenizer};
use vitok::train::{Step, TrainConfig, Trainer, noise};
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
    extent: Extent,
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
            return Err(Error::Input(usage.into()));
        }
    };
    let text = std::fs::read_to_string(case).map_err(|e| Error::io(case.as_ref(), "read", e))?;
    let case: Case =
        serde_json::from_str(&text).map_err(|e| Error::Input(format!("{}: {e}", case)))?;
    let device = open_device("cpu")?;
    let mut worker = match case.work {
        Work::Train => Worker::Training(Training::new(&case, &device)?),
        Work::Features => Worker::Features(Features::new(&case, &device)?),
        _ => Worker::Inference(Inference::new(&case, &device)?),
    };
    for _ in 0..WARM_UP {
        if worker.run()? > LONG {
            break;
        }
    }
    println!("{}", json!({ "ready": true }));
    for line in io::stdin().lock().lines() {
        let line = line.map_err(|e| Error::Input(format!("stdin: {e}")))?;
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
    Inference(Inference),
    Training(Training),
    Features(Features),
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
    model: Tokenizer,
    extent: Extent,
    /// `[B, 3, T, H, W]`, or latents `[B, L, c]`.
    input: Tensor<5>,
    output: Option<TensorData>,
}

impl Inference {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let half = match case.work {
            Work::Encode => Half::Encoder,
            Work::Decode => Half::Decoder,
            _ => Half::Both,
        };
        let (values, mut shape) = read(&case.input)?;
        shape.extend(std::iter::repeat_n(1, 5 - shape.len()));
        Ok(Self {
            work: case.work,
            model: Tokenizer::load(&case.model, half, None, device)?,
            extent: case.extent,
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
                let item = Item {
                    extent: self.extent,
                    grid: Grid::covering(self.extent, self.model.plan().tubelet),
                };
                let latents = TokenBatch {
                    tokens: input.reshape([b, n, c]),
                    layout: Layout::new(vec![item; b])?,
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
        let clips: Vec<Tensor<4>> = clips
            .split(1, 0)
            .into_iter()
            .map(|clip| clip.squeeze_dim(0))
            .collect();
        let patches = patchify(&clips, self.model.plan().tubelet, None)?;
        Ok(self.model.encode(&patches, &mut Taps::off())?.latents)
    }

    fn decode(&self, latents: &TokenBatch) -> Result<TensorData> {
        let patches = self.model.decode(latents, &mut Taps::off())?;
        let clips = unpatchify_runs(&patches, self.model.plan().tubelet)?;
        Ok(Tensor::cat(clips, 0).into_data())
    }

    fn finish(self, path: &Path) -> Result<()> {
        let output = self.output.unwrap_or_else(|| TensorData::from([0f32]));
        write(path, "output", output)
    }
}

/// Training steps on the same pictures.
struct Training {
    trainer: Trainer,
    pictures: Vec<Picture>,
    first: Option<Step>,
}

impl Training {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let config = case.config.as_ref();
        let config = config.ok_or_else(|| Error::Input("the case has no config".into()))?;
        let trainer = Trainer::new(config, device)?;
        let pictures = read_pictures(&case.input)?;
        if let Some(path) = &case.noise {
            let plan = trainer.plan();
            let tokens = Grid::covering(case.extent, plan.tubelet).tokens();
            let shape = [pictures.len(), tokens, plan.channels];
            let first = noise(shape, &[config.seed, 0, 0], device);
            write(path, "noise", first.into_data())?;
        }
        Ok(Self {
            trainer,
            pictures,
            first: None,
        })
    }

    fn run(&mut self) -> Result<f64> {
        let pictures = self.pictures.clone();
        let start = Instant::now();
        let step = self.trainer.step(pictures)?;
        let seconds = start.elapsed().as_secs_f64();
        self.first.get_or_insert(step);
        Ok(seconds)
    }

    fn finish(self, path: &Path) -> Result<()> {
        let first = self.first.map(|step| {
            json!({ "loss": step.losses.loss, "gradient_norm": step.gradient_norm }).to_string()
        });
        write_atomically(path, |out| {
            out.write_all(first.unwrap_or_default().as_bytes())
        })
    }
}

/// Pictures to the features of the FID network.
struct Features {
    extractor: Extractor,
    pictures: Vec<Picture>,
    output: Vec<f32>,
}

impl Features {
    fn new(case: &Case, device: &Device) -> Result<Self> {
        let network = FeatureNetwork::InceptionFid;
        let source = Source::open(&case.model, device)?;
        Ok(Self {
            extractor: Extractor::load(network, &source, network.preparation())?,
            pictures: read_pictures(&case.input)?,
            output: Vec::new(),
        })
    }

    fn run(&mut self) -> Result<f64> {
        let start = Instant::now();
        let pictures = self.pictures.par_iter();
        let prepared =
            pictures.map(|picture| self.extractor.prepare(std::slice::from_ref(picture)));
        let prepared: Vec<Vec<f32>> = prepared.collect::<Result<_>>()?;
        self.output = self.extractor.extract(&prepared)?.features;
        Ok(start.elapsed().as_secs_f64())
    }

    fn finish(self, path: &Path) -> Result<()> {
        let shape = [self.pictures.len(), self.extractor.kind().features()];
        write(path, "output", TensorData::new(self.output, shape))
    }
}

/// Pictures of an input file of bytes `[B, H, W, 3]`, as floats.
fn read_pictures(path: &Path) -> Result<Vec<Picture>> {
    let (values, shape) = read(path)?;
    let [_, height, width, _] = shape[..] else {
        return Err(Error::Input("pictures [B, H, W, 3] expected".into()));
    };
    let bytes: Vec<u8> = values.into_iter().map(|v| v as u8).collect();
    let pictures = bytes.chunks(height * width * 3);
    pictures
        .map(|rgb| Picture::new(width, height, rgb.to_vec()))
        .collect()
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
    write_tensors(path, &BTreeMap::new(), vec![tensor], Precision::F32)
}

/// The most memory this process ever held; 0 where the system does not say.
fn peak_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    let kib = peak.and_then(|l| l.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}
