//! What is scored so far, on disk: the memory of an evaluation, from which a stopped one goes on and a later one takes
//! what has not changed.
//!
//! Every pass (over the originals, or over the outputs of one candidate) has a folder:
//!
//! - `computation.json`: what made the scores ([`Computation`](super::computation::Computation));
//! - `clips.jsonl`: a line of JSON for each clip that was scored ([`Record`]);
//! - `features.f32`, `logits.f32`: a row of little-endian floats for each record that has one.
//!
//! A record is found by the content it is of, never by a name. Rows are written before lines, so that a line never lacks
//! its row. What failed is not stored: it is tried again.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::append_file::AppendFile;
use super::computation::FILE as COMPUTATION_FILE;
use super::metric::Metric;
use super::record::{Content, Record};
use crate::files::replace_folder;
use crate::metrics::FeatureSet;
use crate::{Error, Result};

const LINES: &str = "clips.jsonl";

/// Rows of floats that are kept beside the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    /// What distances between sets are taken on.
    Features,
    /// What the Inception Score is made of.
    Logits,
}

impl RowKind {
    pub(super) const ALL: [Self; 2] = [Self::Features, Self::Logits];

    fn path(self, folder: &Path) -> PathBuf {
        folder.join(match self {
            Self::Features => "features.f32",
            Self::Logits => "logits.f32",
        })
    }
}

/// The store of one pass, open for more.
pub(super) struct Store {
    folder: PathBuf,
    records: Vec<Record>,
    /// The number of each record's row, if it has one.
    rows: Vec<Option<usize>>,
    /// The newest record of each content, and of each name.
    by_content: HashMap<Content, usize>,
    by_name: HashMap<String, usize>,
    lines: AppendFile,
    /// A file for each kind of row that the pass has, in the order of [`RowKind::ALL`].
    row_files: Vec<AppendFile>,
}

impl Store {
    /// Opens the store in `folder`, which is there, and drops what was half-written when the program was killed. `widths`
    /// are the floats of a row of each kind; none for a kind that the pass does not have.
    pub(super) fn open(folder: &Path, widths: [Option<usize>; 2]) -> Result<Self> {
        let store = Self::read(folder, widths)?;
        // A clip that changed leaves its old record behind. Once most are such, the others move to new files.
        let stale = store.records.len() - store.by_name.len();
        if stale <= store.by_name.len() || (widths[0].is_none() && store.records.iter().any(|r| r.has_row)) {
            return Ok(store);
        }
        store.compact(widths)?;
        Self::read(folder, widths)
    }

    fn read(folder: &Path, widths: [Option<usize>; 2]) -> Result<Self> {
        let mut lines = AppendFile::open(folder.join(LINES))?;
        let bytes = lines.read()?;
        let text = String::from_utf8_lossy(&bytes);
        let mut files = Vec::new();
        let mut most = usize::MAX;
        for (kind, width) in RowKind::ALL.into_iter().zip(widths) {
            if let Some(width) = width {
                let file = AppendFile::open(kind.path(folder))?;
                most = most.min(file.len()? as usize / (4 * width));
                files.push((file, width));
            }
        }
        let mut records = Vec::new();
        let (mut length, mut count) = (0, 0);
        for line in text.split_inclusive('\n') {
            let Ok(record) = serde_json::from_str::<Record>(line) else {
                break;
            };
            let row = usize::from(record.has_row);
            if !line.ends_with('\n') || count + row > most {
                break;
            }
            count += row;
            length += line.len() as u64;
            records.push(record);
        }
        lines.truncate(length)?;
        for (file, width) in &mut files {
            file.truncate((count * *width * 4) as u64)?;
        }
        let mut store = Self {
            folder: folder.to_owned(),
            records: Vec::new(),
            rows: Vec::new(),
            by_content: HashMap::new(),
            by_name: HashMap::new(),
            lines,
            row_files: files.into_iter().map(|(file, _)| file).collect(),
        };
        store.enter(records);
        Ok(store)
    }

    /// Puts records into the index; they come with the numbers they have from then on.
    fn enter(&mut self, records: Vec<Record>) -> Vec<usize> {
        let mut row = self.rows.iter().flatten().count();
        let numbers = records.into_iter().map(|record| {
            let number = self.records.len();
            self.rows.push(record.has_row.then_some(row));
            row += usize::from(record.has_row);
            self.by_content.insert(record.content.clone(), number);
            self.by_name.insert(record.name.clone(), number);
            self.records.push(record);
            number
        });
        numbers.collect()
    }

    /// Writes only the newest record of each name, with its rows.
    fn compact(&self, widths: [Option<usize>; 2]) -> Result<()> {
        let mut kept: Vec<usize> = self.by_name.values().copied().collect();
        kept.sort_unstable();
        let records: Vec<&Record> = kept.iter().map(|&number| &self.records[number]).collect();
        let fill = |new: &Path| {
            let computation = self.folder.join(COMPUTATION_FILE);
            fs::copy(&computation, new.join(COMPUTATION_FILE)).map_err(|e| Error::io(&computation, "copy", e))?;
            write(&new.join(LINES), json_lines(&records)?.as_bytes())?;
            for (kind, width) in RowKind::ALL.into_iter().zip(widths) {
                if let Some(width) = width {
                    write(&kind.path(new), &bytes_of(self.rows_of(&kept, kind, width)?.values()))?;
                }
            }
            Ok(())
        };
        replace_folder(&self.folder, |_| true, fill)
    }

