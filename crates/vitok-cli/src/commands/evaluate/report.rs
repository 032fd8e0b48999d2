//! What an evaluation found, as data: for the table, the JSON and the page.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use vitok::evaluate::Better;
use vitok::files::write_atomically;

use super::networks::Used;
use crate::output;

#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub title: String,
    pub version: &'static str,
    pub date: String,
    pub command: String,
    pub protocol: ProtocolUsed,
    pub networks: Vec<Used>,
    pub skipped: Vec<Skipped>,
    pub warnings: Vec<String>,
    pub metrics: Vec<MetricUsed>,
    pub models: Vec<Model>,
    /// Names, in the order of every `per_image`.
    pub images: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shown: Vec<Shown>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ProtocolUsed {
    pub name: String,
    pub text: Vec<String>,
    pub reference: String,
    pub reference_hash: String,
    pub reference_count: usize,
}

#[derive(Clone, Debug, Serialize)]
pub struct Skipped {
    pub file: String,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct MetricUsed {
    pub key: String,
    pub name: String,
    pub unit: Option<&'static str>,
    pub better: Option<Better>,
    pub about: String,
    pub source: &'static str,
    pub per_image: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Model {
    pub name: String,
    pub kind: &'static str,
    pub count: usize,
    pub scores: BTreeMap<String, Score>,
    pub per_image: BTreeMap<String, Vec<Option<f64>>>,
}

/// A score of a model. JSON has no infinity, so `infinite` stands for it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Score {
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub infinite: bool,
    /// The 95 % interval's ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// A standard error, or what the metric says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Score {
    pub fn of(value: f64) -> Self {
        Self {
            value: value.is_finite().then_some(value),
            infinite: value == f64::INFINITY,
            ..Self::default()
        }
    }

    pub fn none(note: String) -> Self {
        Self {
            note: Some(note),
            ..Self::default()
        }
    }
}

/// An image or clip shown beside its outputs.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    pub index: usize,
    pub why: String,
    pub width: usize,
    pub height: usize,
    pub fps: Option<f64>,
    /// Frames as data URIs.
    pub original: Vec<String>,
    /// Those of each model.
    pub outputs: Vec<Vec<String>>,
}

impl Report {
    /// Writes `scores.json`, `images.csv` and `report.html`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write(&folder.join("scores.json"), &self.json()?)?;
        if self.metrics.iter().any(|metric| metric.per_image) {
            write(&folder.join("images.csv"), &self.csv())?;
        }
        write(&folder.join("report.html"), &self.page()?)
    }

    /// Everything but the images.
    pub fn json(&self) -> Result<String> {
        let mut scores = self.clone();
        scores.shown.clear();
        Ok(serde_json::to_string_pretty(&scores)?)
    }

    /// A line an image, a column for each model's score.
    fn csv(&self) -> String {
        let metrics: Vec<_> = self.metrics.iter().filter(|m| m.per_image).collect();
        let columns = self.models.iter().flat_map(|model| {
            metrics.iter().map(move |metric| {
                let name = format!("{} {}", model.name, metric.key);
                (name, model.per_image.get(&metric.key))
            })
        });
        let columns: Vec<_> = columns.collect();
        let names = columns.iter().map(|(name, _)| quoted(name));
        let mut text = std::iter::once("image".to_owned())
            .chain(names)
            .collect::<Vec<_>>()
            .join(",");
        for (index, image) in self.images.iter().enumerate() {
            text += "\n";
            text += &quoted(image);
            for (_, values) in &columns {
                let value = values.and_then(|values| values[index]);
                text += ",";
                text += &value.map(|v| v.to_string()).unwrap_or_default();
            }
        }
        text + "\n"
    }

    /// The page that opens from disk: everything is in it.
    fn page(&self) -> Result<String> {
        // Within a script element only `<` could end the data.
        let data = serde_json::to_string(self)?.replace('<', "\\u003c");
        Ok(include_str!("report.html")
            .replace("/*CSS*/", include_str!("report.css"))
            .replace("/*JS*/", include_str!("report.js"))
            .replace("/*DATA*/", &data))
    }

    /// The table for people.
    pub fn show(&self) -> Result<()> {
        let mut headers = vec!["score"];
        headers.extend(self.models.iter().map(|model| model.name.as_str()));
        let rows = self.metrics.iter().map(|metric| {
            let unit = metric
                .unit
                .map(|unit| format!(" {unit}"))
                .unwrap_or_default();
            let arrow = match metric.better {
                Some(Better::Higher) => " ↑",
                Some(Better::Lower) => " ↓",
                None => "",
            };
            let mut row = vec![format!("{}{unit}{arrow}", metric.name)];
            row.extend(
                self.models
                    .iter()
                    .map(|model| model.scores.get(&metric.key).map_or("-".into(), cell)),
            );
            row
        });
        output::table(&headers, rows.collect())?;
        output::line("")?;
        for text in &self.protocol.text {
            output::line(text)?;
        }
        for used in &self.networks {
            output::line(&format!(
                "{}: {}, SHA-256 {}",
                used.name, used.file, used.sha256
            ))?;
        }
        let protocol = &self.protocol;
        output::line(&format!(
            "Originals: {}, {} of them, pixels {}",
            protocol.reference, protocol.reference_count, protocol.reference_hash
        ))?;
        output::line(
            "In brackets: 95 % intervals by resampling the images. ± is what the score's line in the report says",
        )?;
        Ok(())
    }
}

fn cell(score: &Score) -> String {
    let Some(value) = score.value else {
        return if score.infinite {
            "inf".into()
        } else {
            "-".into()
        };
    };
    if value != 0.0 && value.abs() < 1e-4 {
        let error = score.error.map(|error| format!(" ± {error:.1e}"));
        return format!("{value:.3e}{}", error.unwrap_or_default());
    }
    let places = places(value);
    let range = match (score.low, score.high) {
        (Some(low), Some(high)) => format!(" ({low:.places$}–{high:.places$})"),
        _ => String::new(),
    };
    let error = match score.error {
        Some(error) => format!(" ± {error:.places$}"),
        None => String::new(),
    };
    format!("{value:.places$}{range}{error}")
}

/// Decimals that show about four digits.
fn places(value: f64) -> usize {
    let size = value.abs();
    match size {
        0.0 => 2,
        _ => (3 - size.log10().floor() as i64).clamp(1, 6) as usize,
    }
}

/// As CSV has it (RFC 4180).
fn quoted(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into(),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    Ok(write_atomically(path, |file| {
        file.write_all(text.as_bytes())
    })?)
}
