//! `vitok evaluate`

mod explain;
mod gallery;
mod items;
mod networks;
mod report;
mod score;
mod state;
mod summary;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use vitok::metrics::{KidOptions, FeatureStatistics, read_statistics, write_statistics};
use vitok::evaluate::{Metric, Protocol};
use vitok::features::FeatureNetwork;
use vitok::files::hexadecimal;
use vitok::media::Image;
use vitok::tokenizer::vit::{LoadPart, Tokenizer};

use crate::args::{EvaluateArgs, ModelArgs};
use crate::{batch, interrupt, model, output};
use explain::Explain;
use items::Items;
use networks::Networks;
use report::{MetricUsed, Model, ProtocolUsed, Report, Skipped};
use score::{Outputs, Pass, make};
use state::{Record, Side};
use summary::{Reference, Summary};

/// The state's folder within `--out`.
const STATE: &str = "state";

/// The side of the originals.
const ORIGINALS: &str = "originals";

/// Images a `--explain` looks at together.
const EXPLAINED: usize = 8;

pub fn run(args: &EvaluateArgs) -> Result<bool> {
    let evaluation = Evaluation::new(args)?;
    interrupt::request_stop();
    let report = evaluation.run()?;
    report.write(&args.out)?;
    if args.json {
        output::line(&report.json()?)?;
    } else {
        report.show()?;
        output::line(&format!(
            "Report: {}",
            args.out.join("report.html").display()
        ))?;
    }
    for warning in &report.warnings {
        output::warning(warning);
    }
    let skipped = report.skipped.len();
    if skipped > 0 {
        output::error(&format!(
            "{skipped} images are not in the scores; {} and the report name them",
            args.out.join("scores.json").display()
        ));
    }
    Ok(skipped == 0)
}

/// What is compared with the originals.
enum Candidate {
    Model(String),
    Files { name: String, items: Items },
}

impl Candidate {
    fn name(&self) -> &str {
        match self {
            Self::Model(name) | Self::Files { name, .. } => name,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Model(_) => "model",
            Self::Files { .. } => "images",
        }
    }

    /// A name for its files.
    fn side(&self) -> String {
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || c == '-' => c,
            _ => '_',
        };
        let readable: String = self.name().chars().map(plain).take(60).collect();
        let hash = hexadecimal(&Sha256::digest(self.name()));
        format!("{}-{readable}-{}", self.kind(), &hash[..8])
    }
}

struct Evaluation<'a> {
    args: &'a EvaluateArgs,
    protocol: Protocol,
    originals: Option<Items>,
    statistics: Option<FeatureStatistics>,
    candidates: Vec<Candidate>,
    networks: Networks,
}

/// A side that is done.
struct Done {
    folder: PathBuf,
    records: Vec<Record>,
}

impl<'a> Evaluation<'a> {
    fn new(args: &'a EvaluateArgs) -> Result<Self> {
        let protocol = protocol(args)?;
        let open = |inputs: &[String]| Items::open(inputs, args.frames, protocol, args.max_pixels);
        let mut originals = match args.inputs.is_empty() {
            true => None,
            false => Some(open(&args.inputs)?),
        };
        if let (Some(originals), Some(limit)) = (&mut originals, args.limit) {
            originals.limit(limit);
        }
        let unpaired = args.unpaired || originals.is_none();
        if originals.is_none() && (args.reference.is_none() || args.outputs.is_empty()) {
            bail!("give the originals; without them, --reference and --outputs are both needed");
        }
        if args.model.is_empty() && args.outputs.is_empty() {
            bail!("nothing to score: give --model or --outputs, once or more");
        }
        if unpaired && !args.model.is_empty() {
            bail!("a model's outputs have originals; --unpaired is for --outputs alone");
        }
        let mut candidates: Vec<Candidate> =
            args.model.iter().cloned().map(Candidate::Model).collect();
        for name in &args.outputs {
            let items = open(std::slice::from_ref(name))?;
            candidates.push(Candidate::Files {
                name: name.clone(),
                items,
            });
        }
        let mut names: Vec<&str> = candidates.iter().map(Candidate::name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            bail!("{} is given twice", twice[0]);
        }
        let device = vitok::open_device(args.device.name())?;
        let weights: HashMap<String, PathBuf> = args.weights.iter().cloned().collect();
        for name in weights.keys() {
            vitok::weights::pretrained::known(name)?;
        }
        let asked = (!args.metrics.is_empty()).then_some(args.metrics.as_slice());
        let possible = |metric: Metric| match metric.is_full_reference() {
            true => !unpaired,
            false => args.frames >= protocol.network.least_frames(),
        };
        let networks = networks::load(asked, possible, &protocol, &weights, &device)?;
        if networks.metrics.is_empty() {
            bail!("no score is left:\n{}", networks.missing.join("\n"));
        }
        let statistics = args.reference.as_deref().map(read_statistics).transpose()?;
        if let Some(statistics) = &statistics
            && statistics.dims() != protocol.network.features()
        {
            bail!(
                "{}: statistics of {} features; {} has {}",
                args.reference.as_deref().unwrap_or(Path::new("")).display(),
                statistics.dims(),
                protocol.network,
                protocol.network.features()
            );
        }
        Ok(Self {
            args,
            protocol,
            originals,
            statistics,
            candidates,
            networks,
        })
    }

