//! Hashes of weights: which encoder made some latents, and whether a model is the same as before.

use std::collections::BTreeMap;

use bytemuck::cast_slice;
use sha2::{Digest, Sha256};

use super::config::ModelConfig;
use super::network::Network;
use crate::files::hexadecimal;
use crate::nn::params;
use crate::{Error, Result};

/// Identifies the encoder: a hash of its tensors' names, shapes and up to 64 values of each.
///
/// Sampled, because hashing a large model whole would take longer than loading it; any training
/// step changes it. The same weights in another dtype are another encoder.
#[derive(Default)]
pub(super) struct Fingerprint(BTreeMap<String, [u8; 32]>);

impl Fingerprint {
    /// Adds a parameter at its path in [`Network`]; those of the decoder do not count.
    pub(super) fn add(&mut self, path: &str, shape: &[usize], values: &[f32]) {
        if !path.starts_with("encoder.") {
            return;
        }
        let mut hash = Sha256::new();
        hash.update(format!("{shape:?}"));
        for value in values.iter().step_by(values.len().div_ceil(64).max(1)) {
            hash.update(value.to_le_bytes());
        }
        self.0.insert(path.to_owned(), hash.finalize().into());
    }

    /// Sixteen hexadecimal digits; none if nothing was added.
    pub(super) fn finish(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let mut hash = Sha256::new();
        for (path, digest) in &self.0 {
            hash.update(path);
            hash.update(digest);
        }
        hexadecimal(&hash.finalize()[..8])
    }
}

/// SHA-256 of a model: its config, and every value of every parameter with its path and shape.
pub(super) fn digest(config: &ModelConfig, network: &Network) -> Result<String> {
    let config = serde_json::to_vec(config).map_err(|e| Error::Internal(format!("a config is no JSON: {e}")))?;
    let mut hash = Sha256::new();
    hash.update(config);
    let mut outcome = Ok(());
    params::for_each(network, |path, shape, parameter| {
        if outcome.is_err() {
            return;
        }
        match parameter.reader()() {
            Ok(values) => {
                hash.update(format!("{path} {shape:?}"));
                hash.update(cast_slice::<f32, u8>(&values));
            }
            Err(error) => outcome = Err(error),
        }
    });
    outcome.map(|()| hexadecimal(&hash.finalize()))
}
