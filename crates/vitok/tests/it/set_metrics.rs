//! Scores of sets of features, against numpy and scipy and against what must hold of any.
#![allow(clippy::unwrap_used)]

use faer::Mat;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rayon::ThreadPoolBuilder;
use safetensors::{Dtype, SafeTensors};
use vitok::Error;
use vitok::metrics::{
    FeatureSet, FeatureStatistics, FeatureStatisticsSum, FrechetOfRows, KidOptions, PrecisionRecall, frechet,
    frechet_of_sets, inception_score, kid, mmd2, mmd2_of_rows, precision_recall,
};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/set_metrics.safetensors");

/// The golden features are f64, ours f32.
const LIMIT: f64 = 2e-7;

fn doubles(file: &SafeTensors, name: &str) -> (Vec<usize>, Vec<f64>) {
    let view = file.tensor(name).unwrap();
    assert_eq!(view.dtype(), Dtype::F64);
    let values = view.data().as_chunks().0;
    let values = values.iter().map(|&b| f64::from_le_bytes(b)).collect();
    (view.shape().to_vec(), values)
}

fn golden_set(file: &SafeTensors, name: &str) -> FeatureSet {
    let (shape, values) = doubles(file, name);
    FeatureSet::new(name, shape[1], values.iter().map(|&v| v as f32).collect()).unwrap()
}

fn close(name: &str, found: f64, expected: f64, limit: f64) {
    let off = (found - expected).abs() / expected.abs();
    println!("{name}: {found} {off:.1e}");
    assert!(off <= limit, "{name}: {found}, expected {expected}");
}

/// Correlated features, far from 0 and of different sizes.
fn random_set(n: usize, dims: usize, seed: u64) -> FeatureSet {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(n * dims);
    for _ in 0..n {
        let common: f32 = rng.random();
        values.extend((0..dims).map(|i| {
            let own: f32 = rng.random();
            3.0 + common + own * own * (1.0 + (i % 7) as f32)
        }));
    }
    FeatureSet::new("random", dims, values).unwrap()
}

fn shuffled(set: &FeatureSet, seed: u64) -> FeatureSet {
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    picked(set, &order)
}

fn picked(set: &FeatureSet, rows: &[usize]) -> FeatureSet {
    let values = rows.iter().flat_map(|&row| set.row(row)).copied();
    FeatureSet::new("picked", set.dims(), values.collect()).unwrap()
}

fn moved(set: &FeatureSet, by: impl Fn(usize) -> f32) -> FeatureSet {
    let values = set.values().iter().enumerate();
    let values = values.map(|(i, v)| v + by(i % set.dims())).collect();
    FeatureSet::new("moved", set.dims(), values).unwrap()
}

/// By way of the covariances, whatever the sizes.
fn by_moments(a: &FeatureSet, b: &FeatureSet) -> f64 {
    frechet(&FeatureStatistics::of(a).unwrap(), &FeatureStatistics::of(b).unwrap()).unwrap()
}

fn by_rows(a: &FeatureSet, b: &FeatureSet) -> f64 {
    FrechetOfRows::new(a, b).unwrap().whole().unwrap()
}

fn traces(set: &FeatureSet) -> f64 {
    let covariance = FeatureStatistics::of(set).unwrap().covariance;
    (0..set.dims()).map(|i| covariance[(i, i)]).sum()
}

#[test]
fn golden_distances_are_met() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    for name in ["shifted", "singular", "small"] {
        let number = |what: &str| doubles(&file, &format!("{name}.{what}")).1[0];
        let set = |side: &str| golden_set(&file, &format!("{name}.{side}"));
        let (a, b) = (set("a"), set("b"));
        let expected = number("frechet");
        close(name, by_moments(&a, &b), expected, LIMIT);
        close(name, by_moments(&b, &a), expected, LIMIT);
        close(name, by_rows(&a, &b), expected, LIMIT);
        close(name, by_rows(&b, &a), expected, LIMIT);
        close(name, frechet_of_sets(&a, &b).unwrap(), expected, LIMIT);
        let sqrtm = number("frechet_scipy_sqrtm");
        close("sqrtm", frechet_of_sets(&a, &b).unwrap(), sqrtm, LIMIT);
        let expected = number("mmd2_unbiased_poly3");
        close("MMD²", mmd2(&a, &b).unwrap(), expected, LIMIT);
        close("MMD²", mmd2(&b, &a).unwrap(), expected, LIMIT);
    }
}

