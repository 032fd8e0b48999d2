//! Which source pixels make up a target pixel, and with what weights.

use super::Filter;

/// For every target position along one side: the first source position and the weights from
/// there on.
pub(super) struct Coefficients<W> {
    /// First source position and number of weights of each target position.
    spans: Vec<(usize, usize)>,
    /// The weights of all target positions, one after the other.
    weights: Vec<W>,
}

impl<W: Copy> Coefficients<W> {
    fn with_capacity(targets: usize) -> Self {
        Self {
            spans: Vec::with_capacity(targets),
            weights: Vec::new(),
        }
    }

    fn push(&mut self, first: usize, weights: impl IntoIterator<Item = W>) {
        let before = self.weights.len();
        self.weights.extend(weights);
        self.spans.push((first, self.weights.len() - before));
    }

    /// Number of target positions.
    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// First source position and weights, target by target.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[W])> {
        let mut rest = self.weights.as_slice();
        self.spans.iter().map(move |&(first, count)| {
            let (weights, after) = rest.split_at(count);
            rest = after;
            (first, weights)
        })
    }

    /// The same coefficients with other numbers for weights.
    pub(super) fn map<V>(&self, to: impl Fn(W) -> V) -> Coefficients<V> {
        Coefficients {
            spans: self.spans.clone(),
            weights: self.weights.iter().map(|&w| to(w)).collect(),
        }
    }
}

/// Positions in f64, as Pillow keeps them.
pub(super) fn double(position: f64) -> f64 {
    position
}

/// Positions in f32, as PyTorch keeps them.
pub(super) fn single(position: f64) -> f64 {
    f64::from(position as f32)
}

/// The coefficients of Pillow, and of PyTorch's `interpolate(antialias=True)`, from `from` to `to`
/// pixels: a kernel around the target's center, as many times wider as the side shrinks, cut at
/// the edges and normalized to a sum of one.
///
/// `keep` is applied to the scale and to every position: Pillow keeps them in f64, PyTorch in f32,
/// which shows in the sixth digit ([`double`], [`single`]).
pub(super) fn antialiased(from: usize, to: usize, filter: Filter, keep: fn(f64) -> f64) -> Coefficients<f64> {
    let scale = keep(from as f64 / to as f64);
    let widening = scale.max(1.0);
    // Pillow multiplies distances by the inverse; dividing them would round differently.
    let narrowing = 1.0 / widening;
    let support = filter.support() * widening;
    let mut coefficients = Coefficients::with_capacity(to);
    let mut weights = Vec::new();
    for target in 0..to {
        let center = keep((target as f64 + 0.5) * scale);
        // `as` cuts toward zero and makes what lies before the edge 0.
        let first = (center - support + 0.5) as usize;
        let end = ((center + support + 0.5) as usize).min(from);
        weights.clear();
        weights.extend((first..end).map(|i| {
            let distance = keep(i as f64 - center + 0.5);
            filter.at(distance * narrowing)
        }));
        let sum: f64 = weights.iter().sum();
        if sum == 0.0 {
            // Rounding can put the only pixel under a box just outside of it.
            coefficients.push((center as usize).min(from - 1), [1.0]);
        } else {
            coefficients.push(first, weights.iter().map(|w| w / sum));
        }
    }
    coefficients
}

/// The coefficients of PyTorch's `interpolate(mode="bilinear", antialias=False)` from `from` to `to`
/// pixels: the two source pixels beside the target's center, however much the side shrinks.
///
/// With `align_corners` the centers of the outermost pixels stay where they are; without, the
/// outer edges do. Positions are f32, as there: their rounding shows in the result.
pub(super) fn two_nearest(from: usize, to: usize, align_corners: bool) -> Coefficients<f64> {
    let scale = match align_corners {
        true if to > 1 => (from - 1) as f32 / (to - 1) as f32,
        true => 0.0,
        false => from as f32 / to as f32,
    };
    let mut coefficients = Coefficients::with_capacity(to);
    for target in 0..to {
        let position = if align_corners {
            scale * target as f32
        } else {
            (scale * (target as f32 + 0.5) - 0.5).max(0.0)
        };
        let first = (position as usize).min(from - 1);
        let second_weight = (position - first as f32).clamp(0.0, 1.0);
        if first + 1 < from {
            coefficients.push(first, [f64::from(1.0 - second_weight), f64::from(second_weight)]);
        } else {
            coefficients.push(first, [1.0]);
        }
    }
    coefficients
}
