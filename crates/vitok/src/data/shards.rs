//! WebDataset shards: tar files, indexed once and read from anywhere, so that a shard can be shuffled like a folder.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

use super::tar_index::{Range, TarEntry, TarIndex};
use crate::files::{FileFault, hidden_part, path_of_bytes};
use crate::media::is_image_path;
use crate::{Error, Result};

/// An open shard.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    /// Reading moves the file's position, so that readers take turns; decoding is not under the lock.
    file: Mutex<File>,
}

/// What a shard holds.
#[derive(Default)]
pub(super) struct ShardContent {
    pub(super) samples: Vec<ShardSample>,
    /// What is passed over because it is hidden.
    pub(super) hidden: Vec<PathBuf>,
    /// Images that are passed over because their sample has another one.
    pub(super) further: Vec<PathBuf>,
    /// Why the shard is shorter than it should be.
    pub(super) damage: Option<String>,
}

/// The entries of a shard that are one sample.
pub(super) struct ShardSample {
    /// Path of the image's entry.
    pub(super) place: PathBuf,
    pub(super) image: std::result::Result<Range, FileFault>,
    pub(super) class: Option<Range>,
    pub(super) metadata: Option<Range>,
}

impl Shard {
    /// Opens and indexes a shard. Of each sample the image is the one of this `field`, if it is given. A shard that ends
    /// early gives what is whole.
    pub(super) fn open(path: &Path, field: Option<&str>) -> Result<(Self, ShardContent)> {
        let unreadable = |e| Error::io(path, "read", e);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut damage = None;
        if is_gzip(&mut file).map_err(unreadable)? {
            (file, damage) = unpacked(file).map_err(|e| Error::io(path, "unpack", e))?;
        }
        let mut content = ShardContent::default();
        // An empty file is what is left of a shard that was begun.
        if damage.is_some() || file.metadata().map_err(unreadable)?.len() > 0 {
            let index = TarIndex::read(&file).map_err(unreadable)?;
            content = ShardContent::of(index.entries, field);
            content.damage = damage.or(index.damage);
        }
        let shard = Self {
            path: path.to_owned(),
            file: Mutex::new(file),
        };
        Ok((shard, content))
    }

    /// Path of the shard's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of an entry.
    pub(super) fn read(&self, range: Range) -> Result<Vec<u8>> {
        let failed = |e| Error::io(&self.path, "read", e);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(range.start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(range.length)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 != range.length {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
    }
}

impl ShardContent {
    /// Entries that follow each other and share a key are one sample.
    fn of(entries: Vec<TarEntry>, field: Option<&str>) -> Self {
        let mut content = Self::default();
        let mut hidden = HashSet::new();
        let is_visible = |entry: &TarEntry| {
            let place = path_of_bytes(&entry.name);
            let Some(part) = hidden_part(&place) else { return true };
            // A hidden folder counts once, whatever is in it.
            if (part != place || is_image_path(&place)) && hidden.insert(part.clone()) {
                content.hidden.push(part);
            }
            false
        };
        let entries: Vec<TarEntry> = entries.into_iter().filter(is_visible).collect();
        for sample in entries.chunk_by(|a, b| key_and_field(&a.name).0 == key_and_field(&b.name).0) {
            content.add(sample, field);
        }
        content
    }

    fn add(&mut self, entries: &[TarEntry], field: Option<&str>) {
        let field_of = |entry: &TarEntry| key_and_field(&entry.name).1.to_vec();
        let images: Vec<&TarEntry> = entries.iter().filter(|entry| is_image(entry)).collect();
        let chosen = match field {
            Some(field) => images.iter().position(|entry| field_of(entry) == field.as_bytes()),
            // `x.jpg` is the image of the sample x, whatever else there is of it: `x.depth.png`.
            None => images
                .iter()
                .position(|entry| !field_of(entry).contains(&b'.'))
                .or((!images.is_empty()).then_some(0)),
        };
        let Some(chosen) = chosen else { return };
        let of = |field: &[u8]| {
            let entry = entries.iter().find(|entry| field_of(entry) == field)?;
            entry.content.clone().ok()
        };
        self.samples.push(ShardSample {
            place: path_of_bytes(&images[chosen].name),
            image: images[chosen].content.clone(),
            class: of(b"cls"),
            metadata: of(b"json"),
        });
        let others = images.iter().enumerate().filter(|(i, _)| *i != chosen);
        if field.is_none() {
            self.further.extend(others.map(|(_, entry)| path_of_bytes(&entry.name)));
        }
    }
}

fn is_image(entry: &TarEntry) -> bool {
    is_image_path(&path_of_bytes(&entry.name))
}

/// `a/b.seg.png` is the field `seg.png` of the sample `a/b`.
fn key_and_field(name: &[u8]) -> (&[u8], &[u8]) {
    let base = name.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
    match name[base..].iter().position(|byte| *byte == b'.') {
        Some(dot) => (&name[..base + dot], &name[base + dot + 1..]),
        None => (name, b""),
    }
}

/// Whether the file begins as gzip does; the file is left at its start.
fn is_gzip(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    file.by_ref().take(2).read_to_end(&mut head)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(head == [0x1f, 0x8b])
}

/// A gzipped file, unpacked to a temporary one that vanishes with its handle; and why it ended
/// early, if it did.
fn unpacked(packed: File) -> io::Result<(File, Option<String>)> {
    let mut plain = tempfile::tempfile()?;
    let mut decoder = MultiGzDecoder::new(BufReader::new(packed));
    let mut buffer = vec![0; 1 << 16];
    let failure = loop {
        match decoder.read(&mut buffer) {
            Ok(0) => break None,
            Ok(n) => io::Write::write_all(&mut plain, &buffer[..n])?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => break Some(format!("gzip: {e}")),
        }
    };
    Ok((plain, failure))
}
