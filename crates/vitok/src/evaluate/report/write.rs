//! The report as files.

use std::io::ErrorKind;
use std::path::Path;

use csv::WriterBuilder;

use super::document::{ModelScores, Report};
use crate::files::write_atomically;
use crate::media::write_image;
use crate::{Error, Result};

/// The file of the report as JSON.
pub(in crate::evaluate) const SCORES_FILE: &str = "scores.json";

impl Report {
    /// Writes `scores.json`; `images.csv` (a line for each image, a column for each candidate's score) where there are
    /// scores of images; `report.html`, which opens from disk; and `sheet.png`. Of an earlier report nothing stays.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join(SCORES_FILE), &self.to_json()?)?;
        let table = folder.join("images.csv");
        match self.metrics.iter().any(|metric| metric.per_image) {
            true => write(&table, &self.to_csv()?)?,
            false => remove(&table)?,
        }
        write(&folder.join("report.html"), &self.to_html()?)?;
        let sheet = folder.join("sheet.png");
        match &self.sheet {
            Some(image) => write_image(&sheet, image),
            None => remove(&sheet),
        }
    }

    /// Everything but the images.
    ///
    /// # Errors
    /// [`Error::Internal`] if it cannot be serialized.
    pub fn to_json(&self) -> Result<String> {
        let mut scores = self.clone();
        scores.shown.clear();
        serde_json::to_string_pretty(&scores).map_err(internal)
    }

    /// The scores of every image: a line for each, a column for each candidate and metric: a number, `inf`, or nothing
    /// where it is missing, for the reason that the candidate's last column gives.
    fn to_csv(&self) -> Result<String> {
        let metrics: Vec<_> = self.metrics.iter().filter(|metric| metric.per_image).collect();
        let mut columns = Vec::new();
        for model in &self.models {
            for metric in &metrics {
                let scores = model.per_image.get(&metric.key).into_iter().flatten();
                let texts = scores.map(|score| score.map(|v| v.to_string()).unwrap_or_default());
                columns.push((format!("{} {}", model.name, metric.key), texts.collect::<Vec<_>>()));
            }
            if !model.missing.is_empty() {
                columns.push((format!("{} missing", model.name), model.reasons(self.images.len())));
            }
        }
        let mut lines = WriterBuilder::new().from_writer(Vec::new());
        let names = columns.iter().map(|(name, _)| name.as_str());
        lines
            .write_record(std::iter::once("image").chain(names))
            .map_err(internal)?;
        for (index, image) in self.images.iter().enumerate() {
            let texts = columns
                .iter()
                .map(|(_, texts)| texts.get(index).map_or("", String::as_str));
            let line = std::iter::once(image.as_str()).chain(texts);
            lines.write_record(line).map_err(internal)?;
        }
        let bytes = lines.into_inner().map_err(internal)?;
        String::from_utf8(bytes).map_err(internal)
    }

    /// A page that opens from disk: everything is in it.
    ///
    /// # Errors
    /// [`Error::Internal`] if the report cannot be serialized.
    pub fn to_html(&self) -> Result<String> {
        // Within a script element only `<` could end the data.
        let data = serde_json::to_string(self).map_err(internal)?.replace('<', "\\u003c");
        Ok(include_str!("report.html")
            .replace("/*CSS*/", include_str!("report.css"))
            .replace("/*JS*/", include_str!("report.js"))
            .replace("/*DATA*/", &data))
    }
}

impl ModelScores {
    /// For each image which of its scores are missing, and why.
    fn reasons(&self, images: usize) -> Vec<String> {
        let mut reasons = vec![String::new(); images];
        for missing in &self.missing {
            let all = missing.metrics.len() == self.per_image.len();
            let text = match all {
                true => missing.reason.clone(),
                false => format!("{}: {}", missing.metrics.join(", "), missing.reason),
            };
            for &image in &missing.images {
                let Some(reason) = reasons.get_mut(image) else {
                    continue;
                };
                *reason = match reason.as_str() {
                    "" => text.clone(),
                    before => format!("{before}; {text}"),
                };
            }
        }
        reasons
    }
}

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a report cannot be serialized: {error}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path, "remove", error)),
        _ => Ok(()),
    }
}
