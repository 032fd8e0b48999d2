//! WebDataset shards: tar files in which the entries of one sample lie together and share their
//! name up to the first dot.
//!
//! A shard is indexed once, by going from header to header; after that any entry can be read at any time, so that a
//! shard can be shuffled like a folder.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use flate2::read::MultiGzDecoder;

use crate::media::is_image_path;
use crate::{Error, Result};

/// Tar files are made of blocks of this many bytes.
const BLOCK: u64 = 512;

/// A brace expression may stand for this many shards.
const MOST_SHARDS: usize = 1_000_000;

/// An open shard.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    /// Reading moves the file's position, so that readers take turns; decoding is not under the lock.
    file: Mutex<File>,
}

/// A range of bytes in a shard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) shard: usize,
    start: u64,
    length: u64,
}

impl Span {
    /// Its bytes.
    pub(super) fn length(self) -> u64 {
        self.length
    }
}

/// The entries of a shard that are one sample.
pub(super) struct ShardSample {
    /// Name of the image's entry.
    pub(super) name: String,
    pub(super) image: Span,
    pub(super) class: Option<Span>,
    pub(super) metadata: Option<Span>,
}

/// An entry of a shard: its name and the range of its content.
struct Entry {
    name: String,
    span: Span,
}

impl Shard {
    /// Opens and indexes a shard. A shard that ends early gives what is whole, and a warning.
    pub(super) fn open(path: &Path, number: usize) -> Result<(Self, Vec<ShardSample>, Option<String>)> {
        let unreadable = |e| Error::io(path, "read", e);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut cut_short = None;
        if is_gzip(&mut file).map_err(unreadable)? {
            let (plain, failure) = unpacked(file).map_err(|e| Error::io(path, "unpack", e))?;
            file = plain;
            cut_short = failure;
        }
        let (entries, failure) = index(&file, number).map_err(unreadable)?;
        let cut_short = cut_short.or(failure);
        let (samples, passed_over) = group(entries);
        if samples.is_empty() {
            return Err(Error::Data {
                name: path.display().to_string(),
                reason: match cut_short {
                    Some(reason) => format!("damaged, no whole image in it: {reason}"),
                    None => "no images in this shard".into(),
                },
            });
        }
        let mut warnings = Vec::new();
        if let Some(reason) = cut_short {
            warnings.push(format!(
                "the shard is damaged or cut short ({reason}); its first {} images are used",
                samples.len()
            ));
        }
        if passed_over > 0 {
            warnings.push(format!(
                "{passed_over} images share their name up to the first dot with another and are \
                 passed over: a WebDataset sample has one image"
            ));
        }
        let warning = (!warnings.is_empty()).then(|| format!("{}: {}", path.display(), warnings.join("; ")));
        let shard = Self {
            path: path.to_owned(),
            file: Mutex::new(file),
        };
        Ok((shard, samples, warning))
    }

