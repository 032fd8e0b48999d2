//! What an evaluation found: as data, as a table of text, and as files (JSON, CSV, a page, a sheet of images).

mod document;
mod table;
mod write;

pub use document::{
    ExactCopies, GalleryItem, MetricUsed, MissingScores, ModelScores, ProtocolUsed, Report, Score, Skipped,
};
pub use table::ScoreTable;
pub(super) use write::SCORES_FILE;
