//! From what a pickle made to named arrays.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::heap::{Id, Value, View};
use super::pickle::Pickle;
use super::printable::printable;
use crate::weights::state_dict::{Array, StateDict};

/// Where training programs keep the weights beside their own state.
const INNER: [&str; 2] = ["state_dict", "model"];

/// Dictionaries in dictionaries.
const MAX_DEPTH: usize = 32;

/// Characters of a name.
const MAX_NAME: usize = 1024;

/// A file may hold as many times its own length in values as this. More than one for tensors that
/// share a storage; bounds what a hostile file can make of a few bytes repeated without end.
const MAX_VALUES_A_BYTE: usize = 4;

/// The bytes of storages, by key.
#[derive(Debug, Default)]
pub(super) struct Storages<'a> {
    pub(super) bytes: BTreeMap<&'a str, &'a [u8]>,
    pub(super) big_endian: bool,
}

/// The arrays of the dictionary a pickle made, or of the one in it. `file_size` bounds them.
pub(super) fn arrays(pickle: &Pickle<'_>, storages: &Storages<'_>, file_size: usize) -> Result<StateDict, String> {
    let mut collector = Collector {
        pickle,
        storages,
        arrays: StateDict::new(),
        visits_left: pickle.heap.len(),
        values_left: file_size.saturating_mul(MAX_VALUES_A_BYTE),
    };
    collector.dictionary(inner(pickle), "", MAX_DEPTH)?;
    if collector.arrays.is_empty() {
        return Err("it holds no named arrays; a dictionary of arrays by name is expected".into());
    }
    Ok(collector.arrays)
}

fn inner(pickle: &Pickle<'_>) -> Id {
    let mut at = pickle.root;
    for _ in 0..MAX_DEPTH {
        let below = INNER.iter().filter_map(|key| pickle.heap.entry(at, key));
        let mut below = below.filter(|id| pickle.heap.entries(*id).is_some());
        match below.next() {
            Some(id) => at = id,
            None => break,
        }
    }
    at
}

struct Collector<'p, 'a> {
    pickle: &'p Pickle<'a>,
    storages: &'p Storages<'a>,
    arrays: StateDict,
    /// Each value is met once unless dictionaries share parts, which no weights do to any extent.
    visits_left: usize,
    values_left: usize,
}

impl Collector<'_, '_> {
    fn dictionary(&mut self, id: Id, prefix: &str, deeper: usize) -> Result<(), String> {
        let heap = &self.pickle.heap;
        let deeper = deeper
            .checked_sub(1)
            .ok_or("its dictionaries are nested too deeply for a weight file")?;
        for &(key, value) in heap.entries(id).unwrap_or_default() {
            self.visits_left = self
                .visits_left
                .checked_sub(1)
                .ok_or("its dictionaries hold each other again and again; it may be hostile")?;
            let held = heap.get(value);
            if !matches!(held, Value::Array(_) | Value::Dict(_)) {
                continue;
            }
            let key = match heap.get(key) {
                Value::Int(n) => n.to_string(),
                _ => heap.text(key).ok_or("an array's name is no text")?.to_owned(),
            };
            if prefix.len() + key.len() > MAX_NAME {
                return Err(format!("the name {} … is too long", printable(&key)));
            }
            let name = format!("{prefix}{key}");
            match held {
                Value::Array(view) => {
                    let array = self
                        .array(view)
                        .map_err(|e| format!("array {} {e}", printable(&name)))?;
                    match self.arrays.entry(name) {
                        Entry::Vacant(place) => place.insert(array),
                        Entry::Occupied(twice) => {
                            return Err(format!("it has two arrays named {}", printable(twice.key())));
                        }
                    };
                }
                _ => self.dictionary(value, &format!("{name}/"), deeper)?,
            }
        }
        Ok(())
    }

    fn array(&mut self, view: &View) -> Result<Array, String> {
        let count = view.elements.count().ok_or("is larger than any memory")?;
        self.values_left = self
            .values_left
            .checked_sub(count)
            .ok_or("makes more values than a file of this length holds; it is damaged or hostile")?;
        let heap = &self.pickle.heap;
        let (bytes, big_endian) = match heap.get(view.data) {
            Value::Storage(storage) => {
                let all = self.storages.bytes.get(storage.key).copied();
                let all = all.ok_or("has its values outside of the file")?;
                let part = match storage.part {
                    None => Some(all),
                    Some((start, count)) => {
                        let width = storage.dtype.bytes();
                        let start = start.checked_mul(width);
                        let length = count.checked_mul(width);
                        start
                            .zip(length)
                            .and_then(|(start, length)| all.get(start..)?.get(..length))
                    }
                };
                let part = part.ok_or("is a part of a storage that ends before it")?;
                (part, self.storages.big_endian)
            }
            _ => (heap.bytes(view.data).unwrap_or_default(), view.big_endian),
        };
        Ok(Array {
            values: view.elements.values(bytes, big_endian)?,
            shape: view.elements.shape.clone(),
        })
    }
}
