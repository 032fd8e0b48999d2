//! What is done so far, on disk, so that a stopped evaluation goes on where it was.
//!
//! Every pass (over the originals, or over the outputs of one candidate) has a folder:
//!
//! - `settings.json`: what its scores depend on; another evaluation's are never continued;
//! - `clips.jsonl`: a line of JSON for each clip ([`StoredClip`]);
//! - `features.f32`, `logits.f32`: a row of little-endian floats for each clip that is not skipped.
//!
//! Rows are written before lines, so that a line never lacks its row.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metric::Metric;
use crate::files::write_atomically;
use crate::metrics::FeatureSet;
use crate::{Error, Remedy, Result};

/// What is stored of a clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredClip {
    /// Where the original lies.
    pub(super) name: String,
    /// Why it is not scored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) skipped: Option<String>,
    /// SHA-256 of the original's pixels.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) pixels: String,
    /// Values of its compressed representation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<usize>,
    /// Bytes of its compressed representation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<usize>,
    /// As text: JSON has no infinity, and its readers may lose the last bit of a number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<Metric, Option<String>>,
}

impl StoredClip {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// A score; none for a clip that was too small for the metric.
    pub(super) fn score(&self, metric: Metric) -> Option<f64> {
        self.scores.get(&metric)?.as_ref()?.parse().ok()
    }

    pub(super) fn set_score(&mut self, metric: Metric, score: Option<f64>) {
        let score = score.filter(|score| !score.is_nan());
        self.scores.insert(metric, score.map(|score| score.to_string()));
    }
}

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
    pub(super) clips: Vec<StoredClip>,
    lines: OpenFile,
    /// A file for each kind of row that the pass has, in the order of [`RowKind::ALL`].
    rows: Vec<OpenFile>,
}

/// A file that is appended to.
struct OpenFile {
    path: PathBuf,
    file: File,
}

impl OpenFile {
    fn open(path: PathBuf) -> Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|e| Error::io(&path, "open", e))?;
        Ok(Self { path, file })
    }

    fn len(&self) -> Result<u64> {
        let about = self.file.metadata().map_err(|e| Error::io(&self.path, "read", e))?;
        Ok(about.len())
    }

    /// Drops what is beyond `length`, and goes on from there.
    fn truncate(&mut self, length: u64) -> Result<()> {
        let cut = self
            .file
            .set_len(length)
            .and_then(|()| self.file.seek(SeekFrom::End(0)));
        cut.map(drop).map_err(|e| Error::io(&self.path, "shorten", e))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .map_err(|e| Error::io(&self.path, "write", e))
    }
}

impl Store {
    /// Opens the store in `folder`, which is there, and drops what was half-written when the program was killed. `widths`
    /// are the floats of a row of each kind; none for a kind that the pass does not have.
    pub(super) fn open(folder: &Path, widths: [Option<usize>; 2]) -> Result<Self> {
        let mut lines = OpenFile::open(folder.join("clips.jsonl"))?;
        let mut bytes = Vec::new();
        let read = lines.file.read_to_end(&mut bytes);
        read.map_err(|e| Error::io(&lines.path, "read", e))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut rows = Vec::new();
        let mut held = usize::MAX;
        for (kind, width) in RowKind::ALL.into_iter().zip(widths) {
            if let Some(width) = width {
                let file = OpenFile::open(kind.path(folder))?;
                held = held.min(file.len()? as usize / (4 * width));
                rows.push((file, width));
            }
        }
        let mut clips = Vec::new();
        let (mut length, mut count) = (0, 0);
        for line in text.split_inclusive('\n') {
            let Ok(clip) = serde_json::from_str::<StoredClip>(line) else {
                break;
            };
            let row = usize::from(clip.skipped.is_none());
            if !line.ends_with('\n') || count + row > held {
                break;
            }
            count += row;
            length += line.len() as u64;
            clips.push(clip);
        }
        lines.truncate(length)?;
        for (file, width) in &mut rows {
            file.truncate((count * *width * 4) as u64)?;
        }
        Ok(Self {
            clips,
            lines,
            rows: rows.into_iter().map(|(file, _)| file).collect(),
        })
    }

    /// Adds clips, with the rows of those that are not skipped, of each kind in the order of [`RowKind::ALL`].
    pub(super) fn add(&mut self, clips: Vec<StoredClip>, rows: [&[f32]; 2]) -> Result<()> {
        for (file, rows) in self.rows.iter_mut().zip(rows) {
            let bytes: Vec<u8> = rows.iter().flat_map(|v| v.to_le_bytes()).collect();
            file.append(&bytes)?;
        }
        let mut text = String::new();
        for clip in &clips {
            text += &serde_json::to_string(clip).map_err(|e| Error::Internal(e.to_string()))?;
            text.push('\n');
        }
        self.lines.append(text.as_bytes())?;
        self.clips.extend(clips);
        Ok(())
    }
}

