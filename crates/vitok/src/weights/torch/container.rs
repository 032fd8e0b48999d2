//! The containers of `torch.save`: a zip file since PyTorch 1.6, several pickles and the storages one after the other
//! before. A lone pickle, as numpy's users write them, is read here too since it starts alike.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Cursor};

use zip::{CompressionMethod, ZipArchive};

use super::heap::{Heap, Value};
use super::naming::{Storages, arrays};
use super::pickle;
use super::printable::printable;
use crate::weights::state_dict::StateDict;

/// The first of the pickles of the old format is this number.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;

/// The second: the only version there has been.
const VERSION: i128 = 1001;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// A zip file: `NAME/data.pkl`, `NAME/data/KEY` for each storage, `NAME/byteorder`.
pub(in crate::weights) fn read_zip(bytes: &[u8]) -> Result<StateDict, String> {
    let damaged = |e| format!("a zip file (torch.save?), but damaged or incomplete: {e}; fetch it again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let folder = folder(&archive)?;
    let mut left = bytes.len();
    let mut entry = |name: &str| entry(&mut archive, bytes, &format!("{folder}{name}"), &mut left);
    let mut program = entry("data.pkl")?.ok_or("it has no data.pkl")?;
    let big_endian = match entry("byteorder")? {
        None | Some(b"little") => false,
        Some(b"big") => true,
        Some(_) => return Err("its byteorder is neither little nor big".into()),
    };
    let pickle = pickle::read(&mut program)?;
    let mut storages = Storages {
        big_endian,
        ..Storages::default()
    };
    for storage in pickle.heap.storages() {
        if let Entry::Vacant(place) = storages.bytes.entry(storage.key) {
            let found = entry(&format!("data/{}", storage.key))?;
            let found = found.ok_or_else(|| format!("its storage {} is missing", printable(storage.key)))?;
            place.insert(found);
        }
    }
    arrays(&pickle, &storages, bytes.len())
}

/// The folder that everything of the archive is in, with its slash.
fn folder(archive: &Archive<'_>) -> Result<String, String> {
    let mut folders = archive.file_names().filter_map(|name| {
        let folder = name.strip_suffix("data.pkl")?;
        (folder.matches('/').count() == 1 && folder.ends_with('/')).then_some(folder)
    });
    let folder = match (folders.next(), folders.next()) {
        (Some(folder), None) => folder,
        _ => {
            return Err(
                "a zip file, but none that torch.save has written: it has no NAME/data.pkl. If it is a package or an \
                 archive, unpack it and give the weight file in it"
                    .into(),
            );
        }
    };
    let code = format!("{folder}code/");
    if archive.file_names().any(|name| name.starts_with(&code)) {
        return Err(
            "a TorchScript archive, a program beside its weights. Save its weights alone: python -c \"import torch; \
             torch.save(torch.jit.load('THIS').state_dict(), 'weights.pth')\""
                .into(),
        );
    }
    Ok(folder.to_owned())
}

/// The bytes of an entry, if there is one. Entries are not compressed, so they lie in the file as
/// they are. `left` is what is left of the file's length: entries that overlap would exceed it.
fn entry<'a>(
    archive: &mut Archive<'a>,
    bytes: &'a [u8],
    name: &str,
    left: &mut usize,
) -> Result<Option<&'a [u8]>, String> {
    let damaged = |e: &dyn std::fmt::Display| format!("its part {} is damaged: {e}; fetch it again", printable(name));
    let Some(number) = archive.index_for_name(name) else {
        return Ok(None);
    };
    let mut file = archive.by_index(number).map_err(|e| damaged(&e))?;
    if file.compression() != CompressionMethod::Stored || file.encrypted() {
        return Err(format!(
            "its part {} is compressed, which torch.save never does",
            printable(name)
        ));
    }
    let size = usize::try_from(file.size()).map_err(|e| damaged(&e))?;
    *left = left
        .checked_sub(size)
        .ok_or_else(|| damaged(&"it is longer than the file"))?;
    // Reading it to the end is what compares its checksum.
    let read = io::copy(&mut file, &mut io::sink()).map_err(|e| damaged(&e))?;
    let found = file
        .data_start()
        .and_then(|start| bytes.get(usize::try_from(start).ok()?..)?.get(..size));
    match found {
        Some(found) if read == size as u64 => Ok(Some(found)),
        _ => Err(damaged(&"it ends early")),
    }
}

/// The old format, or a lone pickle.
pub(in crate::weights) fn read_pickles(bytes: &[u8]) -> Result<StateDict, String> {
    let mut rest = bytes;
    let first = pickle::read(&mut rest)?;
    if !matches!(first.heap.get(first.root), Value::Int(MAGIC)) {
        at_end(rest)?;
        return arrays(&first, &Storages::default(), bytes.len());
    }
    let version = pickle::read(&mut rest)?;
    if !matches!(version.heap.get(version.root), Value::Int(VERSION)) {
        return Err("it is of a version of torch.save's old format that nobody knows".into());
    }
    let system = pickle::read(&mut rest)?;
    let little = system.heap.entry(system.root, "little_endian");
    let little = little.and_then(|id| system.heap.truth(id));
    let state = pickle::read(&mut rest)?;
    let keys = pickle::read(&mut rest)?;
    let storages = Storages {
        bytes: old_storages(&state.heap, &keys, &mut rest)?,
        big_endian: little == Some(false),
    };
    at_end(rest)?;
    arrays(&state, &storages, bytes.len())
}

/// Each storage in the order of `keys`: its number of elements in 8 bytes, then the elements.
fn old_storages<'a>(
    state: &Heap<'a>,
    keys: &pickle::Pickle<'a>,
    rest: &mut &'a [u8],
) -> Result<BTreeMap<&'a str, &'a [u8]>, String> {
    let known: BTreeMap<&str, _> = state.storages().map(|s| (s.key, s)).collect();
    let mut found = BTreeMap::new();
    for &key in keys.heap.items(keys.root).unwrap_or_default() {
        let key = keys.heap.text(key).unwrap_or_default();
        let damaged = || {
            let key = printable(key);
            format!("its storage {key} is incomplete or not as long as announced; an incomplete download?")
        };
        let storage = known.get(key).ok_or_else(damaged)?;
        let (count, after) = rest.split_first_chunk::<8>().ok_or_else(damaged)?;
        if usize::try_from(u64::from_le_bytes(*count)).ok() != Some(storage.count) {
            return Err(damaged());
        }
        let length = storage.count.checked_mul(storage.dtype.bytes());
        let split = length.and_then(|length| after.split_at_checked(length));
        let (elements, after) = split.ok_or_else(damaged)?;
        *rest = after;
        if found.insert(key, elements).is_some() {
            return Err(format!("it has two storages {}", printable(key)));
        }
    }
    Ok(found)
}

fn at_end(rest: &[u8]) -> Result<(), String> {
    if rest.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} bytes follow its end; the file is damaged or of another kind",
        rest.len()
    ))
}
