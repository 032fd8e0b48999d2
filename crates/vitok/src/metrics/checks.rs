//! What every metric on pixels refuses.

use crate::{Error, Result};

/// Refuses images of different or no size.
pub(super) fn check_sizes(x: &[f32], y: &[f32]) -> Result<()> {
    if x.len() != y.len() {
        return Err(Error::InvalidArgument(format!(
            "images of {} and {} values cannot be compared",
            x.len(),
            y.len()
        )));
    }
    if x.is_empty() {
        return Err(Error::InvalidArgument("there are no pixels to compare".into()));
    }
    Ok(())
}

/// Refuses ranges that would make a ratio meaningless.
pub(super) fn check_range(data_range: f64) -> Result<()> {
    if data_range.is_finite() && data_range > 0.0 {
        Ok(())
    } else {
        Err(Error::InvalidArgument(format!(
            "the data range must be a positive number, not {data_range}"
        )))
    }
}
