//! What an evaluation found: as data, as a table of text, and as files (JSON, CSV, a page, a sheet of images).

mod document;
mod table;
mod write;

pub use document::{GalleryItem, MetricUsed, ModelScores, ProtocolUsed, Report, Score, Skipped};
pub use table::ScoreTable;
