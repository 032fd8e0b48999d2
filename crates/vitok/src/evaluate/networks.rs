//! The networks behind the metrics: which are wanted, where their weights are, what is left out without them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::full_reference::PairScorer;
use super::metric::Metric;
use super::protocol::Protocol;
use crate::features::{Backbone, Extractor, Lpips, StateDictLoader};
use crate::weights::pretrained::{find, metrics_folder};
use crate::{Device, Error, Remedy, Result};

/// A network that was used, for the report.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkUsed {
    /// Its name.
    pub name: String,
    /// Its weight file, without the folder: a report is shown to others.
    pub file: String,
    /// SHA-256 of that file.
    pub sha256: String,
    /// How images become its input.
    pub preprocessing: String,
}

/// The metrics that are scored, and what scores them.
pub(super) struct Networks {
    pub(super) metrics: Vec<Metric>,
    pub(super) scorer: PairScorer,
    pub(super) extractor: Option<Extractor>,
    pub(super) used: Vec<NetworkUsed>,
    pub(super) missing: Missing,
}

/// Metrics that are left out.
#[derive(Default)]
pub(super) struct Missing {
    /// Which, and why.
    pub(super) warnings: Vec<String>,
    /// What would bring them in.
    pub(super) remedies: Vec<Remedy>,
}

impl Missing {
    fn add(&mut self, titles: &[String], error: &Error) {
        let verb = if titles.len() > 1 { "are" } else { "is" };
        let titles = titles.join(", ");
        self.warnings
            .push(format!("{titles} {verb} left out. {}", error.message()));
        for remedy in error.remedies() {
            if !self.remedies.contains(&remedy) {
                self.remedies.push(remedy);
            }
        }
    }
}

/// Which metrics an evaluation can have.
pub(super) struct Wanted<'a> {
    /// The metrics asked for, whose weights must be there; none: all whose weights are there.
    pub(super) metrics: Option<&'a [Metric]>,
    /// Whether outputs have originals.
    pub(super) paired: bool,
    /// Most frames of a clip.
    pub(super) max_frames: usize,
}

impl Wanted<'_> {
    fn is_possible(&self, metric: Metric, protocol: &Protocol) -> bool {
        match metric.is_full_reference() {
            true => self.paired,
            false => self.max_frames >= protocol.network.min_frames(),
        }
    }

    /// The metrics to load, or why one that was asked for is impossible.
    fn metrics(&self, protocol: &Protocol) -> Result<Vec<Metric>> {
        let Some(asked) = self.metrics else {
            let all = Metric::ALL.into_iter();
            return Ok(all.filter(|metric| self.is_possible(*metric, protocol)).collect());
        };
        let Some(metric) = asked.iter().find(|metric| !self.is_possible(**metric, protocol)) else {
            return Ok(asked.to_vec());
        };
        let title = metric.title(protocol.network);
        Err(match metric.is_full_reference() {
            true => Error::InvalidArgument(format!("{title} compares images with their originals; here are none")),
            false => Error::TooFewFrames {
                what: title,
                needed: protocol.network.min_frames(),
                most: self.max_frames,
            },
        })
    }
}

/// Loads what the metrics need. Those asked for must be there; of all that there are, those without weights are left out.
pub(super) fn load(
    wanted: &Wanted,
    protocol: &Protocol,
    weights: &BTreeMap<String, PathBuf>,
    device: &Device,
) -> Result<Networks> {
    let mut networks = Networks {
        metrics: Vec::new(),
        scorer: PairScorer::new([], Vec::new()),
        extractor: None,
        used: Vec::new(),
        missing: Missing::default(),
    };
    let finder = Finder { weights, device };
    let mut perceptual = Vec::new();
    let mut without_extractor = Vec::new();
    for metric in wanted.metrics(protocol)? {
        let loaded = match metric.is_full_reference() {
            true => networks.add_perceptual(metric, &finder, &mut perceptual),
            false => networks.add_extractor(protocol, &finder),
        };
        match loaded {
            Ok(()) => networks.metrics.push(metric),
            Err(error) if wanted.metrics.is_some() => return Err(error),
            Err(error) if metric.is_full_reference() => {
                networks.missing.add(&[metric.title(protocol.network)], &error);
            }
            Err(error) => without_extractor.push((metric, error)),
        }
    }
    // Five metrics of one network: one line.
    if let Some((_, error)) = without_extractor.first() {
        let titles = without_extractor
            .iter()
            .map(|(metric, _)| metric.title(protocol.network));
        networks.missing.add(&titles.collect::<Vec<_>>(), error);
    }
    let mut scored = networks.metrics.clone();
    // The PSNR of all images together is made of their errors.
    if scored.contains(&Metric::Psnr) && !scored.contains(&Metric::Mse) {
        scored.push(Metric::Mse);
    }
    networks.scorer = PairScorer::new(scored, perceptual);
    Ok(networks)
}

/// Where weight files are.
struct Finder<'a> {
    weights: &'a BTreeMap<String, PathBuf>,
    device: &'a Device,
}

impl Finder<'_> {
    fn open(&self, name: &str) -> Result<StateDictLoader> {
        let path = match self.weights.get(name) {
            Some(path) => path.clone(),
            None => find(name, &metrics_folder()?)?,
        };
        StateDictLoader::open(&path, self.device)
    }
}

impl Networks {
    /// Loads the network of a full-reference metric, if it has one.
    fn add_perceptual(&mut self, metric: Metric, finder: &Finder, loaded: &mut Vec<(Metric, Lpips)>) -> Result<()> {
        let (backbone, heads) = match metric.weights() {
            [] => return Ok(()),
            [both] => {
                let both = finder.open(both)?;
                (both.clone(), both)
            }
            [backbone, heads, ..] => (finder.open(backbone)?, finder.open(heads)?),
        };
        let network = match metric {
            Metric::LpipsVgg => Backbone::vgg16(&backbone)?,
            Metric::LpipsAlex => Backbone::alexnet(&backbone)?,
            _ => Backbone::shift_tolerant_vgg16(&backbone)?,
        };
        loaded.push((metric, Lpips::new(network, &heads)?));
        for (name, source) in metric.weights().iter().zip([&backbone, &heads]) {
            let preprocessing = "bytes as x / 127.5 - 1, at the image's own size".to_owned();
            self.used.push(NetworkUsed::new(name, source, preprocessing));
        }
        Ok(())
    }

    /// Loads the network of all metrics of sets, once.
    fn add_extractor(&mut self, protocol: &Protocol, finder: &Finder) -> Result<()> {
        if self.extractor.is_some() {
            return Ok(());
        }
        let source = finder.open(protocol.network.name())?;
        let extractor = Extractor::load(protocol.network, &source, protocol.preprocess)?;
        let used = NetworkUsed::new(protocol.network.title(), &source, protocol.input());
        self.used.push(used);
        self.extractor = Some(extractor);
        Ok(())
    }
}

impl NetworkUsed {
    fn new(name: &str, source: &StateDictLoader, preprocessing: String) -> Self {
        let path: &Path = source.path();
        let file = path.file_name().unwrap_or(path.as_os_str());
        Self {
            name: name.into(),
            file: file.to_string_lossy().into_owned(),
            sha256: source.sha256().into(),
            preprocessing,
        }
    }
}
