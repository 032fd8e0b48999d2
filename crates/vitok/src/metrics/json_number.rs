//! Scores in JSON, which has no infinity: it is the text "Infinity", which Python's `float` and JavaScript's `Number` take
//! for what it is. A score that is missing is null.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// A number that may be infinite.
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            f64::INFINITY => serializer.serialize_str("Infinity"),
            f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
            number => serializer.serialize_f64(number),
        }
    }
}

/// For `serialize_with`: a score.
pub(crate) fn one<S: Serializer>(score: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    Number(*score).serialize(serializer)
}

/// For `serialize_with`: a score that may be missing.
pub(crate) fn optional<S: Serializer>(score: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    score.map(Number).serialize(serializer)
}

/// For `serialize_with`: lists of scores by name.
pub(crate) fn lists<S: Serializer>(
    lists: &BTreeMap<String, Vec<Option<f64>>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let list = |list: &Vec<Option<f64>>| list.iter().map(|score| score.map(Number)).collect::<Vec<_>>();
    serializer.collect_map(lists.iter().map(|(name, scores)| (name, list(scores))))
}