#[test]
fn golden_inception_scores_are_met() {
    let bytes = std::fs::read(GOLDEN).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (shape, probabilities) = doubles(&file, "is.probs");
    // Logits are known but for a constant in each row.
    let logits = probabilities.iter().enumerate();
    let logits = logits.map(|(i, p)| (p.ln() + (i / shape[1] % 5) as f64) as f32);
    let logits = FeatureSet::new("logits", shape[1], logits.collect()).unwrap();
    let (one, spread) = inception_score(&logits, 1, None).unwrap();
    let expected = doubles(&file, "is.score_one_split").1[0];
    close("one split", one, expected, LIMIT);
    assert_eq!(spread, 0.0);
    let (mean, std) = inception_score(&logits, 10, None).unwrap();
    let expected = doubles(&file, "is.ten_splits_mean_std").1;
    close("mean of ten", mean, expected[0], LIMIT);
    close("std of ten", std, expected[1], 1e-6);
}

#[test]
fn a_set_is_at_no_distance_from_itself() {
    for (n, dims) in [(200, 24), (30, 48), (49, 48)] {
        let set = random_set(n, dims, 1);
        assert_eq!(by_moments(&set, &set), 0.0);
        assert_eq!(by_rows(&set, &set), 0.0);
        assert_eq!(frechet_of_sets(&set, &set).unwrap(), 0.0);
        let again = shuffled(&set, 2);
        let limit = 1e-12 * traces(&set);
        assert!(by_moments(&set, &again) <= limit);
        assert!(by_rows(&set, &again) <= limit);
    }
}

#[test]
fn the_order_of_rows_does_not_matter() {
    for (n, m, dims) in [(300, 280, 20), (30, 25, 64)] {
        let (a, b) = (
            random_set(n, dims, 1),
            moved(&random_set(m, dims, 2), |i| i as f32 / 9.0),
        );
        let (c, d) = (shuffled(&a, 3), shuffled(&b, 4));
        close("moments", by_moments(&c, &d), by_moments(&a, &b), 1e-12);
        close("rows", by_rows(&c, &d), by_rows(&a, &b), 1e-12);
        close("both ways", by_rows(&a, &b), by_moments(&a, &b), 1e-12);
        close("MMD²", mmd2(&c, &d).unwrap(), mmd2(&a, &b).unwrap(), 1e-10);
        assert_eq!(
            precision_recall(&c, &d, 3).unwrap(),
            precision_recall(&a, &b, 3).unwrap()
        );
    }
}

#[test]
fn a_shift_counts_with_its_square() {
    for (n, dims) in [(300, 12), (20, 40)] {
        // Steps of 1/64 are exact in f32 beside features rounded to them.
        let set = random_set(n, dims, 5);
        let rounded = set.values().iter().map(|v| (v * 64.0).round() / 64.0);
        let set = FeatureSet::new("rounded", dims, rounded.collect()).unwrap();
        let by = |i: usize| (i % 5) as f32 / 64.0;
        let expected: f64 = (0..dims).map(|i| f64::from(by(i)).powi(2)).sum();
        close("moments", by_moments(&set, &moved(&set, by)), expected, 1e-10);
        close("rows", by_rows(&set, &moved(&set, by)), expected, 1e-10);
    }
}

#[test]
fn diagonal_covariances_have_a_known_distance() {
    let moments = |mean: f64, roots: [f64; 3]| FeatureStatistics {
        count: None,
        mean: vec![mean; 3],
        covariance: Mat::from_fn(3, 3, |i, j| if i == j { roots[i].powi(2) } else { 0.0 }),
    };
    let (a, b) = (moments(1.0, [3.0, 0.0, 2.0]), moments(0.5, [1.0, 2.0, 0.0]));
    // 3 * 0.25 + 2² + 2² + 2²
    close("diagonal", frechet(&a, &b).unwrap(), 12.75, 1e-14);
    let nothing = moments(0.0, [0.0; 3]);
    close("a point", frechet(&a, &nothing).unwrap(), 16.0, 1e-14);
    assert_eq!(frechet(&nothing, &nothing).unwrap(), 0.0);
}

