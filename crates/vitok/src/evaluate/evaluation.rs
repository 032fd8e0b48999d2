//! An evaluation with all it needs opened: the passes over originals and outputs.

use std::collections::BTreeSet;
use std::path::Path;

use super::baselines::Unread;
use super::candidate::{Candidate, OutputSource};
use super::clip_set::{ClipSet, ClipSetOptions};
use super::computation::Computation;
use super::config::EvaluateConfig;
use super::networks::{self, Networks, Wanted};
use super::open_candidate::OpenCandidate;
use super::pairs::{ClipPairs, Outputs};
use super::pass::Pass;
use super::passed::Passed;
use super::protocol::Protocol;
use super::scored_before::ScoredBefore;
use super::store::Store;
use super::store_folder::StoreFolder;
use crate::metrics::{FeatureStatistics, read_statistics};
use crate::observe::{Event, Observer};
use crate::weights::pretrained::PretrainedWeights;
use crate::{Device, Error, Result};

/// What the originals are called where candidates have their names.
pub(super) const ORIGINALS: &str = "originals";

/// An evaluation, opened.
pub(super) struct Evaluation<'a> {
    pub(super) config: &'a EvaluateConfig,
    pub(super) observer: &'a dyn Observer,
    pub(super) protocol: Protocol,
    pub(super) originals: Option<ClipSet>,
    pub(super) statistics: Option<FeatureStatistics>,
    pub(super) candidates: Vec<OpenCandidate>,
    pub(super) networks: Networks,
    /// What of the data that PCA is fitted on could not be read.
    pub(super) unread: Vec<Unread>,
    stores: StoreFolder,
}

/// All passes of an evaluation.
pub(super) struct Passes {
    /// Over the originals, where their features are needed.
    pub(super) originals: Option<Passed>,
    /// Over the outputs of each candidate.
    pub(super) candidates: Vec<Passed>,
}

