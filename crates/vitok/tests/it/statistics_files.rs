//! Files of statistics: numpy's, and our own.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use faer::{Mat, mat};
use vitok::Error;
use vitok::metrics::{FeatureSet, FeatureStatistics, frechet, read_statistics, write_statistics};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/statistics")
        .join(name)
}

/// What `make.py` there writes.
fn expected(count: Option<usize>) -> FeatureStatistics {
    FeatureStatistics {
        count,
        mean: vec![0.5, -1.25, 3.0],
        covariance: mat![[2.0, 0.5, -0.25], [0.5, 1.0, 0.125], [-0.25, 0.125, 4.0]],
    }
}

#[test]
fn all_that_numpy_writes_is_read() {
    for name in [
        "plain",
        "compressed",
        "single",
        "big-endian",
        "fortran",
        "others",
        "version-2",
        "version-3",
    ] {
        let found = read_statistics(&fixture(&format!("{name}.npz"))).unwrap();
        assert_eq!(found, expected(None), "{name}");
    }
    let found = read_statistics(&fixture("counted.npz")).unwrap();
    assert_eq!(found, expected(Some(50_000)));
}

#[test]
fn what_is_no_statistics_is_refused_with_its_name() {
    for (name, reason) in [
        ("no-sigma", "no array sigma"),
        ("unfit", "[2, 2]"),
        ("flat", "[9]"),
        ("nan", "NaN at place (2, 2)"),
        ("infinite", "inf at place 2"),
        ("lopsided", "not symmetric"),
        ("integers", "integers"),
        ("half", "\"<f2\""),
        ("objects", "\"|O\""),
    ] {
        let error = read_statistics(&fixture(&format!("{name}.npz"))).unwrap_err();
        assert!(matches!(error, Error::Data { .. }), "{name}: {error:?}");
        let text = error.to_string();
        assert!(text.contains(&format!("{name}.npz: ")), "{text}");
        assert!(text.contains(reason), "{text}");
    }
    let error = read_statistics(&fixture("make.py")).unwrap_err();
    assert!(matches!(error, Error::Data { .. }), "{error:?}");
    let error = read_statistics(&fixture("absent.npz")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error:?}");
}

#[test]
fn damage_is_an_error_wherever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("damaged.npz");
    for name in ["plain.npz", "compressed.npz"] {
        let whole = std::fs::read(fixture(name)).unwrap();
        for end in (0..whole.len()).step_by(7) {
            std::fs::write(&path, &whole[..end]).unwrap();
            assert!(read_statistics(&path).is_err(), "{name} of {end} bytes");
        }
        for place in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[place] ^= 0x55;
            std::fs::write(&path, &bytes).unwrap();
            // Not every byte matters (times, permissions); what is read is right.
            match read_statistics(&path) {
                Ok(found) => assert_eq!(found, expected(None), "{name}, byte {place}"),
                Err(Error::Data { .. }) => {}
                Err(error) => panic!("{name}, byte {place}: {error:?}"),
            }
        }
    }
}

#[test]
fn what_is_written_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let values = (0..40 * 9).map(|i| (i * i % 101) as f32 / 7.0).collect();
    let set = FeatureSet::new("set", 9, values).unwrap();
    let moments = FeatureStatistics::of(&set).unwrap();
    let paths = ["a.npz", "b.npz"].map(|name| folder.path().join(name));
    for path in &paths {
        write_statistics(path, &moments).unwrap();
        let found = read_statistics(path).unwrap();
        assert_eq!(found, moments);
        assert_eq!(found.count, Some(40));
        assert_eq!(frechet(&found, &moments).unwrap(), 0.0);
    }
    let [a, b] = paths.map(|path| std::fs::read(path).unwrap());
    assert!(a == b, "the bytes depend on more than the moments");
    let uncounted = expected(None);
    let path = folder.path().join("uncounted.npz");
    write_statistics(&path, &uncounted).unwrap();
    assert_eq!(read_statistics(&path).unwrap(), uncounted);
}

#[test]
fn moments_that_are_none_are_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.npz");
    let mut broken = expected(None);
    broken.mean[1] = f64::NAN;
    let mut unfit = expected(None);
    unfit.covariance = Mat::zeros(2, 3);
    for moments in [broken, unfit] {
        let error = write_statistics(&path, &moments).unwrap_err();
        assert!(matches!(error, Error::InvalidArgument(_)), "{error:?}");
        assert!(!path.exists());
    }
}