#[test]
fn moments_are_those_of_the_definition() {
    for n in [2, 255, 256, 257, 700] {
        // Far from 0 beside their spread: a sum of squares would have lost half of its digits.
        let set = moved(&random_set(n, 130, 6), |i| 1e4 * i as f32);
        let found = FeatureStatistics::of(&set).unwrap();
        let mean: Vec<f64> = (0..set.dims())
            .map(|i| set.rows().map(|row| f64::from(row[i])).sum::<f64>() / n as f64)
            .collect();
        for (found, mean) in found.mean.iter().zip(&mean) {
            close_enough(*found, *mean, 1e-12 * mean.abs());
        }
        for (i, j) in [(0, 0), (0, 129), (127, 128), (128, 127), (129, 129), (5, 64)] {
            let products = set
                .rows()
                .map(|row| (f64::from(row[i]) - mean[i]) * (f64::from(row[j]) - mean[j]));
            let expected = products.sum::<f64>() / (n - 1) as f64;
            close_enough(found.covariance[(i, j)], expected, 1e-9);
        }
        assert_eq!(found.count, Some(n));
        // The rows' split into calls changes nothing, not even a bit.
        for chunk in [1, 3, 256, 400] {
            let mut sum = FeatureStatisticsSum::new(set.dims());
            let rows: Vec<usize> = (0..n).collect();
            for rows in rows.chunks(chunk) {
                sum.add(&picked(&set, rows)).unwrap();
            }
            assert_eq!(sum.count(), n);
            assert_eq!(sum.finish().unwrap(), found, "{n} rows by {chunk}");
        }
    }
}

fn close_enough(found: f64, expected: f64, limit: f64) {
    assert!((found - expected).abs() <= limit, "{found}, not {expected}");
}

#[test]
fn threads_change_no_bit() {
    let (a, b) = (
        random_set(700, 300, 7),
        moved(&random_set(650, 300, 8), |i| i as f32 / 900.0),
    );
    let options = KidOptions {
        subsets: 5,
        subset_size: 300,
        seed: 1,
    };
    let scores = || {
        (
            by_moments(&a, &b).to_bits(),
            by_rows(&a, &b).to_bits(),
            mmd2(&a, &b).unwrap().to_bits(),
            kid(&a, &b, &options).unwrap(),
            precision_recall(&a, &b, 3).unwrap(),
        )
    };
    let with = |threads: usize| {
        let pool = ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(scores)
    };
    let one = with(1);
    assert_eq!(with(4), one);
    assert_eq!(with(3), one);
}

#[test]
fn selections_of_rows_are_sets_of_their_own() {
    let (a, b) = (random_set(40, 64, 9), moved(&random_set(35, 64, 10), |_| 0.25));
    let all = FrechetOfRows::new(&a, &b).unwrap();
    let mut rng = StdRng::seed_from_u64(11);
    for _ in 0..5 {
        // With replacement, as the bootstrap draws.
        let a_rows: Vec<usize> = (0..40).map(|_| rng.random_range(0..40)).collect();
        let b_rows: Vec<usize> = (0..30).map(|_| rng.random_range(0..35)).collect();
        let (a, b, found) = (
            picked(&a, &a_rows),
            picked(&b, &b_rows),
            all.of(&a_rows, &b_rows).unwrap(),
        );
        close("distance", found, by_moments(&a, &b), 1e-11);
    }
    let (a_rows, b_rows) = ([0, 5, 9, 39], [34, 1, 2]);
    let found = mmd2_of_rows(&a, &a_rows, &b, &b_rows).unwrap();
    let expected = mmd2(&picked(&a, &a_rows), &picked(&b, &b_rows)).unwrap();
    assert_eq!(found, expected);
}

