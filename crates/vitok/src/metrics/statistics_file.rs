//! [`FeatureStatistics`] in pytorch-fid's files: a zip of numpy arrays, `mu` `[dims]` and `sigma` `[dims, dims]`.

use std::fs::File;
use std::io::{BufReader, Cursor, Write};
use std::path::Path;

use faer::Mat;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime, ZipArchive};

use super::feature_statistics::FeatureStatistics;
use crate::files::write_atomically;
use crate::weights::npy::{self, Array};
use crate::{Error, Result};

const MEAN: &str = "mu";
const COVARIANCE: &str = "sigma";
/// Ours; pytorch-fid passes over it.
const COUNT: &str = "count";

/// More features than any network in use has; their covariance is 2 GiB.
const MOST_DIMS: usize = 16384;

/// Shorthand inside this module, where the file's name is not known.
type Outcome<T> = std::result::Result<T, String>;

/// Reads the `mu` and `sigma` of an `.npz`, as pytorch-fid, clean-fid and guided-diffusion's
/// reference batches have them, in f64 or f32; and `count` where it is a whole number.
///
/// Other arrays in the file are passed over. The covariance must be symmetric.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Data`] naming it if it is no such file, damaged,
/// holds values that are not finite, or more than 16,384 features.
pub fn read_statistics(path: &Path) -> Result<FeatureStatistics> {
    let file = File::open(path).map_err(|e| Error::io(path, "read", e))?;
    read(BufReader::new(file)).map_err(|reason| Error::Data {
        name: path.display().to_string(),
        reason,
    })
}

fn read(file: BufReader<File>) -> Outcome<FeatureStatistics> {
    let mut archive = ZipArchive::new(file).map_err(|e| {
        format!("no file of statistics (an .npz with {MEAN} and {COVARIANCE}), or an incomplete one: {e}")
    })?;
    let mut array = |name: &str, check: &dyn Fn(&[usize]) -> Outcome<()>| -> Outcome<Option<Array>> {
        let Some(index) = archive.index_for_name(&format!("{name}.npy")) else {
            return Ok(None);
        };
        let in_array = |reason: String| format!("its array {name} {reason}");
        let mut entry = archive
            .by_index(index)
            .map_err(|e| in_array(format!("cannot be read: {e}")))?;
        npy::read(&mut entry, check).map(Some).map_err(in_array)
    };
    let missing = |name: &str| format!("it holds no array {name}; statistics are an .npz with {MEAN} and {COVARIANCE}");
    let mean = array(MEAN, &|shape| match shape {
        [1..=MOST_DIMS] => Ok(()),
        _ => Err(format!(
            "is of shape {shape:?}; a mean has one axis of 1 to {MOST_DIMS} features"
        )),
    })?;
    let mean = mean.ok_or_else(|| missing(MEAN))?.floats()?;
    let dims = mean.len();
    let covariance = array(COVARIANCE, &|shape| {
        if shape == [dims, dims] {
            return Ok(());
        }
        Err(format!("is of shape {shape:?}, which does not fit {dims} features"))
    })?;
    let covariance = covariance.ok_or_else(|| missing(COVARIANCE))?.floats()?;
    // Somebody else's count may be anything.
    let count = array(COUNT, &|shape| match shape {
        [] => Ok(()),
        _ => Err("is not a single number".into()),
    });
    let statistics = FeatureStatistics {
        count: count.ok().flatten().and_then(|count| count.whole_number()),
        covariance: Mat::from_fn(dims, dims, |i, j| covariance[i * dims + j]),
        mean,
    };
    statistics.check()?;
    Ok(statistics)
}

/// Writes statistics as an `.npz` that pytorch-fid and [`read_statistics`] read: `mu` and `sigma` in f64,
/// and `count` where it is known. The same statistics give the same bytes.
///
/// # Errors
/// [`Error::InvalidArgument`] for statistics that are not finite or not of one size; [`Error::Io`].
pub fn write_statistics(path: &Path, statistics: &FeatureStatistics) -> Result<()> {
    statistics.check().map_err(Error::InvalidArgument)?;
    let dims = statistics.dims();
    let bytes = |values: &mut dyn Iterator<Item = f64>| values.flat_map(f64::to_le_bytes).collect();
    let covariance = &statistics.covariance;
    let mut rows = (0..dims).flat_map(|i| (0..dims).map(move |j| covariance[(i, j)]));
    let mut arrays: Vec<(&str, Vec<u8>)> = vec![
        (
            MEAN,
            npy::with_header("<f8", &[dims], bytes(&mut statistics.mean.iter().copied())),
        ),
        (COVARIANCE, npy::with_header("<f8", &[dims, dims], bytes(&mut rows))),
    ];
    if let Some(count) = statistics.count {
        let bytes = (count as i64).to_le_bytes().to_vec();
        arrays.push((COUNT, npy::with_header("<i8", &[], bytes)));
    }
    write_atomically(path, |out| {
        // A zip file's directory needs to know where the entries are, which `out` cannot tell.
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        // Random digits do not shrink; and no time, so that the bytes depend on the statistics alone.
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Stored)
            .last_modified_time(DateTime::DEFAULT);
        for (name, array) in &arrays {
            archive.start_file(format!("{name}.npy"), options)?;
            archive.write_all(array)?;
        }
        out.write_all(archive.finish()?.get_ref())
    })
}