    /// Where it lies.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether nothing is stored yet.
    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The number of the record of a content that has all of `metrics`, and a row if one is needed.
    pub(super) fn find(&self, content: &Content, metrics: &[Metric], row: bool) -> Option<usize> {
        let number = *self.by_content.get(content)?;
        let record = &self.records[number];
        let whole = (record.has_row || !row) && metrics.iter().all(|metric| record.has(*metric));
        whole.then_some(number)
    }

    /// The newest record of an original of that name.
    pub(super) fn of_name(&self, name: &str) -> Option<&Record> {
        self.by_name.get(name).map(|&number| &self.records[number])
    }

    /// The record of that number.
    pub(super) fn record(&self, number: usize) -> &Record {
        &self.records[number]
    }

    /// Adds records, with the rows of those that have one, of each kind in the order of [`RowKind::ALL`]. Their numbers
    /// are the result.
    pub(super) fn add(&mut self, records: Vec<Record>, rows: [&[f32]; 2]) -> Result<Vec<usize>> {
        for (file, rows) in self.row_files.iter_mut().zip(rows) {
            file.append(&bytes_of(rows))?;
        }
        let text = json_lines(&records.iter().collect::<Vec<_>>())?;
        self.lines.append(text.as_bytes())?;
        Ok(self.enter(records))
    }

    /// The rows of one kind `[n, width]` of the records of these numbers; those without a row are left out.
    pub(super) fn rows_of(&self, numbers: &[usize], kind: RowKind, width: usize) -> Result<FeatureSet> {
        let path = kind.path(&self.folder);
        let bytes = fs::read(&path).map_err(|e| Error::io(&path, "read", e))?;
        let all: Vec<&[u8]> = bytes.chunks_exact(4 * width).collect();
        let rows = numbers.iter().filter_map(|&number| all.get(self.rows[number]?));
        let values = rows.flat_map(|row| row.as_chunks().0).map(|b| f32::from_le_bytes(*b));
        FeatureSet::new("stored features", width, values.collect())
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn json_lines(records: &[&Record]) -> Result<String> {
    let mut text = String::new();
    for record in records {
        text += &serde_json::to_string(record).map_err(|e| Error::Internal(e.to_string()))?;
        text.push('\n');
    }
    Ok(text)
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).map_err(|e| Error::io(path, "write", e))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs::OpenOptions;
    use std::io::Write;

    use super::*;

    fn record(name: &str, content: &str, has_row: bool) -> Record {
        let mut record = Record::new(name, of(content));
        record.has_row = has_row;
        record
    }

    fn of(content: &str) -> Content {
        Content {
            original: content.into(),
            output: None,
        }
    }

    fn open(folder: &Path) -> Store {
        Store::open(folder, [Some(2), None]).unwrap()
    }

    #[test]
    fn a_killed_evaluation_goes_on_where_lines_and_rows_agree() {
        let folder = tempfile::tempdir().unwrap();
        let open = || open(folder.path());
        let mut store = open();
        let first = vec![record("1", "a", true), record("2", "b", false)];
        assert_eq!(store.add(first, [&[1.0, 2.0], &[]]).unwrap(), [0, 1]);
        store.add(vec![record("3", "c", true)], [&[3.0, 4.0], &[]]).unwrap();
        drop(store);
        assert_eq!(open().records.len(), 3);

        // A row without its line, and half of a line.
        let append = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(bytes).unwrap();
        };
        append("features.f32", &[0; 11]);
        append("clips.jsonl", b"{\"name\":\"4\"");
        let mut store = open();
        assert_eq!(store.records.len(), 3);
        store.add(vec![record("4", "d", true)], [&[5.0, 6.0], &[]]).unwrap();
        let numbers = ["d", "b", "a"].map(|content| store.find(&of(content), &[], false).unwrap());
        let rows = store.rows_of(&numbers, RowKind::Features, 2).unwrap();
        assert_eq!(rows.values(), [5.0, 6.0, 1.0, 2.0]);

        // Rows that were lost take their lines with them.
        let path = folder.path().join("features.f32");
        fs::write(&path, &fs::read(&path).unwrap()[..12]).unwrap();
        assert_eq!(open().records.len(), 2);
        assert_eq!(fs::metadata(&path).unwrap().len(), 8);
    }

    #[test]
    fn records_are_found_by_content_and_only_when_they_are_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let mut scored = record("1", "a", false);
        scored.set_score(Metric::Psnr, Some(30.0));
        store.add(vec![scored], [&[], &[]]).unwrap();
        let found = |metrics: &[Metric], row| store.find(&of("a"), metrics, row);
        assert_eq!(found(&[Metric::Psnr], false), Some(0));
        assert_eq!(found(&[Metric::Psnr, Metric::Ssim], false), None);
        assert_eq!(found(&[], true), None);
        assert_eq!(store.find(&of("b"), &[], false), None);
        assert_eq!(store.of_name("1").unwrap().content, of("a"));
    }

    #[test]
    fn a_store_of_mostly_old_records_is_rewritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(COMPUTATION_FILE), b"{}").unwrap();
        let mut store = open(folder.path());
        for (round, contents) in [["a", "b"], ["c", "d"], ["e", "f"]].into_iter().enumerate() {
            let records = vec![record("1", contents[0], true), record("2", contents[1], true)];
            let round = round as f32;
            store.add(records, [&[round, 1.0, round, 2.0], &[]]).unwrap();
        }
        drop(store);
        let store = open(folder.path());
        assert_eq!(store.records.len(), 2);
        let numbers = ["f", "e"].map(|content| store.find(&of(content), &[], true).unwrap());
        let rows = store.rows_of(&numbers, RowKind::Features, 2).unwrap();
        assert_eq!(rows.values(), [2.0, 2.0, 2.0, 1.0]);
        assert!(folder.path().join(COMPUTATION_FILE).exists());
    }
}