    fn is_unpaired(&self) -> bool {
        self.args.unpaired || self.originals.is_none()
    }

    fn run(&self) -> Result<Report> {
        let originals = match (&self.originals, &self.networks.extractor, &self.statistics) {
            (Some(originals), Some(_), None) => Some(self.pass(
                ORIGINALS,
                Pass {
                    title: "originals".into(),
                    originals,
                    outputs: Outputs::Originals,
                    scorer: None,
                    extractor: self.networks.extractor.as_ref(),
                },
                &Value::Null,
            )?),
            _ => None,
        };
        let mut done = Vec::new();
        for candidate in &self.candidates {
            done.push(self.contend(candidate)?);
        }
        self.report(originals, &done)
    }

    /// Takes the outputs of one candidate through the networks and scores.
    fn contend(&self, candidate: &Candidate) -> Result<Done> {
        let tokenizer;
        let (originals, outputs, settings) = match (candidate, &self.originals) {
            (Candidate::Model(name), Some(originals)) => {
                tokenizer = self.load(name)?;
                let settings = json!(tokenizer.fingerprint());
                (originals, Outputs::Model(&tokenizer), settings)
            }
            (Candidate::Files { items, .. }, Some(originals)) if !self.is_unpaired() => {
                let matched = originals.matched(items)?;
                let settings = json!(items.fingerprint());
                (originals, Outputs::Files(items, matched), settings)
            }
            (Candidate::Files { items, .. }, _) => (items, Outputs::Originals, Value::Null),
            (Candidate::Model(name), None) => bail!("{name} has no originals"),
        };
        let pass = Pass {
            title: candidate.name().to_owned(),
            originals,
            outputs,
            scorer: (!self.is_unpaired()).then_some(&self.networks.scorer),
            extractor: self.networks.extractor.as_ref(),
        };
        self.pass(&candidate.side(), pass, &settings)
    }

    fn load(&self, name: &str) -> Result<Tokenizer> {
        let args = ModelArgs {
            model: name.to_owned(),
            variant: None,
            device: self.args.device,
        };
        let tokenizer = model::load(&args, LoadPart::Both)?;
        let frames = tokenizer.plan().tubelet.frames;
        if frames > 1 && self.args.frames == 1 {
            bail!("{name}: its tubelets have {frames} frames; clips are scored with --frames");
        }
        Ok(tokenizer)
    }

