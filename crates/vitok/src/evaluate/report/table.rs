//! The report as a table of text.

use super::document::{MetricUsed, Report, Score};
use crate::evaluate::metric::Better;

/// Longest lines, in characters, of a table with a row for each candidate.
const MOST_WIDTH: usize = 100;

/// Spaces between columns.
const GAP: usize = 2;

/// Cells of text, for a front end to align. The first column is to be left-aligned, the others right-aligned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreTable {
    /// The names of the columns.
    pub headers: Vec<String>,
    /// As many cells each.
    pub rows: Vec<Vec<String>>,
}

impl ScoreTable {
    /// Rows as columns and columns as rows.
    fn transposed(&self) -> Self {
        let all: Vec<&Vec<String>> = std::iter::once(&self.headers).chain(&self.rows).collect();
        let mut columns = (0..self.headers.len()).map(|i| all.iter().map(|row| row[i].clone()).collect());
        Self {
            headers: columns.next().unwrap_or_default(),
            rows: columns.collect(),
        }
    }

    /// Characters of a line when the columns are aligned.
    fn width(&self) -> usize {
        let widths = (0..self.headers.len()).map(|i| {
            let all = std::iter::once(&self.headers).chain(&self.rows);
            all.map(|row| row[i].chars().count()).max().unwrap_or(0)
        });
        widths.map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
    }
}

impl Report {
    /// The scores. Several candidates have a row each, so that their scores stand below each other, where that leaves
    /// lines of at most 100 characters; else a row is a metric and a column a candidate.
    pub fn table(&self) -> ScoreTable {
        let names = self.models.iter().map(|model| model.name.clone());
        let by_metric = ScoreTable {
            headers: std::iter::once("score".into()).chain(names).collect(),
            rows: self.metrics.iter().map(|metric| self.row(metric)).collect(),
        };
        let mut by_candidate = by_metric.transposed();
        by_candidate.headers[0] = "model".into();
        match self.models.len() > 1 && by_candidate.width() <= MOST_WIDTH {
            true => by_candidate,
            false => by_metric,
        }
    }

    fn row(&self, metric: &MetricUsed) -> Vec<String> {
        let unit = metric.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        let arrow = match metric.better {
            Some(Better::Higher) => " ↑",
            Some(Better::Lower) => " ↓",
            None => "",
        };
        let title = format!("{}{unit}{arrow}", metric.name);
        let cells = (self.models.iter()).map(|model| model.scores.get(&metric.key).map_or("-".into(), cell));
        std::iter::once(title).chain(cells).collect()
    }

    /// What was evaluated and on how many images, in a line above the table.
    pub fn heading(&self) -> String {
        let count = self.models.iter().map(|model| model.count).max().unwrap_or(0);
        let images = if count == 1 { "image" } else { "images" };
        format!("{}, {count} {images}", self.protocol.name)
    }

    /// What must be known to read the table and to compare the scores with others, a line each, below it.
    pub fn footnotes(&self) -> Vec<String> {
        let protocol = &self.protocol;
        let networks = self.networks.iter();
        let networks = networks.map(|used| format!("{}: {}, SHA-256 {}", used.name, used.file, used.sha256));
        let mut lines = self.remarks();
        lines.extend(protocol.text.iter().cloned());
        lines.extend(networks);
        lines.push(format!(
            "Originals: {}, {} of them, pixels {}",
            protocol.reference, protocol.reference_count, protocol.reference_hash
        ));
        let mut scores = self.models.iter().flat_map(|model| model.scores.values());
        if scores.any(|score| score.low.is_some() || score.error.is_some()) {
            lines.push(
                "In brackets: 95 % intervals by resampling the images. ± is what the score's line in the report says"
                    .into(),
            );
        }
        lines
    }

    /// What cells cannot say: why a score is missing, what it is of. What is the same for several candidates is said once.
    fn remarks(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for metric in &self.metrics {
            let mut said: Vec<(String, Vec<&str>)> = Vec::new();
            for model in &self.models {
                let Some(text) = model.scores.get(&metric.key).and_then(remark) else {
                    continue;
                };
                match said.iter_mut().find(|(other, _)| *other == text) {
                    Some((_, models)) => models.push(&model.name),
                    None => said.push((text, vec![&model.name])),
                }
            }
            lines.extend(
                said.into_iter()
                    .map(|(text, models)| match models.len() == self.models.len() {
                        true => format!("{}: {text}", metric.name),
                        false => format!("{} of {}: {text}", metric.name, models.join(", ")),
                    }),
            );
        }
        lines
    }
}

/// What must be said of a score beside its cell.
fn remark(score: &Score) -> Option<String> {
    if let Some(reason) = &score.missing {
        return Some(format!("none, {reason}"));
    }
    let copies = score.copies.as_ref().map(|copies| match copies.mean {
        None => "infinite, all outputs equal their originals".to_owned(),
        Some(mean) => format!(
            "infinite, {} of {} outputs equal their originals; the mean of the others is {}",
            copies.count,
            copies.count + copies.others,
            with_interval(mean, copies.low, copies.high)
        ),
    });
    let all: Vec<String> = copies.into_iter().chain(score.note.clone()).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

fn cell(score: &Score) -> String {
    let Some(value) = score.value else {
        return "-".into();
    };
    if value.is_infinite() {
        let others = score.copies.as_ref();
        let others = others.and_then(|copies| Some(format!(" ({} equal, others {:.2})", copies.count, copies.mean?)));
        return format!("inf{}", others.unwrap_or_default());
    }
    if value != 0.0 && value.abs() < 1e-4 {
        let error = score.error.map(|error| format!(" ± {error:.1e}"));
        return format!("{value:.3e}{}", error.unwrap_or_default());
    }
    let decimals = decimals(value);
    let error = match score.error {
        Some(error) => format!(" ± {error:.decimals$}"),
        None => String::new(),
    };
    format!("{}{error}", with_interval(value, score.low, score.high))
}

fn with_interval(value: f64, low: Option<f64>, high: Option<f64>) -> String {
    let decimals = decimals(value);
    match (low, high) {
        (Some(low), Some(high)) => format!("{value:.decimals$} ({low:.decimals$}–{high:.decimals$})"),
        _ => format!("{value:.decimals$}"),
    }
}

/// Decimals that show about four digits.
fn decimals(value: f64) -> usize {
    match value.abs() {
        0.0 => 2,
        size => (3 - size.log10().floor() as i64).clamp(0, 6) as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::report::document::ExactCopies;

    #[test]
    fn cells_show_four_digits() {
        let cells = [1024.0, 133.34, 28.4712, 0.8872, 0.0, 0.00012].map(|value| cell(&Score::of(value)));
        assert_eq!(cells, ["1024", "133.3", "28.47", "0.8872", "0.00", "0.000120"]);
        assert_eq!(cell(&Score::of(f64::INFINITY)), "inf");
        let copies = ExactCopies {
            count: 3,
            others: 95,
            mean: Some(28.471),
            low: Some(24.75),
            high: Some(31.7),
        };
        let partly = Score {
            copies: Some(copies),
            ..Score::of(f64::INFINITY)
        };
        assert_eq!(cell(&partly), "inf (3 equal, others 28.47)");
        assert_eq!(
            remark(&partly).as_deref(),
            Some("infinite, 3 of 98 outputs equal their originals; the mean of the others is 28.47 (24.75–31.70)")
        );
        assert_eq!(cell(&Score::none("why".into())), "-");
        let interval = Score {
            low: Some(24.75),
            high: Some(31.7),
            ..Score::of(28.47)
        };
        assert_eq!(cell(&interval), "28.47 (24.75–31.70)");
    }
}