#[test]
fn kid_is_the_mean_over_subsets() {
    let (a, b) = (random_set(150, 16, 12), moved(&random_set(140, 16, 13), |_| 0.5));
    let options = KidOptions {
        subsets: 50,
        subset_size: 60,
        seed: 3,
    };
    let found = kid(&a, &b, &options).unwrap();
    let whole = mmd2(&a, &b).unwrap();
    let error = found.std_error.unwrap();
    assert_eq!((found.subsets, found.subset_size), (50, 60));
    close("std error", error, found.std / 50f64.sqrt(), 1e-15);
    assert!((found.mean - whole).abs() < 5.0 * error, "{found:?}, {whole}");
    assert_eq!(kid(&a, &b, &options).unwrap(), found);
    let other = KidOptions { seed: 4, ..options };
    assert_ne!(kid(&a, &b, &other).unwrap().mean, found.mean);

    // The smaller set in each subset whole, the larger not: subsets still differ.
    let clamped = kid(&a, &b, &KidOptions::default()).unwrap();
    assert_eq!((clamped.subsets, clamped.subset_size), (100, 140));
    assert!(clamped.std > 0.0);

    // All of both sets: there is one estimate, whose spread nobody knows.
    let rows: Vec<usize> = (0..140).collect();
    let a = picked(&a, &rows);
    let one = kid(&a, &b, &KidOptions::default()).unwrap();
    assert_eq!((one.subsets, one.subset_size), (1, 140));
    assert_eq!((one.std, one.std_error), (0.0, None));
    close("one", one.mean, mmd2(&a, &b).unwrap(), 1e-12);
}

#[test]
fn inception_score_knows_its_bounds() {
    let certain = |row: usize, class: usize| if row % 8 == class { 500.0 } else { 0.0 };
    let logits = |value: &dyn Fn(usize, usize) -> f32, n: usize| {
        let values = (0..n).flat_map(|row| (0..8).map(move |class| (row, class)));
        FeatureSet::new("logits", 8, values.map(|(r, c)| value(r, c)).collect()).unwrap()
    };
    let (mean, std) = inception_score(&logits(&certain, 80), 10, None).unwrap();
    close("all classes, certain", mean, 8.0, 1e-12);
    assert!(std < 1e-12);
    let (mean, _) = inception_score(&logits(&|_, class| class as f32, 30), 3, None).unwrap();
    close("always the same", mean, 1.0, 1e-12);
    // In the order of classes a split of ten sees one class alone, where a class has no share.
    let mut order: Vec<usize> = (0..80).collect();
    order.sort_by_key(|row| row % 8);
    let sorted = inception_score(&logits(&certain, 80), 8, Some(&order)).unwrap();
    close("sorted", sorted.0, 1.0, 1e-12);
}

#[test]
fn precision_and_recall_know_same_from_far() {
    for neighbors in [1, 3, 5] {
        let set = random_set(150, 20, 14);
        let perfect = PrecisionRecall {
            precision: 1.0,
            recall: 1.0,
        };
        assert_eq!(precision_recall(&set, &set, neighbors).unwrap(), perfect);
        let again = shuffled(&set, 15);
        assert_eq!(precision_recall(&again, &set, neighbors).unwrap(), perfect);
        let far = moved(&set, |_| 1e4);
        let none = precision_recall(&far, &set, neighbors).unwrap();
        assert_eq!((none.precision, none.recall, none.f_score()), (0.0, 0.0, 0.0));
    }
}

#[test]
fn precision_and_recall_of_a_line() {
    let line = |values: &[f32]| FeatureSet::new("line", 1, values.to_vec()).unwrap();
    // To its nearest: radii 1, 1, 2, 4 around 0, 1, 3, 7.
    let real = line(&[0.0, 1.0, 3.0, 7.0]);
    // To its nearest: radii 0, 0, 91 around 11, 11, 102.
    let generated = line(&[11.0, 11.0, 102.0]);
    let found = precision_recall(&generated, &real, 1).unwrap();
    // 11 lies on the boundary of the ball of 7, 102 nowhere; 102 - 91 = 11 is beyond all real ones.
    assert_eq!((found.precision, found.recall), (2.0 / 3.0, 0.0));
    // Balls of no size at all still hold their own place, far from 0 as well.
    let twins = line(&[1e6, 1e6, 3e6, 3e6]);
    let found = precision_recall(&line(&[1e6, 3e6, 3e6 + 0.25]), &twins, 1).unwrap();
    assert_eq!(found.precision, 2.0 / 3.0);
}

