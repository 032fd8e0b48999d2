//! Batch norm as it stands after training, folded into the convolution before it.

use std::borrow::Cow;

/// `(x - mean) / sqrt(variance + eps) * weight + bias` for each channel (Ioffe and Szegedy, "Batch Normalization", 2015,
/// section 3.1), with the running statistics of training. All slices are `[channels]`.
pub(super) struct BatchNorm<'a> {
    /// 1 where absent.
    pub(super) weight: Option<Cow<'a, [f32]>>,
    pub(super) bias: Cow<'a, [f32]>,
    pub(super) mean: Cow<'a, [f32]>,
    pub(super) variance: Cow<'a, [f32]>,
}

impl BatchNorm<'_> {
    /// `eps` of every network here.
    const EPSILON: f64 = 1e-3;

    /// Weight `[outputs, ..]` and bias `[outputs]` of the one convolution that does both, from the weight of one without
    /// a bias: the weight times `weight / sqrt(variance + eps)`, and `bias - mean * weight / sqrt(variance + eps)`.
    pub(super) fn fold_into(self, convolution: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let outputs = self.mean.len();
        let factor = |i: usize| {
            let weight = self.weight.as_ref().map_or(1.0, |weight| f64::from(weight[i]));
            weight / (f64::from(self.variance[i]) + Self::EPSILON).sqrt()
        };
        let rows = convolution.chunks(convolution.len() / outputs).enumerate();
        let weight = rows.flat_map(|(i, row)| {
            let factor = factor(i);
            row.iter().map(move |w| (f64::from(*w) * factor) as f32)
        });
        let bias = (0..outputs).map(|i| (f64::from(self.bias[i]) - f64::from(self.mean[i]) * factor(i)) as f32);
        (weight.collect(), bias.collect())
    }
}
