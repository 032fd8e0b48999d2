//! The learning rate over the steps of a run.

use serde::{Deserialize, Serialize};

/// Linear warm-up to `peak`, then half a cosine down to `min_lr` (ViTok, appendix; ViTok-v2).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Learning rate after the warm-up.
    pub peak: f64,
    /// Learning rate of the last step.
    pub min_lr: f64,
    /// Steps of warm-up.
    pub warmup_steps: u64,
    /// Steps of the whole run.
    pub steps: u64,
}

impl Schedule {
    /// The learning rate of step i, counted from 0. With w steps of warm-up it is `peak (i + 1) / (w + 1)` while i < w, then
    /// `min_lr + (peak - min_lr) (1 + cos(pi t)) / 2`, with t going from 0 to 1 over the other steps.
    pub fn lr(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / (self.warmup_steps + 1) as f64;
        }
        let last = self.steps.saturating_sub(1).max(self.warmup_steps);
        let t = (step - self.warmup_steps) as f64 / (last - self.warmup_steps).max(1) as f64;
        let cosine = (1.0 + (std::f64::consts::PI * t.min(1.0)).cos()) / 2.0;
        self.min_lr + (self.peak - self.min_lr) * cosine
    }
}
