//! The report as data.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Remedy;
use crate::evaluate::candidate::CandidateKind;
use crate::evaluate::metric::Better;
use crate::evaluate::networks::NetworkUsed;
use crate::media::Image;
use crate::metrics::json_number;

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
    /// Its name where it is of one image, if that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_name: Option<&'static str>,
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelScores {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: CandidateKind,
    /// Images or clips in the scores.
    pub count: usize,
    /// By the metrics' keys.
    pub scores: BTreeMap<String, Score>,
    /// Scores of each image by the metrics' keys: a number, which may be infinite, or none where it is
    /// [missing](Self::missing).
    #[serde(serialize_with = "json_number::lists")]
    pub per_image: BTreeMap<String, Vec<Option<f64>>>,
    /// Why scores of images are missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingScores>,
}

/// Scores of images that are missing for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingScores {
    /// Why.
    pub reason: String,
    /// The metrics' keys.
    pub metrics: Vec<String>,
    /// The images' numbers among [`Report::images`].
    pub images: Vec<usize>,
}

/// A score: a number, infinite, or missing for a reason. In JSON an infinite one is the text "Infinity".
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Score {
    /// The score, which may be infinite; none where it is missing.
    #[serde(serialize_with = "json_number::optional")]
    pub value: Option<f64>,
    /// Why it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// The lower end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// A standard error, or what the metric says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    /// Of a mean that is infinite: how many images made it so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copies: Option<ExactCopies>,
    /// What it is of, where that is not all images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Outputs that equal their originals, and the mean of the others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExactCopies {
    /// How many there are.
    pub count: usize,
    /// How many others there are.
    pub others: usize,
    /// The mean of the others; none if there are none.
    pub mean: Option<f64>,
    /// The lower end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// The upper end of its 95 % interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

impl Score {
    /// A score of this value.
    pub fn of(value: f64) -> Self {
        match value.is_nan() {
            true => Self::none("it is not a number".into()),
            false => Self {
                value: Some(value),
                ..Self::default()
            },
        }
    }

    /// No score, and why.
    pub fn none(reason: String) -> Self {
        Self {
            missing: Some(reason),
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
