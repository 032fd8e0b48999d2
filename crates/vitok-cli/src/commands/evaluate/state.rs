//! What is done so far, on disk: a stopped evaluation goes on where it was.
//!
//! A side (the originals, or the outputs of one model) has a line of JSON for each image, and
//! beside it a row of floats for each image that is not skipped. Rows are written before lines,
//! so that whatever a line promises is there.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vitok::metrics::FeatureSet;
use vitok::evaluate::Metric;

/// What is known of an image or clip.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    /// Why it is not scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// SHA-256 of the original's pixels.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pixels: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<Metric, Value>,
}

/// Stands for a number that JSON does not have.
const INFINITE: &str = "inf";

impl Record {
    pub fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub fn score(&self, metric: Metric) -> Option<f64> {
        match self.scores.get(&metric)? {
            Value::String(text) if text == INFINITE => Some(f64::INFINITY),
            value => value.as_f64(),
        }
    }

    pub fn set_score(&mut self, metric: Metric, score: Option<f64>) {
        let value = match score {
            Some(score) if score.is_infinite() => Value::from(INFINITE),
            score => Value::from(score),
        };
        self.scores.insert(metric, value);
    }
}

/// Widths of the rows of floats: features, logits.
pub type Widths = [Option<usize>; 2];

/// A side on disk, open for more.
pub struct Side {
    pub records: Vec<Record>,
    lines: File,
    rows: Vec<(File, usize)>,
}

const KINDS: [&str; 2] = ["features", "logits"];

fn rows_path(folder: &Path, side: &str, kind: usize) -> PathBuf {
    folder.join(format!("{side}.{}.f32", KINDS[kind]))
}

impl Side {
    /// Opens a side, and drops what was half-written when the program was killed.
    pub fn open(folder: &Path, side: &str, widths: Widths) -> Result<Self> {
        let path = folder.join(format!("{side}.jsonl"));
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("{}", path.display())),
        };
        let mut rows = Vec::new();
        let mut held = usize::MAX;
        for (kind, width) in widths.into_iter().enumerate() {
            if let Some(width) = width {
                let file = open(&rows_path(folder, side, kind))?;
                held = held.min(file.metadata()?.len() as usize / (4 * width));
                rows.push((file, width));
            }
        }
        let mut records = Vec::new();
        let (mut bytes, mut done) = (0, 0);
        for line in text.split_inclusive('\n') {
            let Ok(record) = serde_json::from_str::<Record>(line) else {
                break;
            };
            let row = usize::from(record.skipped.is_none());
            if !line.ends_with('\n') || done + row > held {
                break;
            }
            done += row;
            bytes += line.len() as u64;
            records.push(record);
        }
        let mut lines = open(&path)?;
        lines.set_len(bytes)?;
        lines.seek(SeekFrom::End(0))?;
        for (file, width) in &mut rows {
            file.set_len((done * *width * 4) as u64)?;
            file.seek(SeekFrom::End(0))?;
        }
        Ok(Self {
            records,
            lines,
            rows,
        })
    }

    /// Adds records, with the rows of those that are not skipped.
    pub fn add(&mut self, records: Vec<Record>, rows: [&[f32]; 2]) -> Result<()> {
        let given = rows.into_iter().filter(|rows| !rows.is_empty());
        for ((file, _), rows) in self.rows.iter_mut().zip(given) {
            let bytes: Vec<u8> = rows.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.write_all(&bytes).context("cannot write features")?;
        }
        let mut text = String::new();
        for record in &records {
            text += &serde_json::to_string(record)?;
            text.push('\n');
        }
        self.lines
            .write_all(text.as_bytes())
            .context("cannot write scores")?;
        self.records.extend(records);
        Ok(())
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .open(path)
        .with_context(|| format!("{}: cannot open", path.display()))
}

/// The rows of a side, 0 for features and 1 for logits.
pub fn read_rows(folder: &Path, side: &str, kind: usize, width: usize) -> Result<FeatureSet> {
    let path = rows_path(folder, side, kind);
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
    read.with_context(|| format!("{}: cannot read", path.display()))?;
    let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
    Ok(FeatureSet::new(side, width, values.collect())?)
}

/// Makes the folder of the state ready: empty, or with what the same call left there. Returns
/// whether anything was there.
pub fn prepare(folder: &Path, settings: &Value, restart: bool) -> Result<bool> {
    let path = folder.join("settings.json");
    if restart && path.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{}", folder.display()))?;
    }
    match fs::read(&path) {
        Ok(bytes) => {
            let held: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if held != *settings {
                let differ = settings.as_object().into_iter().flatten();
                let differ = differ.filter(|(key, value)| held.get(key) != Some(value));
                let differ: Vec<&str> = differ.map(|(key, _)| key.as_str()).collect();
                bail!(
                    "{}: holds an evaluation with other settings ({}); choose another --out, or give \
                     --restart to begin anew",
                    folder.display(),
                    differ.join(", ")
                );
            }
            Ok(true)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            vitok::files::write_atomically(&path, |file| {
                file.write_all(settings.to_string().as_bytes())
            })?;
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| format!("{}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn record(name: &str, skipped: bool) -> Record {
        Record {
            name: name.into(),
            skipped: skipped.then(|| "damaged".into()),
            ..Record::default()
        }
    }

    #[test]
    fn a_killed_evaluation_goes_on_where_lines_and_rows_agree() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Side::open(folder.path(), "a", [Some(2), None]).unwrap();
        let mut side = open();
        let first = vec![record("1", false), record("2", true)];
        side.add(first, [&[1.0, 2.0], &[]]).unwrap();
        side.add(vec![record("3", false)], [&[3.0, 4.0], &[]])
            .unwrap();
        drop(side);
        assert_eq!(open().records.len(), 3);

        // A row without its line, and half of a line.
        let append = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(bytes).unwrap();
        };
        append("a.features.f32", &[0; 11]);
        append("a.jsonl", b"{\"name\":\"4\"");
        let mut side = open();
        assert_eq!(side.records.len(), 3);
        side.add(vec![record("4", false)], [&[5.0, 6.0], &[]])
            .unwrap();
        let rows = read_rows(folder.path(), "a", 0, 2).unwrap();
        assert_eq!(rows.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

        // Rows that were lost take their lines with them.
        let path = folder.path().join("a.features.f32");
        fs::write(&path, &fs::read(&path).unwrap()[..12]).unwrap();
        assert_eq!(open().records.len(), 2);
        assert_eq!(fs::metadata(&path).unwrap().len(), 8);
    }

    #[test]
    fn scores_keep_their_bits_and_infinity() {
        let mut record = record("1", false);
        record.set_score(Metric::Psnr, Some(f64::INFINITY));
        record.set_score(Metric::Mse, Some(0.1 + 0.2));
        record.set_score(Metric::Ssim, None);
        let text = serde_json::to_string(&record).unwrap();
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back.score(Metric::Psnr), Some(f64::INFINITY));
        assert_eq!(back.score(Metric::Mse), Some(0.1 + 0.2));
        assert_eq!(back.score(Metric::Ssim), None);
    }

    #[test]
    fn other_settings_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |n: u32| serde_json::json!({ "protocol": "native", "frames": n });
        assert!(!prepare(folder.path(), &settings(1), false).unwrap());
        assert!(prepare(folder.path(), &settings(1), false).unwrap());
        let error = prepare(folder.path(), &settings(2), false).unwrap_err();
        assert!(error.to_string().contains("(frames)"), "{error}");
        assert!(!prepare(folder.path(), &settings(2), true).unwrap());
    }
}
