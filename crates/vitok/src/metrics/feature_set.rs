//! Features of a set of images or clips, `[n, dims]`.

use crate::{Error, Result};

/// One row of features for each image or clip, all finite.
#[derive(Clone, Debug, PartialEq)]
pub struct FeatureSet {
    dims: usize,
    /// `[n, dims]`, row-major.
    values: Vec<f32>,
}

impl FeatureSet {
    /// Rows of `dims` values, one after the other; `name` is the set as the user knows it, for
    /// errors.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if `dims` is 0 or the values fill no whole rows; [`Error::Data`] naming the
    /// first row with a value that is not finite.
    pub fn new(name: &str, dims: usize, values: Vec<f32>) -> Result<Self> {
        if dims == 0 || !values.len().is_multiple_of(dims) {
            return Err(Error::InvalidArgument(format!(
                "{} values are no rows of {dims} features",
                values.len()
            )));
        }
        let set = Self { dims, values };
        set.check_finite(name)?;
        Ok(set)
    }

    /// Refuses rows with NaN or infinite values. Every score would be NaN, or worse, a number.
    fn check_finite(&self, name: &str) -> Result<()> {
        let Some(at) = self.values.iter().position(|v| !v.is_finite()) else {
            return Ok(());
        };
        Err(Error::Data {
            name: name.to_owned(),
            reason: format!(
                "row {} of its {} rows of features holds {} at place {}",
                at / self.dims,
                self.len(),
                self.values[at],
                at % self.dims
            ),
        })
    }

    /// Features of one image.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.dims
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All values, row-major `[n, dims]`.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The features of every image, in order.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f32> {
        self.values.chunks_exact(self.dims)
    }

    /// The features of one image.
    ///
    /// # Panics
    /// If there is no such row.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.values[index * self.dims..(index + 1) * self.dims]
    }

    /// Refuses a set to compare with whose features are of another kind.
    pub(super) fn check_same_dims(&self, other: &Self) -> Result<()> {
        if self.dims == other.dims {
            return Ok(());
        }
        Err(Error::InvalidArgument(format!(
            "sets of {} and {} features an image cannot be compared",
            self.dims, other.dims
        )))
    }

    /// Refuses row numbers that the set does not have.
    pub(super) fn check_rows(&self, rows: &[usize]) -> Result<()> {
        match rows.iter().find(|&&row| row >= self.len()) {
            None => Ok(()),
            Some(row) => Err(Error::InvalidArgument(format!(
                "there is no row {row} in a set of {}",
                self.len()
            ))),
        }
    }
}
