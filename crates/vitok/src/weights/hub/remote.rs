//! What the hub is asked, and what it may answer: everything in an answer that becomes part of a path is checked first.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use sha1::{Digest, Sha1};
use ureq::Body;
use ureq::http::Response;

use super::settings::Hub;
use super::snapshot::RepoCache;
use crate::files::hexadecimal;
use crate::observe::Observer;
use crate::weights::download::{Credentials, Failure, Part, Progress, Request, download};

/// Longest wait for the list of files: long enough for a slow line, short enough to tell a user without a network so.
const MAX_LIST_WAIT: Duration = Duration::from_secs(10);

/// Most bytes of a list of files.
const MAX_LIST: u64 = 16 << 20;

/// Most bytes of a file whose size the hub does not announce.
const MAX_FILE: u64 = 64 << 30;

/// Most bytes of a file that the hub names by its hash in git: larger ones are named by their SHA-256.
const MAX_GIT_FILE: u64 = 64 << 20;

/// One revision of one repository.
pub(super) struct Remote<'a> {
    hub: &'a Hub,
    address: Arc<Address>,
    /// The files there, where the server could say.
    names: Option<Vec<String>>,
}

/// Where files are asked for.
struct Address {
    /// Up to the file's name.
    files: String,
    credentials: Option<Credentials>,
    timeout: Duration,
}

/// The hub's list of what a repository holds.
#[derive(Deserialize)]
struct RepoInfo {
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// What the hub says of a file.
struct FileInfo {
    commit: String,
    /// SHA-256 of a large file, git's SHA-1 of a small one, in hexadecimal digits.
    hash: String,
    bytes: Option<u64>,
}

impl<'a> Remote<'a> {
    /// Asks the hub what the repository holds.
    pub(super) fn open(hub: &'a Hub, repository: &str, revision: &str) -> Result<Self, Failure> {
        let endpoint = &hub.endpoint;
        // A branch may have slashes, which would be steps of the path here.
        let revision = revision.replace('/', "%2F");
        let token = hub.token.as_deref();
        let credentials = token.and_then(|token| Credentials::new(endpoint, token));
        let list = Request {
            url: &format!("{endpoint}/api/models/{repository}/revision/{revision}"),
            credentials: credentials.as_ref(),
            from: 0,
            timeout: hub.timeout.min(MAX_LIST_WAIT),
        };
        let mut answer = list.get()?;
        let names = match answer.status().as_u16() {
            200..=299 => names(&mut answer),
            // A plain mirror may have the files and not this.
            404 => None,
            status => return Err(Failure::of_status(status, repository)),
        };
        let address = Address {
            files: format!("{endpoint}/{repository}/resolve/{revision}"),
            credentials,
            timeout: hub.timeout,
        };
        Ok(Self {
            hub,
            address: Arc::new(address),
            names,
        })
    }

    /// Whether all `files` are there; `None` if the server did not say.
    pub(super) fn has(&self, files: &[&str]) -> Option<bool> {
        let names = self.names.as_ref()?;
        Some(files.iter().all(|f| names.iter().any(|n| n == f)))
    }

    /// Fetches one file into the cache, where it becomes part of what `revision` stands for; goes on where an earlier
    /// attempt or run broke off. What arrives must have the hash that was announced.
    pub(super) fn fetch(
        &self,
        file: &str,
        cache: &RepoCache,
        revision: &str,
        observer: &dyn Observer,
    ) -> Result<(), Failure> {
        let attempt = |progress: Progress| {
            let (address, cache) = (self.address.clone(), cache.clone());
            let (file, revision) = (file.to_owned(), revision.to_owned());
            move || address.fetch(&file, &cache, &revision, &progress)
        };
        // A part that does not fit is deleted by the attempt that finds out.
        download(file, self.hub.timeout, observer, attempt, || ())
    }
}

fn names(answer: &mut Response<Body>) -> Option<Vec<String>> {
    let text = answer.body_mut().with_config().limit(MAX_LIST).read_to_vec().ok()?;
    let info: RepoInfo = serde_json::from_slice(&text).ok()?;
    Some(info.siblings.into_iter().map(|sibling| sibling.rfilename).collect())
}

impl Address {
    fn fetch(&self, file: &str, cache: &RepoCache, revision: &str, progress: &Progress) -> Result<(), Failure> {
        let about = self.about(file)?;
        if !cache.has_blob(&about.hash) {
            self.fetch_blob(file, &about, cache, progress)?;
        }
        cache.link(file, &about.hash, &about.commit).map_err(disk)?;
        let noted = cache.note_revision(revision, &about.commit);
        noted.map_err(|error| Failure::Disk(error.message()))
    }

