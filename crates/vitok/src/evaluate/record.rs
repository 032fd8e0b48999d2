//! What is stored of a clip that was scored.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::metric::Metric;

/// What scores are of: SHA-256 of files as they lie on disk, whatever they are called. A clip of several files has the
/// hash of their hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) original: String,
    /// None where a codec makes the output, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) output: Option<String>,
}

/// The scores of one clip.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Where the original lay.
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) content: Content,
    /// SHA-256 of the original's pixels.
    pub(super) pixels: String,
    /// How many numbers the pixels of the clip are: three colors of all frames.
    pub(super) samples: usize,
    /// Values of its compressed representation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) values: Option<usize>,
    /// Bytes of its compressed representation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bytes: Option<usize>,
    /// The quality setting of the codec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) quality: Option<u8>,
    /// Whether it has a row of features.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) has_row: bool,
    /// As text: JSON has no infinity, and its readers may lose the last bit of a number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<Metric, Option<String>>,
}

impl Record {
    /// A record without scores yet.
    pub(super) fn new(name: &str, content: Content) -> Self {
        Self {
            name: name.to_owned(),
            content,
            ..Self::default()
        }
    }

    /// A score, which may be infinite, or why there is none.
    pub(super) fn score(&self, metric: Metric) -> Result<f64, String> {
        let text = match self.scores.get(&metric) {
            None => return Err("not scored".into()),
            Some(None) => return Err(metric.too_small()),
            Some(Some(text)) => text,
        };
        let score = text.parse::<f64>().ok().filter(|score| !score.is_nan());
        score.ok_or_else(|| "the score is not a number".into())
    }

    /// Whether the metric was tried on it.
    pub(super) fn has(&self, metric: Metric) -> bool {
        self.scores.contains_key(&metric)
    }

    /// Keeps a score; none for a clip that is too small for the metric.
    pub(super) fn set_score(&mut self, metric: Metric, score: Option<f64>) {
        self.scores.insert(metric, score.map(|score| score.to_string()));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn scores_keep_their_bits_and_their_three_states() {
        let mut record = Record::default();
        record.set_score(Metric::Psnr, Some(f64::INFINITY));
        record.set_score(Metric::Mse, Some(0.1 + 0.2));
        record.set_score(Metric::Mae, Some(11.138715277777777));
        record.set_score(Metric::MsSsim, None);
        record.set_score(Metric::LpipsAlex, Some(f64::NAN));
        let text = serde_json::to_string(&record).unwrap();
        let back: Record = serde_json::from_str(&text).unwrap();
        assert_eq!(back.score(Metric::Psnr), Ok(f64::INFINITY));
        assert_eq!(back.score(Metric::Mse), Ok(0.1 + 0.2));
        // A number that serde_json's default reader takes for the one before it.
        assert_eq!(back.score(Metric::Mae), Ok(11.138715277777777));
        let reason = |metric| back.score(metric).unwrap_err();
        assert!(reason(Metric::MsSsim).contains("176 pixels"));
        assert!(reason(Metric::LpipsAlex).contains("not a number"));
        assert!(back.has(Metric::MsSsim) && !back.has(Metric::Ssim));
    }
}
