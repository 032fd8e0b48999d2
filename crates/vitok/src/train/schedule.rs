//! The learning rate over the steps of a run.

use serde::{Deserialize, Serialize};

/// Linear warm-up, then a half cosine down to `end` (paper, appendix; v2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Schedule {
    /// Learning rate after the warm-up.
    pub peak: f64,
    /// Learning rate of the last step.
    pub end: f64,
    /// Steps of warm-up.
    pub warmup: u64,
    /// Steps of the whole run.
    pub steps: u64,
}

impl Schedule {
    /// The learning rate of a step, counted from 0. The first step already moves: with w steps of
    /// warm-up, step i has (i + 1) / (w + 1) of the peak.
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / (self.warmup + 1) as f64;
        }
        let last = self.steps.saturating_sub(1).max(self.warmup);
        let done = (step - self.warmup) as f64 / (last - self.warmup).max(1) as f64;
        let fall = (1.0 + (std::f64::consts::PI * done.min(1.0)).cos()) / 2.0;
        self.end + (self.peak - self.end) * fall
    }
}