impl<'a> Evaluation<'a> {
    /// Opens datasets and networks, and fits baselines.
    pub(super) fn open(config: &'a EvaluateConfig, device: &Device, observer: &'a dyn Observer) -> Result<Self> {
        let protocol = config.resolved_protocol();
        let open = |inputs: &[String]| -> Result<ClipSet> {
            ClipSet::open(
                inputs,
                ClipSetOptions {
                    protocol,
                    max_frames: config.max_frames,
                    max_pixels: config.max_pixels,
                    exclude: config.out.as_deref(),
                },
            )
        };
        let mut originals = match config.originals.is_empty() {
            true => None,
            false => Some(open(&config.originals)?),
        };
        if let Some(baselines) = &config.baselines {
            baselines.check()?;
        }
        // Looking up the true path of every file takes its time, so only where there is a use.
        let to_fit = originals.as_ref().filter(|_| config.fits_pca());
        let all_originals = to_fit.map(ClipSet::identities).unwrap_or_default();
        if let (Some(originals), Some(limit)) = (&mut originals, config.limit) {
            originals.limit(limit);
        }
        let paired_with = originals.as_ref().filter(|_| !config.is_unpaired());
        let opened = |candidate: &Candidate| OpenCandidate::open(candidate, paired_with, config.max_frames, open);
        let mut candidates = config.candidates.iter().map(opened).collect::<Result<Vec<_>>>()?;
        let sets = originals
            .iter()
            .chain(candidates.iter().flat_map(OpenCandidate::file_set));
        sets.flat_map(ClipSet::warnings)
            .for_each(|warning| observer.event(Event::Warning(warning)));
        let networks = load_networks(config, &protocol, device)?;
        let statistics = match &config.reference {
            Some(path) => Some(statistics_for(path, &protocol)?),
            None => None,
        };
        // Nothing is written before all else is known to be right.
        let stores = StoreFolder::open(config, &protocol, device)?;
        let mut unread = Vec::new();
        if let Some(baselines) = &config.baselines {
            let (codecs, failed) = baselines.candidates(open, &all_originals, observer)?;
            unread = failed;
            let codecs = codecs.into_iter();
            candidates.extend(codecs.map(|candidate| OpenCandidate { candidate, files: None }));
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = candidates.iter().find(|one| !names.insert(one.name())) {
            return Err(Error::InvalidArgument(format!("{} is given twice", twice.name())));
        }
        Ok(Self {
            config,
            observer,
            protocol,
            originals,
            statistics,
            candidates,
            networks,
            unread,
            stores,
        })
    }

    /// Does what is left of every pass.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asks for it; what is done stays in the stores.
    pub(super) fn run(&self) -> Result<Passes> {
        let originals = match (&self.originals, &self.networks.extractor, &self.statistics) {
            (Some(originals), Some(extractor), None) => {
                let pass = Pass {
                    title: ORIGINALS,
                    pairs: ClipPairs {
                        originals,
                        outputs: Outputs::None,
                    },
                    scorer: None,
                    extractor: Some(extractor),
                };
                Some(self.pass("", pass, None)?)
            }
            _ => None,
        };
        let mut candidates = Vec::new();
        for open in &self.candidates {
            let pass = Pass {
                title: open.name(),
                pairs: self.pairs(open)?,
                scorer: (!self.config.is_unpaired()).then_some(&self.networks.scorer),
                extractor: self.networks.extractor.as_ref(),
            };
            let kind = open.candidate.kind().to_string();
            candidates.push(self.pass(&kind, pass, open.candidate.codec_identity())?);
        }
        Ok(Passes { originals, candidates })
    }

    /// The originals and a candidate's outputs; unpaired outputs stand for themselves.
    pub(super) fn pairs<'b>(&'b self, open: &'b OpenCandidate) -> Result<ClipPairs<'b>> {
        let originals = self.originals.as_ref().filter(|_| !self.config.is_unpaired());
        match (open.candidate.source(), &open.files, originals) {
            (OutputSource::Codec { codec, .. }, _, Some(originals)) => Ok(ClipPairs {
                originals,
                outputs: Outputs::Codec(codec.as_ref()),
            }),
            (_, Some((files, matched)), Some(originals)) => Ok(ClipPairs {
                originals,
                outputs: Outputs::Files(files, matched),
            }),
            (_, Some((files, _)), None) => Ok(ClipPairs {
                originals: files,
                outputs: Outputs::None,
            }),
            _ => Err(Error::InvalidArgument(format!("{} has no originals", open.name()))),
        }
    }

    /// Does what is left of a pass, and returns all of it.
    fn pass(&self, kind: &str, pass: Pass, codec: Option<String>) -> Result<Passed> {
        let folder = self.stores.of_pass(kind, pass.title);
        let networks = self.networks.used.iter();
        let networks = networks.map(|used| (used.name.clone(), used.sha256.clone()));
        let changes = Computation::new(codec, networks).prepare(&folder)?;
        let note = |text: String| self.observer.event(Event::Note(&format!("{}: {text}", pass.title)));
        if !changes.is_empty() {
            let changes = changes.join(", ");
            note(format!(
                "changed since the last run: {changes}. Everything is scored again"
            ));
        }
        let widths = match pass.extractor {
            Some(extractor) => [Some(extractor.kind().features()), extractor.kind().logits()],
            None => [None, None],
        };
        let mut store = Store::open(&folder, widths)?;
        let before = ScoredBefore::look_up(&pass, &store, self.observer)?;
        before.in_words().into_iter().for_each(note);
        let mut outcomes = before.outcomes;
        let finished = pass.run(&mut outcomes, &mut store, self.observer)?;
        let done: Vec<_> = outcomes.into_iter().flatten().collect();
        let count = pass.pairs.originals.len();
        if !finished || done.len() < count {
            let done = done.len();
            self.observer.event(Event::Note(&format!(
                "stopped after {done} of {count}; what is done is kept"
            )));
            return Err(Error::Cancelled);
        }
        let names = (0..count).map(|index| pass.pairs.originals.name(index).to_owned());
        Ok(Passed::new(names.collect(), done, store))
    }
}

/// Loads the networks of the metrics, of which at least one must be left.
fn load_networks(config: &EvaluateConfig, protocol: &Protocol, device: &Device) -> Result<Networks> {
    for name in config.weights.keys() {
        PretrainedWeights::by_name(name)?;
    }
    let wanted = Wanted {
        metrics: config.metrics.as_deref(),
        paired: !config.is_unpaired(),
        max_frames: config.max_frames,
    };
    let networks = networks::load(&wanted, protocol, &config.weights, device)?;
    if networks.metrics.is_empty() {
        return Err(Error::InvalidArgument(format!(
            "no score is left:\n{}",
            networks.missing.warnings.join("\n")
        )));
    }
    Ok(networks)
}

/// Reads statistics of the originals, and refuses those of another network's features.
fn statistics_for(path: &Path, protocol: &Protocol) -> Result<FeatureStatistics> {
    let statistics = read_statistics(path)?;
    let features = protocol.network.features();
    if statistics.dims() == features {
        return Ok(statistics);
    }
    Err(Error::Data {
        name: path.display().to_string(),
        reason: format!(
            "statistics of {} features; {} has {features}",
            statistics.dims(),
            protocol.network
        ),
    })
}
