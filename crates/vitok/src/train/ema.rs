//! The exponential moving average (EMA) of the weights.

use std::collections::BTreeMap;

use burn::tensor::Tensor;

/// The average of every parameter: `ema = decay * ema + (1 - decay) * param` at each step.
#[derive(Clone, Debug)]
pub struct Ema {
    decay: f64,
    values: BTreeMap<String, Tensor<1>>,
}

impl Ema {
    /// An average that is `values` so far, flat, by parameter name.
    pub fn new(decay: f64, values: BTreeMap<String, Tensor<1>>) -> Self {
        Self { decay, values }
    }

    /// The decay at the step after which `steps` are taken: at most `(1 + steps) / (10 + steps)`, so that the initial weights
    /// are soon forgotten (as TensorFlow's `ExponentialMovingAverage` with `num_updates`).
    pub(super) fn decay(&self, steps: u64) -> f64 {
        let warmup = (1 + steps) as f64 / (10 + steps) as f64;
        self.decay.min(warmup)
    }

    /// Takes out the average of a parameter, to be [put](Self::put) back, so that it can be changed in place; a new one is
    /// the parameter's value.
    pub(super) fn take(&mut self, name: &str, value: &Tensor<1>) -> Tensor<1> {
        self.values.remove(name).unwrap_or_else(|| value.clone())
    }

    /// Sets the average of a parameter.
    pub(super) fn put(&mut self, name: &str, ema: Tensor<1>) {
        self.values.insert(name.to_owned(), ema);
    }

    /// The averages, flat, by name.
    pub fn values(&self) -> &BTreeMap<String, Tensor<1>> {
        &self.values
    }
}