    /// Does what is left of a pass, and returns all of it.
    fn pass(&self, side: &str, pass: Pass, outputs: &Value) -> Result<Done> {
        let folder = self.args.out.join(STATE).join(side);
        let scored: Vec<&str> = match pass.scorer {
            Some(_) => self.networks.metrics.iter().map(|m| m.key()).collect(),
            None => Vec::new(),
        };
        let hashes: BTreeMap<&str, &str> = (self.networks.used.iter())
            .map(|used| (used.name.as_str(), used.sha256.as_str()))
            .collect();
        let settings = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "protocol": self.protocol.text(),
            "frames": self.args.frames,
            "originals": pass.originals.fingerprint(),
            "outputs": outputs,
            "scores": scored,
            "networks": hashes,
        });
        let held = state::prepare(&folder, &settings, self.args.restart)?;
        let widths = match pass.extractor {
            Some(extractor) => [Some(extractor.kind().features()), extractor.kind().logits()],
            None => [None, None],
        };
        let mut open = Side::open(&folder, "images", widths)?;
        let count = pass.originals.len();
        if held && open.records.len() < count && !open.records.is_empty() {
            output::note(&format!(
                "{}: going on after {} of {count}",
                pass.title,
                open.records.len()
            ));
        }
        if !pass.run(&mut open)? {
            output::note(&format!(
                "stopped after {} of {count}; the same command goes on",
                open.records.len()
            ));
            std::process::exit(interrupt::EXIT_CODE);
        }
        Ok(Done {
            folder,
            records: open.records,
        })
    }

    fn report(&self, originals: Option<Done>, done: &[Done]) -> Result<Report> {
        let summary = |folder| Summary {
            state: folder,
            network: self.protocol.network,
            rounds: self.args.rounds,
            kid: KidOptions {
                subsets: self.args.subsets,
                subset_size: self.args.subset_size,
                seed: self.args.seed,
            },
        };
        let metrics = &self.networks.metrics;
        let reference = match (&originals, &self.statistics) {
            (_, Some(statistics)) => Some(Reference::Statistics(statistics.clone())),
            (Some(done), None) => {
                let features = summary(&done.folder).features("images", &done.records)?;
                Some(Reference::Features(features))
            }
            (None, None) => None,
        };
        if let (Some(path), Some(Reference::Features(features))) =
            (&self.args.save_reference, &reference)
        {
            write_statistics(path, &FeatureStatistics::of(features)?)?;
        }
        let mut models = Vec::new();
        for (candidate, done) in self.candidates.iter().zip(done) {
            let summary = summary(&done.folder);
            let mut scores = BTreeMap::new();
            let mut per_image = BTreeMap::new();
            for metric in metrics.iter().filter(|metric| metric.is_full_reference()) {
                scores.insert(metric.key().into(), summary.mean(*metric, &done.records));
                let values = done.records.iter().map(|record| record.score(*metric));
                per_image.insert(metric.key().into(), values.collect());
            }
            if let Some(reference) = &reference {
                for (metric, score) in
                    summary.sets(metrics, "images", &done.records, reference)?
                {
                    scores.insert(metric.key().into(), score);
                }
            }
            models.push(Model {
                name: candidate.name().into(),
                kind: candidate.kind(),
                count: done.records.iter().filter(|r| r.skipped.is_none()).count(),
                scores,
                per_image,
            });
        }
        let mut used: Vec<MetricUsed> = metrics.iter().map(|m| self.metric_used(*m)).collect();
        if self.args.explain {
            self.explain(&mut used, &mut models)?;
        }
        let skipped = self.skipped(&originals, done);
        let mut report = Report {
            title: format!("vitok evaluate: {}", self.title()),
            version: env!("CARGO_PKG_VERSION"),
            date: time::OffsetDateTime::now_utc().date().to_string(),
            command: command(),
            protocol: self.protocol_used(&originals, done),
            networks: self.networks.used.clone(),
            warnings: self.warnings(&models, skipped.len()),
            skipped,
            metrics: used,
            images: self.names(done),
            models,
            shown: Vec::new(),
        };
        if !self.is_unpaired() {
            report.shown = self.gallery(done)?;
        }
        Ok(report)
    }

    fn title(&self) -> String {
        match self.args.inputs.as_slice() {
            [] => "generated images".into(),
            [one] => Path::new(one)
                .file_name()
                .map_or(one.clone(), |n| n.to_string_lossy().into()),
            [first, rest @ ..] => format!("{first} and {} more", rest.len()),
        }
    }

    fn metric_used(&self, metric: Metric) -> MetricUsed {
        MetricUsed {
            key: metric.key().into(),
            name: metric.title(self.protocol.network),
            unit: metric.unit(),
            better: Some(metric.better()),
            about: metric.about().into(),
            source: metric.source(),
            per_image: metric.is_full_reference(),
        }
    }

    fn names(&self, done: &[Done]) -> Vec<String> {
        match (self.is_unpaired(), done.first()) {
            (false, Some(done)) => without_folder(&done.records),
            _ => Vec::new(),
        }
    }

    fn protocol_used(&self, originals: &Option<Done>, done: &[Done]) -> ProtocolUsed {
        let records = originals
            .as_ref()
            .or(done.first())
            .map(|done| done.records.as_slice());
        let records = records.unwrap_or_default();
        let (reference, hash, count) = match (&self.statistics, &self.args.reference) {
            (Some(statistics), Some(path)) => {
                let hash = vitok::files::sha256_of_file(path).unwrap_or_default();
                let count = statistics.count.unwrap_or(0);
                (path.display().to_string(), hash, count)
            }
            _ => {
                let count = records.iter().filter(|r| r.skipped.is_none()).count();
                (self.args.inputs.join(", "), pixels_hash(records), count)
            }
        };
        ProtocolUsed {
            name: self.protocol.title(),
            text: self.protocol.text(),
            reference,
            reference_hash: hash,
            reference_count: count,
        }
    }

    fn skipped(&self, originals: &Option<Done>, done: &[Done]) -> Vec<Skipped> {
        let mut skipped = Vec::new();
        let mut add = |side: &str, records: &[Record]| {
            for record in records {
                let Some(reason) = &record.skipped else {
                    continue;
                };
                // Reasons that name the file need not do so twice.
                let reason = reason
                    .strip_prefix(&format!("{}: ", record.name))
                    .unwrap_or(reason);
                skipped.push(Skipped {
                    file: record.name.clone(),
                    reason: format!("{side}: {reason}"),
                });
            }
        };
        if let Some(originals) = originals {
            add(ORIGINALS, &originals.records);
        }
        for (candidate, done) in self.candidates.iter().zip(done) {
            add(candidate.name(), &done.records);
        }
        skipped
    }

    fn warnings(&self, models: &[Model], skipped: usize) -> Vec<String> {
        let mut warnings = self.networks.missing.clone();
        let dims = self.protocol.network.features();
        let frechet = Metric::Frechet.title(self.protocol.network);
        let few = models.iter().map(|model| model.count).min().unwrap_or(0);
        if self.networks.metrics.contains(&Metric::Frechet) && few < dims {
            let kid = Metric::Kid.title(self.protocol.network);
            warnings.push(format!(
                "{frechet} of {few} images on {dims} features: too high, and not to be compared with any \
                 of another number of images. {kid} hardly depends on it"
            ));
        }
        if let Some((name, count)) = self.protocol.expected
            && models.iter().any(|model| model.count != count)
        {
            warnings.push(format!(
                "{} is meant for {name}, which has {count} images; these are {few}",
                self.protocol.name
            ));
        }
        if skipped > 0 {
            warnings.push(format!("{skipped} images were skipped; see the list"));
        }
        if let (Some(originals), false) = (&self.originals, self.is_unpaired()) {
            for candidate in &self.candidates {
                let Candidate::Files { name, items } = candidate else {
                    continue;
                };
                if items.len() > originals.len() {
                    let left = items.len() - originals.len();
                    warnings.push(format!(
                        "{name}: {left} outputs more than originals, not looked at"
                    ));
                }
            }
        }
        warnings
    }

    /// A candidate's output of one original.
    fn output(
        &self,
        candidate: &Candidate,
        model: Option<&Tokenizer>,
        original: &[Image],
        place: Option<usize>,
    ) -> Result<Vec<Image>> {
        match (candidate, model, place) {
            (_, Some(model), _) => Ok(make(model, &[original])?.remove(0)),
            (Candidate::Files { items, .. }, None, Some(place)) => Ok(items.read(place)?.frames),
            (candidate, ..) => bail!("{}: an output has gone", candidate.name()),
        }
    }

    fn gallery(&self, done: &[Done]) -> Result<Vec<report::Shown>> {
        let Some(originals) = &self.originals else {
            return Ok(Vec::new());
        };
        // What one of them lacks cannot be shown beside the others.
        let whole: Vec<bool> = (0..originals.len())
            .map(|i| done.iter().all(|done| done.records[i].skipped.is_none()))
            .collect();
        let scores = |metric: Metric| -> Vec<Vec<Option<f64>>> {
            let of = |done: &Done| {
                let scores = done.records.iter().zip(&whole);
                scores
                    .map(|(r, whole)| r.score(metric).filter(|_| *whole))
                    .collect()
            };
            done.iter().map(of).collect()
        };
        let names: Vec<String> = self
            .candidates
            .iter()
            .map(|c| c.name().to_owned())
            .collect();
        let mut choices = gallery::choose(&self.networks.metrics, scores, &names);
        choices.truncate(if self.args.frames > 1 { 4 } else { 12 });
        let mut clips = Vec::new();
        for (index, _) in &choices {
            clips.push(originals.read(*index)?);
        }
        let mut outputs = vec![Vec::new(); choices.len()];
        for candidate in &self.candidates {
            let (model, matched) = self.ready(candidate)?;
            for (((index, _), clip), outputs) in choices.iter().zip(&clips).zip(&mut outputs) {
                let place = matched.as_ref().and_then(|matched| matched[*index]);
                outputs.push(self.output(candidate, model.as_ref(), &clip.frames, place)?);
            }
        }
        let shown = choices.into_iter().zip(&clips).zip(&outputs);
        shown
            .map(|((choice, clip), outputs)| gallery::show(choice, clip, outputs))
            .collect()
    }

    /// A candidate's model, or which of its files belongs to which original.
    #[allow(clippy::type_complexity)]
    fn ready(
        &self,
        candidate: &Candidate,
    ) -> Result<(Option<Tokenizer>, Option<Vec<Option<usize>>>)> {
        Ok(match (candidate, &self.originals) {
            (Candidate::Model(name), _) => (Some(self.load(name)?), None),
            (Candidate::Files { items, .. }, Some(originals)) => {
                (None, Some(originals.matched(items)?))
            }
            _ => (None, None),
        })
    }

    /// Adds the variants of every score to the report.
    fn explain(&self, used: &mut Vec<MetricUsed>, models: &mut [Model]) -> Result<()> {
        let Some(originals) = &self.originals else {
            bail!("--explain compares images with their originals; there are none");
        };
        if self.is_unpaired() || self.args.frames > 1 {
            bail!("--explain is for images with originals: not with --unpaired or --frames");
        }
        for (number, (candidate, model)) in self.candidates.iter().zip(models).enumerate() {
            let mut explain = Explain::new(&self.protocol, self.networks.extractor.as_ref());
            let (tokenizer, matched) = self.ready(candidate)?;
            let bar = batch::progress(originals.len());
            bar.set_message(format!("explaining {}", candidate.name()));
            let mut pairs = Vec::new();
            for index in 0..originals.len() {
                let place = matched.as_ref().and_then(|matched| matched[index]);
                // What cannot be read was skipped before, and is named there.
                if let Ok(original) = originals.read(index)
                    && let Ok(output) =
                        self.output(candidate, tokenizer.as_ref(), &original.frames, place)
                    && let (Some(a), Some(b)) = (original.frames.first(), output.first())
                    && a.size() == b.size()
                {
                    pairs.push((a.clone(), b.clone()));
                }
                if pairs.len() == EXPLAINED {
                    explain.add(&std::mem::take(&mut pairs))?;
                }
                bar.inc(1);
            }
            explain.add(&pairs)?;
            bar.finish_and_clear();
            for (metric, score) in explain.finish()? {
                model.scores.insert(metric.key.clone(), score);
                if number == 0 {
                    used.push(metric);
                }
            }
        }
        Ok(())
    }
}