    /// Path of the shard's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of a span.
    pub(super) fn read(&self, span: Span) -> Result<Vec<u8>> {
        let failed = |e| Error::io(&self.path, "read", e);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(span.start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.by_ref()
            .take(span.length)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        if bytes.len() as u64 != span.length {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(bytes)
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

/// The files of a shard, and why there are no more, if it ended early.
fn index(file: &File, shard: usize) -> io::Result<(Vec<Entry>, Option<String>)> {
    let size = file.metadata()?.len();
    let mut reader = file;
    reader.seek(SeekFrom::Start(0))?;
    let mut entries = Vec::new();
    let mut end = 0;
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries_with_seek()? {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => return Ok((entries, Some(printable(&e.to_string())))),
        };
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let (start, length) = (entry.raw_file_position(), entry.size());
        if start.checked_add(length).is_none_or(|end| end > size) {
            return Ok((entries, Some(format!("it ends inside {name}"))));
        }
        end = (start + length).next_multiple_of(BLOCK);
        entries.push(Entry {
            name,
            span: Span { shard, start, length },
        });
    }
    Ok((entries, after_end(file, end)?))
}

/// What is wrong with the rest of a shard after its last entry: the end is marked by blocks of
/// zeros, and nothing comes after.
fn after_end(file: &File, end: u64) -> io::Result<Option<String>> {
    let mut reader = BufReader::new(file);
    reader.seek(SeekFrom::Start(end))?;
    let mut rest = 0;
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = reader.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        rest += n as u64;
        if buffer[..n].iter().any(|&byte| byte != 0) {
            return Ok(Some("there is more after its end mark".into()));
        }
    }
    Ok((rest < BLOCK).then(|| "its end mark is missing".into()))
}

/// Errors of damaged headers quote them.
fn printable(text: &str) -> String {
    /// Enough to tell what was wrong.
    const LONGEST: usize = 100;
    let shown = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    shown.take(LONGEST).collect()
}

/// Entries that follow each other and share a key are one sample. Also returns how many images
/// were passed over because their sample had one already.
fn group(entries: Vec<Entry>) -> (Vec<ShardSample>, usize) {
    let mut samples = Vec::new();
    let mut passed_over = 0;
    for sample in entries.chunk_by(|a, b| key(&a.name) == key(&b.name)) {
        let of = |field: &str| {
            let entry = sample.iter().find(|e| key_and_field(&e.name).1 == field);
            entry.map(|e| e.span)
        };
        let mut images = sample.iter().filter(|e| is_image_path(Path::new(&e.name)));
        let Some(image) = images.next() else {
            continue;
        };
        passed_over += images.count();
        samples.push(ShardSample {
            name: image.name.clone(),
            image: image.span,
            class: of("cls"),
            metadata: of("json"),
        });
    }
    (samples, passed_over)
}

fn key(name: &str) -> &str {
    key_and_field(name).0
}

/// `a/b.seg.png` is the field `seg.png` of the sample `a/b`.
fn key_and_field(name: &str) -> (&str, &str) {
    let base = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[base..].find('.') {
        Some(dot) => (&name[..base + dot], &name[base + dot + 1..]),
        None => (name, ""),
    }
}

/// `a{0..2}b` is `a0b`, `a1b`, `a2b`; `{x,y}` is `x`, `y`. Numbers keep the width of the first.
pub(super) fn expand_braces(pattern: &str) -> std::result::Result<Vec<String>, String> {
    let Some(open) = pattern.find('{') else {
        return Ok(vec![pattern.to_owned()]);
    };
    let Some(length) = pattern[open..].find('}') else {
        return Err("a { without its }".into());
    };
    let (before, inside) = (&pattern[..open], &pattern[open + 1..open + length]);
    let rest = expand_braces(&pattern[open + length + 1..])?;
    let choices: Vec<String> = match inside.split_once("..") {
        Some((first, last)) => {
            let number = |text: &str| {
                let ascii = text.bytes().all(|b| b.is_ascii_digit());
                text.parse::<u64>().ok().filter(|_| ascii)
            };
            let (Some(from), Some(to)) = (number(first), number(last)) else {
                return Err(format!("{{{inside}}} is no range of numbers"));
            };
            if from > to || to - from >= MOST_SHARDS as u64 {
                return Err(format!(
                    "{{{inside}}} must rise and stand for at most {MOST_SHARDS} numbers"
                ));
            }
            let width = first.len();
            (from..=to).map(|n| format!("{n:0width$}")).collect()
        }
        None => inside.split(',').map(str::to_owned).collect(),
    };
    if choices.len().saturating_mul(rest.len()) > MOST_SHARDS {
        return Err(format!("it stands for more than {MOST_SHARDS} shards"));
    }
    let all = choices
        .iter()
        .flat_map(|choice| rest.iter().map(move |rest| format!("{before}{choice}{rest}")));
    Ok(all.collect())
}
