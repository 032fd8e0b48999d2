//! The networks behind the scores: which are wanted, where their weights are, what is left out
//! without them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;
use vitok::Device;
use vitok::evaluate::{Metric, PairScorer, Protocol};
use vitok::weights::pretrained::{find, metrics_folder};
use vitok::features::{Extractor, Lpips, Source, Backbone};

/// A network that was used, for the report.
#[derive(Clone, Debug, Serialize)]
pub struct Used {
    pub name: String,
    pub file: String,
    pub sha256: String,
    pub preprocessing: String,
}

/// What scores.
pub struct Networks {
    pub metrics: Vec<Metric>,
    pub scorer: PairScorer,
    pub extractor: Option<Extractor>,
    pub used: Vec<Used>,
    /// What is left out, and why.
    pub missing: Vec<String>,
}

/// Loads what the metrics need. Those asked for must be there; without a choice of the user's
/// (`asked` is none) those without weights are left out.
pub fn load(
    asked: Option<&[Metric]>,
    possible: impl Fn(Metric) -> bool,
    protocol: &Protocol,
    weights: &HashMap<String, PathBuf>,
    device: &Device,
) -> Result<Networks> {
    let mut networks = Networks {
        metrics: Vec::new(),
        scorer: PairScorer::new([], Vec::new()),
        extractor: None,
        used: Vec::new(),
        missing: Vec::new(),
    };
    let finder = Finder { weights, device };
    let candidates = match asked {
        Some(asked) => asked.to_vec(),
        None => Metric::ALL.into_iter().filter(|m| possible(*m)).collect(),
    };
    if let Some(metric) = candidates.iter().find(|m| !possible(**m)) {
        let title = metric.title(protocol.network);
        match metric.is_full_reference() {
            true => bail!("{title} compares images with their originals; here are none"),
            false => bail!(
                "{title} needs clips: give --frames {} or more",
                protocol.network.least_frames()
            ),
        }
    }
    let mut perceptual = Vec::new();
    let mut without_network = Vec::new();
    for metric in candidates {
        let loaded = match metric.is_full_reference() {
            true => networks.add_perceptual(metric, &finder, &mut perceptual),
            false => networks.add_extractor(protocol, &finder),
        };
        match loaded {
            Ok(()) => networks.metrics.push(metric),
            Err(error) if asked.is_some() => return Err(error),
            Err(error) if metric.is_full_reference() => {
                let title = metric.title(protocol.network);
                networks
                    .missing
                    .push(format!("{title} is left out. {error}"));
            }
            Err(error) => without_network.push((metric, error)),
        }
    }
    // Five scores of one network: one line.
    if let Some((_, error)) = without_network.first() {
        let titles = without_network
            .iter()
            .map(|(m, _)| m.title(protocol.network));
        let titles = titles.collect::<Vec<_>>().join(", ");
        networks
            .missing
            .push(format!("{titles} are left out. {error}"));
    }
    networks.scorer = PairScorer::new(networks.metrics.iter().copied(), perceptual);
    Ok(networks)
}

struct Finder<'a> {
    weights: &'a HashMap<String, PathBuf>,
    device: &'a Device,
}

impl Finder<'_> {
    fn open(&self, name: &str) -> vitok::Result<Source> {
        let path = match self.weights.get(name) {
            Some(path) => path.clone(),
            None => find(name, &metrics_folder()?)?,
        };
        Source::open(&path, self.device)
    }
}

impl Networks {
    fn add_perceptual(
        &mut self,
        metric: Metric,
        finder: &Finder,
        loaded: &mut Vec<(Metric, Lpips)>,
    ) -> Result<()> {
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
        let names = metric.weights();
        for (name, source) in names.iter().zip([&backbone, &heads]) {
            self.used.push(Used {
                name: (*name).into(),
                file: file_name(source.path()),
                sha256: source.sha256().into(),
                preprocessing: "bytes as x / 127.5 - 1, at the image's own size".into(),
            });
        }
        Ok(())
    }

    fn add_extractor(&mut self, protocol: &Protocol, finder: &Finder) -> Result<()> {
        if self.extractor.is_some() {
            return Ok(());
        }
        let source = finder.open(protocol.network.name())?;
        let extractor = Extractor::load(protocol.network, &source, protocol.preprocess)?;
        self.used.push(Used {
            name: protocol.network.title().into(),
            file: file_name(source.path()),
            sha256: source.sha256().into(),
            preprocessing: protocol.input(),
        });
        self.extractor = Some(extractor);
        Ok(())
    }
}

/// Without its folder: a report is shown to others.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}
