//! The report as data.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Remedy;
use crate::evaluate::candidate::CandidateKind;
use crate::evaluate::metric::Better;
use crate::evaluate::networks::NetworkUsed;
use crate::media::Image;

/// What an evaluation found. Serialized, it is `scores.json` and the data of `report.html`.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// What was evaluated, in words.
    pub title: String,
    /// Version of this library.
    pub version: &'static str,
    /// Day of the evaluation, UTC, as 2026-01-31.
    pub date: String,
    /// The command that gives the same again; may be empty.
    pub command: String,
    /// How images were read, cropped and compared.
    pub protocol: ProtocolUsed,
    /// Networks behind the metrics.
    pub networks: Vec<NetworkUsed>,
    /// Clips that are not in the scores.
    pub skipped: Vec<Skipped>,
    /// What a reader should know before comparing the scores with others.
    pub warnings: Vec<String>,
    /// What would bring in the metrics that were left out.
    #[serde(skip)]
    pub remedies: Vec<Remedy>,
    /// The rows of the scores.
    pub metrics: Vec<MetricUsed>,
    /// The scores of each candidate.
    pub models: Vec<ModelScores>,
    /// Names of the images or clips, in the order of every [`ModelScores::per_image`].
    pub images: Vec<String>,
    /// Images to look at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<GalleryItem>,
    /// The first images, a row each: the original and every candidate's output, below their names.
    #[serde(skip)]
    pub sheet: Option<Image>,
}

/// The protocol of an evaluation, and the originals.
#[derive(Clone, Debug, Serialize)]
pub struct ProtocolUsed {
    /// Its name, and what was changed of it.
    pub name: String,
    /// What it says, a sentence each.
    pub text: Vec<String>,
    /// The originals as named by the user, or the file of their statistics.
    pub reference: String,
    /// SHA-256 of the originals' pixels, whatever their names and order, or of the file of statistics.
    pub reference_hash: String,
    /// Number of originals.
    pub reference_count: usize,
}

/// A clip that is not in the scores.
#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    /// The original.
    pub file: String,
    /// Whose scores it is missing in, and why.
    pub reason: String,
}

/// A row of the scores.
#[derive(Clone, Debug, Serialize)]
pub struct MetricUsed {
    /// Its key in [`ModelScores::scores`].
    pub key: String,
    /// Its name for people.
    pub name: String,
    /// Its unit.
    pub unit: Option<&'static str>,
    /// Which direction is better; none where neither is.
    pub better: Option<Better>,
    /// Formula and convention.
    pub about: String,
    /// The paper.
    pub source: &'static str,
    /// Whether there is a score for each image, too.
    pub per_image: bool,
}

/// The scores of a candidate.
#[derive(Clone, Debug, Serialize)]
pub struct ModelScores {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: CandidateKind,
    /// Images or clips in the scores.
    pub count: usize,
    /// By the metrics' keys.
    pub scores: BTreeMap<String, Score>,
    /// Scores of each image by the metrics' keys; none for one that is skipped or too small.
    pub per_image: BTreeMap<String, Vec<Option<f64>>>,
}

/// A score. JSON has no infinity, so `infinite` stands for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// The score; none where it could not be made, or is infinite.
    pub value: Option<f64>,
    /// Whether it is infinite.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub infinite: bool,
    /// The lower end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// A standard error, or what the metric says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Why there is none, or what it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Score {
    /// A score of this value.
    pub fn of(value: f64) -> Self {
        Self {
            value: value.is_finite().then_some(value),
            infinite: value == f64::INFINITY,
            ..Self::default()
        }
    }

    /// No score, and why.
    pub fn none(note: String) -> Self {
        Self {
            note: Some(note),
            ..Self::default()
        }
    }
}

/// An image or clip shown beside its outputs.
#[derive(Clone, Debug, Serialize)]
pub struct GalleryItem {
    /// Its number among [`Report::images`].
    pub index: usize,
    /// Why it is shown.
    pub why: String,
    /// Width of the frames in pixels.
    pub width: usize,
    /// Height of the frames in pixels.
    pub height: usize,
    /// Frames a second, where that is known.
    pub fps: Option<f64>,
    /// Frames of the original as data URIs of PNG.
    pub original: Vec<String>,
    /// Frames of each candidate's output.
    pub outputs: Vec<Vec<String>>,
}
