//! The order of samples: a mixture of datasets, each shuffled anew every epoch.

use rand::seq::SliceRandom;

use crate::rng::generator;

/// Which sample a position holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleIndex {
    /// Position since the start of the run: step * batch size + place in the batch.
    pub position: u64,
    /// Number of the dataset.
    pub dataset: usize,
    /// How often all of that dataset came before.
    pub epoch: u64,
    /// Number of the sample in that dataset.
    pub index: usize,
}

/// The endless order of a mixture. Each dataset is shuffled anew every epoch, by (seed, dataset, epoch); datasets take
/// turns so that at every position their counts are within one sample of their weights.
#[derive(Clone, Debug)]
pub struct Sampler {
    seed: u64,
    position: u64,
    datasets: Vec<Shuffled>,
}

/// A dataset and how far it has been gone through.
#[derive(Clone, Debug)]
struct Shuffled {
    /// Share of the mixture; all of them sum to 1.
    weight: f64,
    /// Number of samples.
    size: usize,
    /// Samples taken so far, over all epochs.
    taken: u64,
    /// The epoch that `permutation` is of.
    epoch: Option<u64>,
    permutation: Vec<u32>,
}

impl Sampler {
    /// An order over datasets of (number of samples, weight). Weights are relative to each other; datasets without
    /// samples or weight never come.
    pub fn new(seed: u64, datasets: &[(usize, f64)]) -> Self {
        let total: f64 = datasets.iter().map(|(_, weight)| weight).sum();
        let datasets = datasets.iter().map(|&(size, weight)| Shuffled {
            weight: weight / total,
            size,
            taken: 0,
            epoch: None,
            permutation: Vec::new(),
        });
        Self {
            seed,
            position: 0,
            datasets: datasets.collect(),
        }
    }

    /// Goes `count` positions on, without shuffling for them.
    pub fn advance(&mut self, count: u64) {
        for _ in 0..count {
            if let Some(dataset) = self.turn() {
                self.datasets[dataset].taken += 1;
            }
            self.position += 1;
        }
    }

    /// The dataset whose turn it is: the one that lags most behind its weight.
    fn turn(&self) -> Option<usize> {
        let lag = |dataset: &Shuffled| dataset.weight * (self.position + 1) as f64 - dataset.taken as f64;
        let usable = |(_, dataset): &(usize, &Shuffled)| dataset.size > 0 && dataset.weight > 0.0;
        let mut datasets = self.datasets.iter().enumerate().filter(usable);
        let first = datasets.next()?;
        let (number, _) = datasets.fold(first, |a, b| if lag(b.1) > lag(a.1) { b } else { a });
        Some(number)
    }
}

impl Iterator for Sampler {
    type Item = SampleIndex;

    /// The next position; none only if no dataset has samples and weight.
    fn next(&mut self) -> Option<SampleIndex> {
        let number = self.turn()?;
        let dataset = &mut self.datasets[number];
        let size = dataset.size as u64;
        let epoch = dataset.taken / size;
        if dataset.epoch != Some(epoch) {
            dataset.permutation = (0..dataset.size as u32).collect();
            let mut rng = generator("order", &[self.seed, number as u64, epoch]);
            dataset.permutation.shuffle(&mut rng);
            dataset.epoch = Some(epoch);
        }
        let index = dataset.permutation[(dataset.taken % size) as usize] as usize;
        dataset.taken += 1;
        let position = self.position;
        self.position += 1;
        Some(SampleIndex {
            position,
            dataset: number,
            epoch,
            index,
        })
    }
}
