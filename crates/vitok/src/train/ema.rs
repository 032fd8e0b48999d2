//! The moving average of the weights.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

/// An exponential moving average of every parameter.
#[derive(Clone, Debug)]
pub struct Ema {
    decay: f64,
    values: BTreeMap<String, Tensor<1>>,
}

impl Ema {
    /// An average that so far is `values`, flat, by name.
    pub fn new(decay: f64, values: BTreeMap<String, Tensor<1>>) -> Self {
        Self { decay, values }
    }

    /// The decay of the step to `steps` steps. Early on the average forgets faster, with
    /// (1 + steps) / (10 + steps), so that it is not held back by the initial weights.
    pub(super) fn decay(&self, steps: u64) -> f64 {
        let early = (1 + steps) as f64 / (10 + steps) as f64;
        self.decay.min(early)
    }

    /// Hands out the average of a parameter, to be [put](Self::put) back; an unknown one begins at
    /// the parameter's value.
    pub(super) fn take(&mut self, name: &str, value: &Tensor<1>) -> Tensor<1> {
        self.values.remove(name).unwrap_or_else(|| value.clone())
    }

    /// Puts back what an average has become.
    pub(super) fn put(&mut self, name: &str, average: Tensor<1>) {
        self.values.insert(name.to_owned(), average);
    }

    /// The averages, flat, by name.
    pub fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }
}
