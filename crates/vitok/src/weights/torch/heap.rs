//! The values a pickle makes. They refer to each other by number, so shared and circular ones need no care, and nothing
//! here recurses however deep they are nested.

use std::borrow::Cow;

use super::global::Global;
use super::strided::Strided;
use crate::weights::dtype::Dtype;

/// Far more than any network's state needs (about twenty a tensor); bounds the memory of a hostile pickle.
pub(super) const MAX_VALUES: usize = 1 << 22;

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

#[derive(Debug)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i128),
    /// Numbers that play no part in arrays: floats, integers of more than 16 bytes.
    Number,
    Text(&'a str),
    Bytes(Cow<'a, [u8]>),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// One of numpy.
    Dtype {
        dtype: Dtype,
        big_endian: bool,
    },
    Storage(Storage<'a>),
    /// A numpy array before its state is set.
    Unset,
    Array(Box<View>),
}

/// An array as a pickle describes it.
#[derive(Debug)]
pub(super) struct View {
    /// A storage, or the bytes themselves.
    pub(super) data: Id,
    /// Of numpy arrays; torch's storages are all of the file's byte order.
    pub(super) big_endian: bool,
    /// Which elements of the data it has.
    pub(super) elements: Strided,
}

/// Elements that lie outside of the pickle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Storage<'a> {
    pub(super) key: &'a str,
    pub(super) dtype: Dtype,
    /// Number of elements of the whole storage.
    pub(super) count: usize,
    /// Start and number of the elements meant, if not all; only in files of PyTorch's first years.
    pub(super) part: Option<(usize, usize)>,
}

#[derive(Debug, Default)]
pub(super) struct Heap<'a> {
    values: Vec<Value<'a>>,
}

impl<'a> Heap<'a> {
    pub(super) fn add(&mut self, value: Value<'a>) -> Result<Id, String> {
        if self.values.len() >= MAX_VALUES {
            return Err("its pickle has too many values for a weight file".into());
        }
        self.values.push(value);
        Ok(Id(self.values.len() as u32 - 1))
    }

    pub(super) fn get(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.values[id.0 as usize]
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn storages(&self) -> impl Iterator<Item = &Storage<'a>> {
        self.values.iter().filter_map(|value| match value {
            Value::Storage(storage) => Some(storage),
            _ => None,
        })
    }

    /// A string, also one written by Python 2, whose strings are bytes.
    pub(super) fn text(&self, id: Id) -> Option<&'a str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            Value::Bytes(Cow::Borrowed(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn bytes(&self, id: Id) -> Option<&[u8]> {
        match self.get(id) {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A number that is not negative.
    pub(super) fn count(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(n) => usize::try_from(*n).ok(),
            _ => None,
        }
    }

    pub(super) fn truth(&self, id: Id) -> Option<bool> {
        match self.get(id) {
            Value::Bool(b) => Some(*b),
            Value::Int(n) => Some(*n != 0),
            _ => None,
        }
    }

    /// What a tuple or a list holds.
    pub(super) fn items(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) | Value::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.get(id) {
            Value::Dict(entries) => Some(entries),
            _ => None,
        }
    }

    /// What a dictionary has under a string.
    pub(super) fn entry(&self, id: Id, key: &str) -> Option<Id> {
        let entries = self.entries(id)?;
        let found = entries.iter().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|(_, value)| *value)
    }
}
