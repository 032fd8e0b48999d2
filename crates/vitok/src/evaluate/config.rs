//! What an evaluation is asked for.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::baselines::{Baselines, PcaSource};
use super::candidate::Candidate;
use super::metric::Metric;
use super::protocol::Protocol;
use crate::features::FeatureNetwork;
use crate::media::ReadOptions;
use crate::metrics::KidOptions;
use crate::{Error, Result};

/// Everything an evaluation depends on but the device. [`EvaluateConfig::new`] has the usual values.
#[derive(Clone, Debug)]
pub struct EvaluateConfig {
    /// Data sets of the originals: images, folders, lists of paths, tar shards. May be empty where there is a
    /// [`reference`](Self::reference).
    pub originals: Vec<String>,
    /// What is scored.
    pub candidates: Vec<Candidate>,
    /// Codes without a network to score beside them.
    pub baselines: Option<Baselines>,
    /// How files are read, cropped and resized, and which network distances between sets are taken on.
    pub protocol: Protocol,
    /// Another network than the protocol's. Clips have I3D if this is none.
    pub network: Option<FeatureNetwork>,
    /// The scores wanted, whose weights must be there; none: all whose weights are there.
    pub metrics: Option<Vec<Metric>>,
    /// Weight files to use instead of the downloaded ones, by their names in
    /// [`pretrained_weights`](crate::weights::pretrained::pretrained_weights).
    pub weights: BTreeMap<String, PathBuf>,
    /// Most frames of a clip; 1 scores images. With more, animations and folders of still images are clips.
    pub max_frames: usize,
    /// Only the first so many originals.
    pub limit: Option<usize>,
    /// The outputs have no originals each: a generator's. Only sets are compared.
    pub unpaired: bool,
    /// A file of the originals' statistics (pytorch-fid's .npz) to use instead of their features.
    pub reference: Option<PathBuf>,
    /// Where to write the originals' statistics.
    pub save_reference: Option<PathBuf>,
    /// Bootstrap resamples behind 95 % intervals, of distances between sets at most 100; 0 for no intervals.
    pub resamples: usize,
    /// Subsets of KID.
    pub kid: KidOptions,
    /// Score images also in the other common ways, to explain a number that differs; several times the work.
    pub explain: bool,
    /// Images of more pixels than this are not decoded.
    pub max_pixels: u64,
    /// Folder of the evaluation. What is done is stored in it; a stopped evaluation goes on from there, and what has not
    /// changed is not scored again. None: a temporary folder.
    pub out: Option<PathBuf>,
    /// Score everything again: drop all that is stored in [`out`](Self::out).
    pub restart: bool,
    /// The command that stands in the report, for who wants the same again; may be empty.
    pub command: String,
}

impl EvaluateConfig {
    /// Originals and candidates by the protocol `native`, every score whose weights are there.
    pub fn new(originals: Vec<String>, candidates: Vec<Candidate>) -> Self {
        Self {
            originals,
            candidates,
            baselines: None,
            protocol: Protocol::NATIVE,
            network: None,
            metrics: None,
            weights: BTreeMap::new(),
            max_frames: 1,
            limit: None,
            unpaired: false,
            reference: None,
            save_reference: None,
            resamples: 1000,
            kid: KidOptions::default(),
            explain: false,
            max_pixels: ReadOptions::default().max_pixels,
            out: None,
            restart: false,
            command: String::new(),
        }
    }

    /// An evaluation for each of these sides in pixels, of images cropped to squares of it. With several, each has a
    /// folder of its own, `OUT/SIDE`, and a PCA that is fitted is saved at the first. Without any, the evaluation as it
    /// is.
    pub fn at_sizes(&self, sides: &[usize]) -> Vec<Self> {
        if sides.is_empty() {
            return vec![self.clone()];
        }
        let at = |(i, &side): (usize, &usize)| {
            let mut config = self.clone();
            config.protocol = self.protocol.with_center_crop(side);
            if sides.len() > 1 {
                config.out = self.out.as_ref().map(|out| out.join(side.to_string()));
            }
            if let (
                1..,
                Some(Baselines {
                    pca: PcaSource::Fit { save, .. },
                    ..
                }),
            ) = (i, &mut config.baselines)
            {
                *save = None;
            }
            config
        };
        sides.iter().enumerate().map(at).collect()
    }

    /// Whether outputs are compared as sets only, not with an original each.
    pub(super) fn is_unpaired(&self) -> bool {
        self.unpaired || self.originals.is_empty()
    }

    /// Whether a PCA is fitted.
    pub(super) fn fits_pca(&self) -> bool {
        matches!(&self.baselines, Some(baselines) if matches!(baselines.pca, PcaSource::Fit { .. }))
    }

    /// The protocol with the network of this evaluation.
    pub(super) fn resolved_protocol(&self) -> Protocol {
        match (self.network, self.max_frames) {
            (Some(network), _) => self.protocol.with_network(network),
            // Networks of images know no time.
            (None, 2..) => self.protocol.with_network(FeatureNetwork::I3d),
            (None, _) => self.protocol,
        }
    }

    /// Refuses what contradicts itself, before anything is read.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`], or [`Error::TooFewFrames`] for candidates of clips where images are scored.
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |reason: &str| Err(Error::InvalidArgument(reason.to_owned()));
        if self.candidates.is_empty() && self.baselines.is_none() {
            return wrong("nothing to score: there are no candidates");
        }
        let makes_outputs = self.baselines.is_some() || self.candidates.iter().any(Candidate::is_codec);
        if self.originals.is_empty() && (self.reference.is_none() || makes_outputs) {
            return wrong("no originals: only outputs on disk, and with statistics of originals, are scored without");
        }
        if self.is_unpaired() && makes_outputs {
            return wrong("reconstructions have originals; only outputs on disk are scored unpaired");
        }
        if self.max_frames == 0 {
            return wrong("clips have at least one frame");
        }
        if self.explain && (self.is_unpaired() || self.max_frames > 1) {
            return wrong(
                "only images with originals can be scored in the other common ways, not clips or unpaired sets",
            );
        }
        Ok(())
    }
}
