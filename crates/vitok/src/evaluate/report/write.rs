//! The report as files.

use std::path::Path;

use csv::WriterBuilder;

use super::document::Report;
use crate::files::write_atomically;
use crate::media::write_image;
use crate::{Error, Result};

impl Report {
    /// Writes `scores.json`; `images.csv` (a line for each image, a column for each candidate's score) where there are
    /// scores of images; `report.html`, which opens from disk; and `sheet.png`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join("scores.json"), &self.to_json()?)?;
        if self.metrics.iter().any(|metric| metric.per_image) {
            write(&folder.join("images.csv"), &self.to_csv()?)?;
        }
        write(&folder.join("report.html"), &self.to_html()?)?;
        match &self.sheet {
            Some(sheet) => write_image(&folder.join("sheet.png"), sheet),
            None => Ok(()),
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

    /// The scores of every image: a line for each, a column for each candidate and metric.
    fn to_csv(&self) -> Result<String> {
        let metrics: Vec<_> = self.metrics.iter().filter(|metric| metric.per_image).collect();
        let columns: Vec<(String, _)> = (self.models.iter())
            .flat_map(|model| {
                let metrics = metrics.iter();
                metrics.map(move |metric| {
                    (
                        format!("{} {}", model.name, metric.key),
                        model.per_image.get(&metric.key),
                    )
                })
            })
            .collect();
        let mut lines = WriterBuilder::new().from_writer(Vec::new());
        let names = columns.iter().map(|(name, _)| name.as_str());
        lines
            .write_record(std::iter::once("image").chain(names))
            .map_err(internal)?;
        for (index, image) in self.images.iter().enumerate() {
            let values = columns.iter().map(|(_, values)| {
                let value = values.and_then(|values| values[index]);
                value.map(|v| v.to_string()).unwrap_or_default()
            });
            let line = std::iter::once(image.clone()).chain(values);
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

fn internal(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("a report cannot be serialized: {error}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    write_atomically(path, |file| file.write_all(text.as_bytes()))
}