/// The protocol named, with what the command line changes of it.
fn protocol(args: &EvaluateArgs) -> Result<Protocol> {
    let mut protocol = Protocol::named(&args.protocol).with_context(|| {
        let names: Vec<&str> = vitok::evaluate::PROTOCOLS.iter().map(|p| p.name).collect();
        format!(
            "no protocol is called {}; there are {}",
            args.protocol,
            names.join(", ")
        )
    })?;
    if let Some(side) = args.center_crop {
        protocol.crop = Some(side);
        protocol.expected = None;
    }
    let network = match (&args.network, args.frames) {
        (Some(network), _) => Some(*network),
        // Images' networks know no time.
        (None, 2..) => Some(FeatureNetwork::I3d),
        (None, _) => None,
    };
    if let Some(network) = network.filter(|network| *network != protocol.network) {
        protocol.network = network;
        protocol.preprocess = network.preprocess();
    }
    Ok(protocol)
}

/// Names without the folder that all of them are in.
fn without_folder(records: &[Record]) -> Vec<String> {
    let mut names = records.iter().map(|record| record.name.as_str());
    let folder = |name: &str| name.rfind('/').map_or(0, |slash| slash + 1);
    let mut common = names.next().map_or("", |name| &name[..folder(name)]);
    for name in names {
        while !name.starts_with(common) {
            common = &common[..folder(&common[..common.len() - 1])];
        }
    }
    let names = records
        .iter()
        .map(|record| record.name[common.len()..].to_owned());
    names.collect()
}

/// Of the pixels of a set, whatever its files are called and in whichever order they come.
fn pixels_hash(records: &[Record]) -> String {
    let done = records.iter().filter(|record| record.skipped.is_none());
    let mut hashes: Vec<&str> = done.map(|record| record.pixels.as_str()).collect();
    hashes.sort_unstable();
    hexadecimal(&Sha256::digest(hashes.concat()))
}

/// The command line, for who wants the same again.
fn command() -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@{}%+".contains(c);
    let quoted =
        std::env::args()
            .skip(1)
            .map(|arg| match arg.chars().all(plain) && !arg.is_empty() {
                true => arg,
                false => format!("'{}'", arg.replace('\'', "'\\''")),
            });
    format!("vitok {}", quoted.collect::<Vec<_>>().join(" "))
}
