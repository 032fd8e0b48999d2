//! Evaluation: candidates scored against originals by a named protocol, with confidence intervals and a report.
//!
//! ```text
//! EvaluateConfig -> evaluate -> Report -> scores.json, images.csv, report.html, sheet.png
//!
//! originals  -> features ----------------------------.
//! candidates -> outputs -> scores of each, features -> store -> summary of sets, intervals -> report
//! ```
//!
//! A [`Candidate`] is any [`Codec`](crate::tokenizer::Codec) or outputs on disk; [`Baselines`] adds codecs without a
//! network. A [`Protocol`] says how files are read and cropped and which network distances between sets are taken on;
//! a [`Metric`] is one score. [`PairScorer`] scores clips against originals by itself.

mod append_file;
mod assemble;
mod baselines;
mod candidate;
mod clip_set;
mod computation;
mod config;
mod encoded_clip;
mod engine;
mod evaluation;
mod examples;
mod explain;
mod full_reference;
mod gallery;
mod kept_outputs;
mod matching;
mod metric;
mod networks;
mod open_candidate;
mod pairs;
mod pass;
mod passed;
mod previous_report;
mod protocol;
mod provenance;
mod record;
mod report;
mod rows;
mod scored_before;
mod scored_pairs;
mod store;
mod store_folder;
mod summary;

pub use baselines::{Baselines, PcaSource};
pub use candidate::{Candidate, CandidateKind};
pub use config::EvaluateConfig;
pub use engine::evaluate;
pub use full_reference::{Pair, PairScorer, PairScores};
pub use metric::{Better, Metric};
pub use networks::NetworkUsed;
pub use protocol::{PROTOCOLS, Protocol, Reading};
pub use report::{
    ExactCopies, GalleryItem, MetricUsed, MissingScores, ModelScores, ProtocolUsed, Report, Score, ScoreTable, Skipped,
};