/// All rows of one kind `[n, width]` in the store of a folder.
pub(super) fn read_rows(folder: &Path, kind: RowKind, width: usize) -> Result<FeatureSet> {
    let path = kind.path(folder);
    let bytes = fs::read(&path).map_err(|e| Error::io(&path, "read", e))?;
    let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b));
    FeatureSet::new("stored features", width, values.collect())
}

/// Makes the folder of a store ready: empty, or with what an evaluation of the same settings left there. Returns whether
/// there was one.
///
/// # Errors
/// [`Error::SettingsChanged`] for that of other settings, unless `restart` drops it; [`Error::Io`].
pub(super) fn prepare(folder: &Path, settings: &Value, restart: bool) -> Result<bool> {
    let path = folder.join("settings.json");
    if restart && path.exists() {
        fs::remove_dir_all(folder).map_err(|e| Error::io(folder, "remove", e))?;
    }
    match fs::read(&path) {
        Ok(bytes) => {
            let held: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            if held == *settings {
                return Ok(true);
            }
            let differ = settings.as_object().into_iter().flatten();
            let differ = differ.filter(|(key, value)| held.get(key) != Some(value));
            Err(Error::SettingsChanged {
                path: folder.to_owned(),
                reason: "holds an evaluation with other settings".into(),
                changes: differ.map(|(key, _)| key.clone()).collect(),
                remedies: vec![Remedy::ChooseOtherOutput, Remedy::Restart],
            })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            write_atomically(&path, |file| file.write_all(settings.to_string().as_bytes()))?;
            Ok(false)
        }
        Err(error) => Err(Error::io(&path, "read", error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn clip(name: &str, skipped: bool) -> StoredClip {
        StoredClip {
            name: name.into(),
            skipped: skipped.then(|| "damaged".into()),
            ..StoredClip::default()
        }
    }

    #[test]
    fn a_killed_evaluation_goes_on_where_lines_and_rows_agree() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(folder.path(), [Some(2), None]).unwrap();
        let mut store = open();
        let first = vec![clip("1", false), clip("2", true)];
        store.add(first, [&[1.0, 2.0], &[]]).unwrap();
        store.add(vec![clip("3", false)], [&[3.0, 4.0], &[]]).unwrap();
        drop(store);
        assert_eq!(open().clips.len(), 3);

        // A row without its line, and half of a line.
        let append = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            let mut file = OpenOptions::new().append(true).open(path).unwrap();
            file.write_all(bytes).unwrap();
        };
        append("features.f32", &[0; 11]);
        append("clips.jsonl", b"{\"name\":\"4\"");
        let mut store = open();
        assert_eq!(store.clips.len(), 3);
        store.add(vec![clip("4", false)], [&[5.0, 6.0], &[]]).unwrap();
        let rows = read_rows(folder.path(), RowKind::Features, 2).unwrap();
        assert_eq!(rows.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);

        // Rows that were lost take their lines with them.
        let path = folder.path().join("features.f32");
        fs::write(&path, &fs::read(&path).unwrap()[..12]).unwrap();
        assert_eq!(open().clips.len(), 2);
        assert_eq!(fs::metadata(&path).unwrap().len(), 8);
    }

    #[test]
    fn scores_keep_their_bits_and_infinity() {
        let mut clip = clip("1", false);
        clip.set_score(Metric::Psnr, Some(f64::INFINITY));
        clip.set_score(Metric::Mse, Some(0.1 + 0.2));
        clip.set_score(Metric::Mae, Some(11.138715277777777));
        clip.set_score(Metric::Ssim, None);
        let text = serde_json::to_string(&clip).unwrap();
        let back: StoredClip = serde_json::from_str(&text).unwrap();
        assert_eq!(back.score(Metric::Psnr), Some(f64::INFINITY));
        assert_eq!(back.score(Metric::Mse), Some(0.1 + 0.2));
        // A number that serde_json's default reader takes for the one before it.
        assert_eq!(back.score(Metric::Mae), Some(11.138715277777777));
        assert_eq!(back.score(Metric::Ssim), None);
    }

    #[test]
    fn other_settings_are_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = |n: u32| serde_json::json!({ "protocol": "native", "frames": n });
        assert!(!prepare(folder.path(), &settings(1), false).unwrap());
        assert!(prepare(folder.path(), &settings(1), false).unwrap());
        let error = prepare(folder.path(), &settings(2), false).unwrap_err();
        assert!(
            matches!(&error, Error::SettingsChanged { changes, .. } if *changes == ["frames"]),
            "{error}"
        );
        assert_eq!(error.remedies(), [Remedy::ChooseOtherOutput, Remedy::Restart]);
        assert!(!prepare(folder.path(), &settings(2), true).unwrap());
    }
}
