//! The moving average of the weights.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::Tensor;

use crate::nn::params;

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

    /// Takes in the weights after `steps` steps. Early on the average forgets faster, with decay
    /// (1 + steps) / (10 + steps), so that it is not held back by the initial weights.
    pub fn update<M: Module>(&mut self, module: &M, steps: u64) {
        let early = (1 + steps) as f64 / (10 + steps) as f64;
        let decay = self.decay.min(early);
        for (name, value) in params::values(module) {
            let average = match self.values.remove(&name) {
                Some(average) => average * decay + value * (1.0 - decay),
                None => value,
            };
            self.values.insert(name, average);
        }
    }

    /// The averages, flat, by name.
    pub fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }
}
