//! Which files a tar archive holds, and where in it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::files::{FileFault, printable_bytes};

/// Tar files are made of blocks of this many bytes.
const BLOCK: u64 = 512;

/// Most links that lead from one to the next.
const MOST_LINKS: usize = 8;

/// A range of bytes in an archive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range {
    pub(super) start: u64,
    pub(super) length: u64,
}

/// A file of an archive. Links lead to the content of the file that they name.
pub(super) struct TarEntry {
    /// Its name's bytes, which need not be UTF-8: parts with slashes between, none of them empty, `.` or `..`.
    pub(super) name: Vec<u8>,
    pub(super) content: Result<Range, FileFault>,
}

/// The files of an archive.
pub(super) struct TarIndex {
    /// In the archive's order. Of two entries of one name the later one counts, as it does when the archive is unpacked.
    pub(super) entries: Vec<TarEntry>,
    /// Why there are no more, if it ended early.
    pub(super) damage: Option<String>,
}

/// What an entry is, while the others are not known yet.
enum Found {
    Content(Range),
    /// The name of what it leads to; none for one out of the archive.
    Link(Option<Vec<u8>>),
    Other,
}

impl Found {
    /// A hard link's target is named from the archive's root on, a symbolic link's from its own folder.
    fn link(target: &[u8], folder: &[u8]) -> Self {
        let out = target.starts_with(b"/");
        Self::Link(normalized(target, folder).filter(|_| !out))
    }
}

impl TarIndex {
    pub(super) fn read(file: &File) -> io::Result<Self> {
        let size = file.metadata()?.len();
        let mut reader = file;
        reader.seek(SeekFrom::Start(0))?;
        let mut found = Entries::default();
        let mut end = 0;
        let damaged = |found: Entries, reason| {
            Ok(Self {
                entries: found.resolved(),
                damage: Some(reason),
            })
        };
        let mut archive = tar::Archive::new(reader);
        for entry in archive.entries_with_seek()? {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return damaged(found, shown(&e.to_string())),
            };
            let range = Range {
                start: entry.raw_file_position(),
                length: entry.size(),
            };
            let name = normalized(&entry.path_bytes(), b"");
            match range.start.checked_add(range.length).filter(|end| *end <= size) {
                Some(last) => end = last.next_multiple_of(BLOCK),
                None => {
                    let name = printable_bytes(&entry.path_bytes());
                    return damaged(found, format!("it ends inside {name}"));
                }
            }
            let kind = entry.header().entry_type();
            let (Some(name), false) = (name, kind.is_dir()) else {
                continue;
            };
            let link = entry.link_name_bytes().unwrap_or_default();
            let what = if kind.is_file() || kind.is_contiguous() {
                Found::Content(range)
            } else if kind.is_hard_link() {
                Found::link(&link, b"")
            } else if kind.is_symlink() {
                Found::link(&link, folder(&name))
            } else {
                Found::Other
            };
            found.add(name, what);
        }
        let damage = after_end(file, end)?;
        Ok(Self {
            entries: found.resolved(),
            damage,
        })
    }
}

/// Entries by name.
#[derive(Default)]
struct Entries {
    all: Vec<(Vec<u8>, Found)>,
    by_name: HashMap<Vec<u8>, usize>,
}

impl Entries {
    fn add(&mut self, name: Vec<u8>, found: Found) {
        match self.by_name.get(&name) {
            Some(&place) => self.all[place].1 = found,
            None => {
                self.by_name.insert(name.clone(), self.all.len());
                self.all.push((name, found));
            }
        }
    }

    /// The entries, with the content that links lead to.
    fn resolved(self) -> Vec<TarEntry> {
        let contents: Vec<_> = self.all.iter().map(|(_, found)| self.content(found)).collect();
        let entries = self.all.into_iter().zip(contents);
        entries.map(|((name, _), content)| TarEntry { name, content }).collect()
    }

    fn content<'a>(&'a self, mut found: &'a Found) -> Result<Range, FileFault> {
        for _ in 0..=MOST_LINKS {
            match found {
                Found::Content(range) => return Ok(*range),
                Found::Other => return Err(FileFault::NotAFile),
                Found::Link(target) => match target.as_ref().and_then(|name| self.by_name.get(name)) {
                    Some(&place) => found = &self.all[place].1,
                    None => break,
                },
            }
        }
        Err(FileFault::BrokenLink)
    }
}

/// A name from `folder` on, without parts that are empty or `.`; `..` takes a part away. None for a name that leads out
/// of the archive, or nowhere.
fn normalized(name: &[u8], folder: &[u8]) -> Option<Vec<u8>> {
    let mut parts: Vec<&[u8]> = folder
        .split(|byte| *byte == b'/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in name.split(|byte| *byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join(&b'/'))
}

/// The name of the folder that a name is in.
fn folder(name: &[u8]) -> &[u8] {
    let slash = name.iter().rposition(|byte| *byte == b'/');
    &name[..slash.unwrap_or(0)]
}

/// What is wrong with the rest of an archive after its last entry: the end is marked by blocks of zeros, and nothing
/// comes after.
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
fn shown(text: &str) -> String {
    /// Enough to tell what was wrong.
    const LONGEST: usize = 100;
    let shown = text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
    shown.take(LONGEST).collect()
}
