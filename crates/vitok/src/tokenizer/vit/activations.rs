//! Intermediate activations, for parity tests and probes.

use burn::tensor::Tensor;

/// Collects named intermediates `[B, N, D]` of an encode or decode, for parity tests and probes.
///
/// Names: `patch_embed`, `encoder_blocks.N`, `to_code`, `decoder_embed`, `decoder_blocks.N`.
#[derive(Debug, Default)]
pub struct Activations(Option<Vec<(String, Tensor<3>)>>);

impl Activations {
    /// Collects nothing, at no cost.
    pub fn off() -> Self {
        Self(None)
    }

    /// Collects everything.
    pub fn on() -> Self {
        Self(Some(Vec::new()))
    }

    /// Whether anything is collected.
    pub(super) fn are_on(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn record(&mut self, name: impl FnOnce() -> String, x: &Tensor<3>) {
        if let Some(activations) = &mut self.0 {
            activations.push((name(), x.clone()));
        }
    }

    /// What was collected under `name`.
    pub fn get(&self, name: &str) -> Option<&Tensor<3>> {
        self.iter().find(|(n, _)| n == name).map(|(_, x)| x)
    }

    /// Everything collected, in the order it passed.
    pub fn iter(&self) -> impl Iterator<Item = &(String, Tensor<3>)> {
        self.0.iter().flatten()
    }
}