    fn fetch_blob(&self, file: &str, about: &FileInfo, cache: &RepoCache, progress: &Progress) -> Result<(), Failure> {
        let is_sha256 = about.hash.len() == SHA256_DIGITS;
        let part = Part {
            url: self.url(file),
            credentials: self.credentials.clone(),
            sha256: if is_sha256 { about.hash.clone() } else { String::new() },
            max_bytes: about.bytes.unwrap_or(if is_sha256 { MAX_FILE } else { MAX_GIT_FILE }),
            path: cache.part(&about.hash),
            timeout: self.timeout,
        };
        let whole = part.fetch(progress).inspect_err(|failure| {
            if let Failure::StalePart = failure {
                part.forget();
            }
        })?;
        let hash = match is_sha256 {
            true => whole.sha256.clone(),
            false => git_hash(&part.path).map_err(disk)?,
        };
        if hash != about.hash {
            part.forget();
            return Err(Failure::Damaged(format!(
                "its hash is {hash}, where {} was announced",
                about.hash
            )));
        }
        // Some systems let nobody rename a locked file.
        drop(whole);
        cache.keep_part(&about.hash).map_err(disk)
    }

    fn url(&self, file: &str) -> String {
        format!("{}/{file}", self.files)
    }

    /// Asks what the file is, without its content.
    fn about(&self, file: &str) -> Result<FileInfo, Failure> {
        let url = self.url(file);
        let question = Request {
            url: &url,
            credentials: self.credentials.as_ref(),
            from: 0,
            timeout: self.timeout,
        };
        // The store of large files knows nothing of commits; the redirect to it does.
        let answer = question.head(|answer| header(answer, "x-repo-commit").is_some())?;
        match answer.status().as_u16() {
            200..=399 => {}
            status => return Err(Failure::of_status(status, file)),
        }
        let unusable = |what: &str| Failure::Unexpected(format!("an unusable {what} for {file}"));
        let commit = header(&answer, "x-repo-commit").filter(|commit| is_hash(commit));
        let linked = header(&answer, "x-linked-etag");
        let hash = linked.or_else(|| header(&answer, "etag"));
        let hash = hash.map(|hash| hash.trim_start_matches("W/").trim_matches('"').to_ascii_lowercase());
        let bytes = header(&answer, "x-linked-size").or_else(|| match answer.status().is_redirection() {
            // That of the redirect's own body.
            true => None,
            false => header(&answer, "content-length"),
        });
        Ok(FileInfo {
            commit: commit.ok_or_else(|| unusable("commit name"))?,
            hash: hash.filter(|hash| is_hash(hash)).ok_or_else(|| unusable("hash"))?,
            bytes: bytes.and_then(|bytes| bytes.parse().ok()),
        })
    }
}

fn header(answer: &Response<Body>, name: &str) -> Option<String> {
    Some(answer.headers().get(name)?.to_str().ok()?.to_owned())
}

/// Digits of a SHA-1 and of a SHA-256.
const SHA1_DIGITS: usize = 40;
const SHA256_DIGITS: usize = 64;

/// Whether a text is what hashes and commits look like, so that it can be part of a path.
fn is_hash(text: &str) -> bool {
    matches!(text.len(), SHA1_DIGITS | SHA256_DIGITS) && text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn disk(error: io::Error) -> Failure {
    Failure::Disk(error.to_string())
}

/// The name that git has for a file of this content.
fn git_hash(path: &Path) -> io::Result<String> {
    let content = fs::read(path)?;
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(&content);
    Ok(hexadecimal(&hash.finalize()))
}
