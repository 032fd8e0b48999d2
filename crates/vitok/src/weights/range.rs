//! What is lost when values are stored in a narrower dtype.

use super::dtype::Dtype;

/// The share of a tensor's values that may become 0 without a word.
const MOST_ZEROS: f64 = 0.01;

/// A tensor of which a dtype turns many values into 0, because they are smaller than the smallest it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Underflow {
    /// The tensor's name.
    pub tensor: String,
    /// Values that become 0.
    pub zeros: usize,
    /// Values that are not 0.
    pub values: usize,
}

impl Underflow {
    /// That of a tensor, if more than 1 % of the values that are not 0 become it.
    pub(crate) fn of(tensor: &str, values: &[f32], dtype: Dtype) -> Option<Self> {
        let not_zero = values.iter().filter(|value| **value != 0.0);
        let zeros = not_zero.clone().filter(|value| dtype.rounded(**value) == 0.0).count();
        let values = not_zero.count();
        (zeros as f64 > MOST_ZEROS * values as f64).then(|| Self {
            tensor: tensor.to_owned(),
            zeros,
            values,
        })
    }
}

/// The first finite value that becomes infinite in a dtype.
pub(crate) fn first_beyond(values: &[f32], dtype: Dtype) -> Option<f32> {
    let is_beyond = |value: &f32| value.is_finite() && dtype.rounded(*value).is_infinite();
    values.iter().copied().find(is_beyond)
}

/// The dtypes that hold a value, by their names, the smallest first.
pub(crate) fn wide_enough(value: f32) -> Vec<&'static str> {
    let mut all = Dtype::STORABLE.to_vec();
    all.sort_by_key(|dtype| dtype.bytes());
    let holds = |dtype: &Dtype| first_beyond(&[value], *dtype).is_none();
    all.into_iter().filter(holds).map(Dtype::name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_borders_are_those_of_rounding() {
        assert_eq!(first_beyond(&[1.0, -65519.0, 65504.0], Dtype::F16), None);
        assert_eq!(first_beyond(&[1.0, -65520.0], Dtype::F16), Some(-65520.0));
        assert_eq!(first_beyond(&[1e38, f32::MAX], Dtype::Bf16), Some(f32::MAX));
        assert_eq!(first_beyond(&[f32::MAX, f32::INFINITY], Dtype::F32), None);
        assert_eq!(wide_enough(7e4), ["bf16", "f32"]);
        assert_eq!(wide_enough(f32::MAX), ["f32"]);
        // Half of the smallest f16, 2^-24, is rounded to 0; a little more is not.
        let smallest = 2f32.powi(-24);
        let zeros = |values: &[f32]| Underflow::of("a", values, Dtype::F16).map(|lost| (lost.zeros, lost.values));
        assert_eq!(zeros(&[smallest / 2.0, 1.0, 0.0]), Some((1, 2)));
        assert_eq!(zeros(&[smallest * 0.51, 1.0, 0.0]), None);
        let mut many = vec![1.0; 198];
        many.extend([1e-9, 1e-9]);
        assert_eq!(zeros(&many), None, "1 % may be lost");
        many.push(1e-9);
        assert_eq!(zeros(&many), Some((3, 201)));
        assert_eq!(Underflow::of("a", &many, Dtype::Bf16), None);
        assert_eq!(zeros(&[]), None);
    }
}