/// Brute force in the definition's words, on more rows than a block has and on ties.
#[test]
fn precision_and_recall_are_those_of_the_definition() {
    let coarse = |set: FeatureSet| {
        let values = set.values().iter().map(|v| (v * 2.0).round() + 1000.0);
        FeatureSet::new("coarse", set.dims(), values.collect()).unwrap()
    };
    let (a, b) = (coarse(random_set(300, 3, 16)), coarse(random_set(1100, 3, 17)));
    let distance = |x: &[f32], y: &[f32]| -> f64 { x.iter().zip(y).map(|(x, y)| f64::from(x - y).powi(2)).sum() };
    let share = |points: &FeatureSet, centers: &FeatureSet| {
        let balls: Vec<(&[f32], f64)> = centers
            .rows()
            .map(|row| {
                let mut all: Vec<f64> = centers.rows().map(|other| distance(row, other)).collect();
                all.sort_by(f64::total_cmp);
                (row, all[3])
            })
            .collect();
        let covered = points
            .rows()
            .filter(|row| balls.iter().any(|(c, radius)| distance(row, c) <= *radius));
        covered.count() as f64 / points.len() as f64
    };
    let found = precision_recall(&a, &b, 3).unwrap();
    assert_eq!((found.precision, found.recall), (share(&a, &b), share(&b, &a)));
    assert!(found.recall < 1.0, "{found:?}");
}

#[test]
fn nonsense_is_refused() {
    let is_input = |error: Error, what: &str| {
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(error.to_string().contains(what), "{error}");
    };
    is_input(FeatureSet::new("x", 0, vec![]).unwrap_err(), "0 features");
    is_input(FeatureSet::new("x", 2, vec![1.0; 3]).unwrap_err(), "3 values");
    for bad in [f32::NAN, f32::INFINITY] {
        let error = FeatureSet::new("photos", 2, vec![0.0, 1.0, 2.0, bad, bad, 0.0]).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{error:?}");
        assert!(error.to_string().contains("photos: row 1"), "{error}");
    }

    let (two, three) = (random_set(9, 2, 18), random_set(9, 3, 19));
    let options = KidOptions::default();
    is_input(frechet_of_sets(&two, &three).unwrap_err(), "2 and 3");
    is_input(mmd2(&two, &three).unwrap_err(), "2 and 3");
    is_input(kid(&two, &three, &options).unwrap_err(), "2 and 3");
    is_input(precision_recall(&two, &three, 3).unwrap_err(), "2 and 3");
    is_input(FeatureStatisticsSum::new(3).add(&two).unwrap_err(), "2");
    let moments = [&two, &three].map(|set| FeatureStatistics::of(set).unwrap());
    is_input(frechet(&moments[0], &moments[1]).unwrap_err(), "2 and 3");

    for n in [0, 1] {
        let few = random_set(n, 3, 20);
        let count = &n.to_string();
        is_input(FeatureStatistics::of(&few).unwrap_err(), count);
        is_input(frechet_of_sets(&few, &three).unwrap_err(), count);
        is_input(FrechetOfRows::new(&few, &three).unwrap().whole().unwrap_err(), count);
        is_input(mmd2(&three, &few).unwrap_err(), count);
        is_input(kid(&three, &few, &options).unwrap_err(), count);
        is_input(precision_recall(&three, &few, 3).unwrap_err(), count);
        is_input(inception_score(&few, 2, None).unwrap_err(), count);
    }
    is_input(FeatureStatisticsSum::new(0).finish().unwrap_err(), "0");

    let rows = FrechetOfRows::new(&three, &three).unwrap();
    is_input(rows.of(&[0, 9], &[0, 1]).unwrap_err(), "row 9");
    is_input(mmd2_of_rows(&three, &[0, 1], &three, &[9, 1]).unwrap_err(), "row 9");
    is_input(precision_recall(&three, &three, 0).unwrap_err(), "0 neighbors");
    is_input(precision_recall(&three, &three, 9).unwrap_err(), "9 neighbors");
    let none = KidOptions { subsets: 0, ..options };
    is_input(kid(&three, &three, &none).unwrap_err(), "subset");
    is_input(inception_score(&three, 0, None).unwrap_err(), "into 0");
    for order in [vec![0; 9], (1..10).collect(), (0..8).collect()] {
        is_input(inception_score(&three, 3, Some(&order)).unwrap_err(), "order");
    }

    let mut negative = moments[1].clone();
    negative.covariance[(0, 0)] = -1.0;
    is_input(frechet(&negative, &moments[1]).unwrap_err(), "eigenvalue");
    let mut broken = moments[1].clone();
    broken.mean[2] = f64::NAN;
    is_input(frechet(&broken, &broken).unwrap_err(), "NaN");
}
