//! Which output belongs to which original.

use std::collections::HashMap;

use super::clip_set::ClipSet;
use crate::{Error, Result};

/// For each original the number of the output with the same path below its input (the ending aside), or, where no paths
/// agree, with the same file name; none where there is none.
///
/// # Errors
/// [`Error::NoPairs`] if no name agrees; [`Error::InvalidArgument`] if two outputs belong to the same original.
pub(super) fn matched(originals: &ClipSet, outputs: &ClipSet) -> Result<Vec<Option<usize>>> {
    let path = |key: &str| key.to_owned();
    let file_name = |key: &str| key.rsplit('/').next().unwrap_or("").to_owned();
    let mut found = matched_by(originals, outputs, path)?;
    if found.iter().all(Option::is_none) {
        found = matched_by(originals, outputs, file_name)?;
    }
    if found.iter().all(Option::is_none) {
        return Err(Error::NoPairs {
            original: originals.name(0).to_owned(),
            output: outputs.name(0).to_owned(),
        });
    }
    Ok(found)
}

fn matched_by(originals: &ClipSet, outputs: &ClipSet, key: impl Fn(&str) -> String) -> Result<Vec<Option<usize>>> {
    let mut by_key = HashMap::new();
    for (index, output) in outputs.keys().enumerate() {
        if let Some(first) = by_key.insert(key(output), index) {
            return Err(Error::InvalidArgument(format!(
                "{} and {} would be outputs of the same original",
                outputs.name(first),
                outputs.name(index)
            )));
        }
    }
    Ok(originals
        .keys()
        .map(|original| by_key.get(&key(original)).copied())
        .collect())
}
