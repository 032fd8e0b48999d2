//! Fetching models, against a small server on this machine that answers as the hub does.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha1::Sha1;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vitok::files::hexadecimal;
use vitok::observe::{Event, Observer, Silent};
use vitok::weights::hub::{Hub, RELEASES, find};
use vitok::{Error, Remedy};

use crate::server::{Request, Server, send, send_head};

const RELEASE: &str = "philippehansen/ViTok-v2-350M-f16x64";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server misbehaves.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The first transfer of a body ends half-way.
    CutOnce,
    /// Bodies never end: half of one, then silence.
    Stall,
    /// Bodies come a few bytes at a time.
    Drip,
    /// What it has of the files is only the beginning.
    Short,
    /// Says what it has and then closes every connection for a file.
    HangUp,
    /// No list of files, as with a plain mirror.
    NoList,
    /// Every answer has this status.
    Status(u16),
}

struct Site {
    files: BTreeMap<String, Vec<u8>>,
    token: Option<&'static str>,
    fault: Mutex<Fault>,
    requests: Mutex<Vec<Request>>,
    /// Whether a client has left amid a body.
    left: AtomicBool,
}

/// A hub with one repository.
struct HubServer {
    address: String,
    site: Arc<Site>,
    _server: Server,
}

impl HubServer {
    /// Serves `files` of one repository.
    fn start(repository: &str, files: &[(&str, Vec<u8>)], token: Option<&'static str>, fault: Fault) -> Self {
        let site = Arc::new(Site {
            files: files
                .iter()
                .map(|(name, bytes)| (format!("{repository}/{name}"), bytes.clone()))
                .collect(),
            token,
            fault: Mutex::new(fault),
            requests: Mutex::default(),
            left: AtomicBool::new(false),
        });
        let shared = site.clone();
        let server = Server::start(move |base, stop, request, stream| answer(&shared, base, stop, request, stream));
        Self {
            address: server.address.clone(),
            site,
            _server: server,
        }
    }

    fn pair(token: Option<&'static str>, fault: Fault) -> Self {
        let files = [
            ("encoder.safetensors", tensors(700)),
            ("decoder.safetensors", tensors(900)),
        ];
        Self::start(RELEASE, &files, token, fault)
    }

    fn hub(&self, cache: &Path) -> Hub {
        Hub {
            endpoint: self.address.clone(),
            cache_folder: cache.to_owned(),
            token: None,
            offline: false,
            timeout: Duration::from_secs(5),
        }
    }

    fn requests(&self) -> usize {
        self.site.requests.lock().unwrap().len()
    }

    /// The ranges asked for of a file; questions about it, which are not for its content, are left out.
    fn transfers(&self, file: &str) -> Vec<String> {
        let requests = self.site.requests.lock().unwrap();
        requests
            .iter()
            .filter(|r| r.path.starts_with(&format!("/{RELEASE}/resolve/")))
            .filter(|r| r.path.ends_with(file))
            .filter(|r| !r.head)
            .map(|r| r.header("range").unwrap_or("bytes=0-").to_owned())
            .collect()
    }
}

fn answer(site: &Site, base: &str, stop: &AtomicBool, request: Request, stream: TcpStream) -> std::io::Result<()> {
    let (head, path) = (request.head, request.path.clone());
    let range = request.header("range").unwrap_or_default().to_owned();
    let authorization = request.header("authorization").map(str::to_owned);
    let welcome = site.token.is_none_or(|t| {
        // The files' store, where the hub redirects to, is not to see the token.
        path.starts_with("/store/") || authorization == Some(format!("Bearer {t}"))
    });
    site.requests.lock().unwrap().push(request);
    let fault = *site.fault.lock().unwrap();
    if let Fault::Status(status) = fault {
        return send_head(stream, status, "");
    }
    if !welcome {
        return send_head(stream, 401, "");
    }
    if let Some(rest) = path.strip_prefix("/api/models/") {
        let list = list(site, rest.split("/revision/").next().unwrap_or(rest));
        return match list {
            Some(list) if fault != Fault::NoList => send(stream, 200, "", list.as_bytes()),
            _ => send_head(stream, 404, ""),
        };
    }
    if fault == Fault::HangUp {
        return Ok(());
    }
    let key = path
        .trim_start_matches("/store")
        .trim_start_matches('/')
        .replace("/resolve/main/", "/")
        .replace("/resolve/v2/", "/");
    let Some(whole) = site.files.get(&key) else {
        return send_head(stream, 404, "");
    };
    let about = format!("X-Repo-Commit: {COMMIT}\r\nETag: \"{}\"\r\n", etag(&key, whole));
    // Like the hub's large files, the decoder is in a store elsewhere.
    if key.ends_with("decoder.safetensors") && !path.starts_with("/store/") {
        let extra = format!("{about}Location: {base}/store/{key}\r\n");
        return send_head(stream, 302, &extra);
    }
    let whole = match fault {
        Fault::Short => &whole[..whole.len() / 2],
        _ => whole,
    };
    let (from, to) = range
        .strip_prefix("bytes=")
        .and_then(|r| r.split_once('-'))
        .unwrap_or(("0", ""));
    let from: usize = from.parse().unwrap();
    let to = to.parse().map_or(whole.len(), |t: usize| t + 1);
    if from >= whole.len() {
        return send_head(stream, 416, "");
    }
    let extra = format!("{about}Content-Range: bytes {from}-{}/{}\r\n", to - 1, whole.len());
    let body = &whole[from..to];
    if head {
        let length = body.len();
        return write!(
            &stream,
            "HTTP/1.1 200 Fine\r\n{about}Content-Length: {length}\r\nConnection: close\r\n\r\n"
        );
    }
    if body.len() > 1 && matches!(fault, Fault::CutOnce | Fault::Stall) {
        if fault == Fault::CutOnce {
            *site.fault.lock().unwrap() = Fault::None;
        }
        let mut stream = stream;
        write!(
            stream,
            "HTTP/1.1 206 Partial\r\n{extra}Content-Length: {}\r\n\r\n",
            body.len()
        )?;
        stream.write_all(&body[..body.len() / 2])?;
        while fault == Fault::Stall && !stop.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        return Ok(());
    }
    if body.len() > 1 && fault == Fault::Drip {
        return drip(site, stream, &extra, body);
    }
    send(stream, 206, &extra, body)
}

/// As the hub: git's hash of a small text, the SHA-256 of a large file.
fn etag(name: &str, content: &[u8]) -> String {
    match name.ends_with(".json") {
        true => hexadecimal(&Sha1::digest(
            [format!("blob {}\0", content.len()).as_bytes(), content].concat(),
        )),
        false => hexadecimal(&Sha256::digest(content)),
    }
}

/// Sends a body over several seconds, and notes if the client leaves before its end.
fn drip(site: &Site, mut stream: TcpStream, extra: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 206 Partial\r\n{extra}Content-Length: {length}\r\n\r\n"
    )?;
    for piece in body.chunks(16) {
        if stream.write_all(piece).is_err() {
            site.left.store(true, SeqCst);
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// The hub's description of a repository.
fn list(site: &Site, repository: &str) -> Option<String> {
    let prefix = format!("{repository}/");
    let names: Vec<String> = site
        .files
        .keys()
        .filter_map(|k| k.strip_prefix(&prefix))
        .map(|n| format!("{{\"rfilename\":\"{n}\"}}"))
        .collect();
    let names = Some(names.join(",")).filter(|n| !n.is_empty())?;
    Some(format!("{{\"sha\":\"{COMMIT}\",\"siblings\":[{names}]}}"))
}

/// A safetensors file with one tensor.
fn tensors(values: usize) -> Vec<u8> {
    let header = format!(
        "{{\"x\":{{\"dtype\":\"F32\",\"shape\":[{values}],\"data_offsets\":[0,{}]}}}}",
        4 * values
    );
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend((0..values).flat_map(|v| (v as f32).to_le_bytes()));
    file
}

fn refusal<T: std::fmt::Debug>(result: vitok::Result<T>) -> String {
    refusal_with_remedies(result).0
}

fn refusal_with_remedies<T: std::fmt::Debug>(result: vitok::Result<T>) -> (String, Vec<Remedy>) {
    match result.unwrap_err() {
        Error::Hub { name, reason, remedies } => {
            println!("{name}: {reason} {remedies:?}");
            (reason, remedies)
        }
        other => panic!("{other}"),
    }
}

fn download(name: &str, revision: Option<&str>) -> Remedy {
    Remedy::Download {
        name: name.into(),
        revision: revision.map(str::to_owned),
    }
}

/// Getting the released model's files by hand from the hub at `endpoint`.
fn by_hand(endpoint: &str) -> Remedy {
    Remedy::BringFile {
        what: "encoder.safetensors and decoder.safetensors".into(),
        from: format!("{endpoint}/{RELEASE}"),
        pretrained: None,
    }
}

/// Keeps the latest event of each file, and asks to stop once so many bytes are here.
#[derive(Default)]
struct Watch {
    stop_at: Option<u64>,
    files: Mutex<BTreeMap<String, (u64, u64)>>,
}

impl Observer for Watch {
    fn event(&self, event: Event<'_>) {
        let Event::Download { file, done, total } = event else {
            panic!("{event:?}");
        };
        self.files.lock().unwrap().insert(file.to_owned(), (done, total));
    }

    fn cancelled(&self) -> bool {
        let files = self.files.lock().unwrap();
        self.stop_at
            .is_some_and(|stop| files.values().any(|(done, _)| *done >= stop))
    }
}

/// Every file under a folder whose name ends so.
fn files_ending(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_download_is_then_in_the_cache() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::None);
    let mut hub = server.hub(cache.path());
    let (reason, remedies) = refusal_with_remedies(hub.cached("350M-f16x64", None));
    assert!(reason.contains("not in the cache"), "{reason}");
    assert_eq!(remedies, [download("350M-f16x64", None), by_hand(&hub.endpoint)]);

    let folder = hub.download("350M-f16x64", None, &Silent).unwrap();
    for (file, values) in [("encoder.safetensors", 700), ("decoder.safetensors", 900)] {
        assert_eq!(std::fs::read(folder.join(file)).unwrap(), tensors(values));
        assert_eq!(server.transfers(file), ["bytes=0-"]);
    }

    // A second time nothing is asked for, and offline it is found under all of its names.
    let before = server.requests();
    assert_eq!(hub.download(RELEASE, None, &Silent).unwrap(), folder);
    assert_eq!(server.requests(), before);
    drop(server);
    hub.offline = true;
    for name in [RELEASE, "ViTok-v2-350M-f16x64", "350m-F16x64"] {
        assert_eq!(hub.cached(name, None).unwrap(), folder);
        assert_eq!(hub.download(name, None, &Silent).unwrap(), folder);
    }
    // The commit is a name for it as well, even where no branch of that name is noted.
    assert_eq!(hub.cached(RELEASE, Some(COMMIT)).unwrap(), folder);
}

#[test]
fn a_revision_is_kept_apart() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::None);
    let hub = server.hub(cache.path());
    let folder = hub.download(RELEASE, Some("v2"), &Silent).unwrap();
    assert_eq!(hub.cached(RELEASE, Some("v2")).unwrap(), folder);
    assert!(hub.cached(RELEASE, None).is_err());
    let (_, remedies) = refusal_with_remedies(hub.cached(RELEASE, Some("v3")));
    assert!(remedies.contains(&download(RELEASE, Some("v3"))), "{remedies:?}");
    assert!(refusal(hub.download(RELEASE, Some("v3"), &Silent)).contains("revision v3"));
}

#[test]
fn other_repositories_may_hold_one_file() {
    for fault in [Fault::None, Fault::NoList] {
        let cache = TempDir::new().unwrap();
        let files = [
            ("config.json", b"{\"a\": 1}".to_vec()),
            ("model.safetensors", tensors(50)),
        ];
        let server = HubServer::start("me/mine", &files, None, fault);
        let hub = server.hub(cache.path());
        let folder = hub.download("me/mine", None, &Silent).unwrap();
        assert!(folder.join("model.safetensors").is_file());
        assert_eq!(hub.cached("me/mine", None).unwrap(), folder);
        let reason = refusal(hub.download("me/350M-f16x46", None, &Silent));
        assert!(reason.contains("404"), "{reason}");
    }
    // And with neither set of files there is nothing to fetch.
    let cache = TempDir::new().unwrap();
    let server = HubServer::start("me/text", &[("README.md", vec![1])], None, Fault::None);
    let reason = refusal(server.hub(cache.path()).download("me/text", None, &Silent));
    assert!(reason.contains("encoder.safetensors and decoder.safetensors, or config.json"));
}

#[test]
fn the_token_is_sent_to_the_hub() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(Some("hf_secret"), Fault::None);
    let mut hub = server.hub(cache.path());
    let reason = refusal(hub.download("350M-f16x64", None, &Silent));
    assert!(reason.contains("401") && reason.contains("HF_TOKEN"), "{reason}");
    hub.token = Some("hf_wrong".into());
    let reason = refusal(hub.download("350M-f16x64", None, &Silent));
    assert!(reason.contains("not accepted"), "{reason}");
    assert!(!reason.contains("hf_wrong") && !format!("{hub:?}").contains("hf_wrong"));

    hub.token = Some("hf_secret".into());
    hub.download("350M-f16x64", None, &Silent).unwrap();
    let requests = server.site.requests.lock().unwrap();
    let with = |r: &&Request| r.header("authorization") == Some("Bearer hf_secret");
    assert!(requests.iter().filter(with).count() >= 5);
}

#[test]
fn each_refusal_says_what_to_do() {
    let cache = TempDir::new().unwrap();
    let cases = [
        (403, "HF_TOKEN"),
        (401, "Check the name"),
        (404, "has no encoder.safetensors"),
        (503, "Try again later"),
        (200, "does not answer like a model hub"),
    ];
    for (status, expected) in cases {
        let server = HubServer::pair(None, Fault::Status(status));
        let hub = server.hub(cache.path());
        let reason = refusal(hub.download("5B-f32x64", None, &Silent));
        assert!(reason.contains(expected), "{status}: {reason}");
    }
    let server = HubServer::pair(None, Fault::None);
    let reason = refusal(
        server
            .hub(cache.path())
            .download("you/ViTok-v2-5B-f16x46", None, &Silent),
    );
    assert!(reason.contains("has no"), "{reason}");
    assert!(reason.contains("did you mean 5B-f16x16"), "{reason}");
}

#[test]
fn names_are_checked_before_the_network() {
    let hub = Hub {
        endpoint: "http://127.0.0.1:1".into(),
        cache_folder: "/nowhere".into(),
        token: None,
        offline: false,
        timeout: Duration::from_secs(5),
    };
    let reason = refusal(hub.download("350M-f16x46", None, &Silent));
    assert!(reason.contains("did you mean 350M-f16x"), "{reason}");
    let reason = refusal(hub.cached("weights", None));
    assert!(reason.contains("released models: 350M-f16x16"), "{reason}");
    for name in [
        "", "/", "a/", "../..", "a/..", "a/b/c", "./model", "a/b?c", "a/b c", "ü/b",
    ] {
        assert!(
            refusal(hub.cached(name, None)).contains("neither a file or folder here"),
            "{name}"
        );
    }
    for revision in ["", "../x", "a//b", "/a", "a b"] {
        let reason = refusal(hub.download(RELEASE, Some(revision), &Silent));
        assert!(reason.contains("no revision"), "{revision}");
    }
    let wrong = Hub {
        endpoint: "huggingface.co".into(),
        ..hub
    };
    assert!(refusal(wrong.download(RELEASE, None, &Silent)).contains("HF_ENDPOINT"));
}

#[test]
fn without_a_network_it_fails_at_once() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::None);
    let hub = server.hub(cache.path());
    drop(server); // and with it the port
    let start = Instant::now();
    let (reason, remedies) = refusal_with_remedies(hub.download("350M-f16x64", None, &Silent));
    assert!(start.elapsed() < Duration::from_secs(3), "{reason}");
    for hint in ["HF_ENDPOINT", "HTTPS_PROXY"] {
        assert!(reason.contains(hint), "{reason}");
    }
    assert_eq!(remedies, [by_hand(&hub.endpoint)]);
}

#[test]
fn a_server_that_hangs_up_is_tried_a_few_times() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::HangUp);
    let start = Instant::now();
    let hub = server.hub(cache.path());
    let (reason, remedies) = refusal_with_remedies(hub.download("350M-f16x64", None, &Silent));
    assert!(reason.contains("broke off"), "{reason}");
    assert_eq!(remedies, [download("350M-f16x64", None), by_hand(&hub.endpoint)]);
    assert!(start.elapsed() < Duration::from_secs(5));
    assert!(server.requests() > 3);
}

#[test]
fn a_silent_server_is_given_up() {
    let cache = TempDir::new().unwrap();
    // It takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut hub = HubServer::pair(None, Fault::None).hub(cache.path());
    hub.endpoint = format!("http://{}", silent.local_addr().unwrap());
    hub.timeout = Duration::from_millis(300);
    let start = Instant::now();
    assert!(refusal(hub.download(RELEASE, None, &Silent)).contains("cannot be reached"));

    // Long enough for the list of files on a busy machine.
    hub.timeout = Duration::from_secs(1);
    let server = HubServer::pair(None, Fault::Stall);
    hub.endpoint = server.address.clone();
    let (reason, remedies) = refusal_with_remedies(hub.download(RELEASE, None, &Silent));
    assert!(reason.contains("nothing came from"), "{reason}");
    assert_eq!(remedies, [download(RELEASE, None), by_hand(&hub.endpoint)]);
    assert!(start.elapsed() < Duration::from_secs(10));
}

#[test]
fn offline_nothing_is_asked() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::None);
    let mut hub = server.hub(cache.path());
    hub.offline = true;
    let (reason, remedies) = refusal_with_remedies(hub.download("350M-f16x64", None, &Silent));
    assert!(reason.contains("HF_HUB_OFFLINE"), "{reason}");
    assert_eq!(remedies[0], download("350M-f16x64", None));
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_broken_download_goes_on() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::CutOnce);
    let watch = Watch::default();
    let folder = server.hub(cache.path()).download("350M-f16x64", None, &watch).unwrap();
    let half = tensors(700).len() / 2;
    let ranges = server.transfers("encoder.safetensors");
    assert_eq!(ranges, ["bytes=0-".to_owned(), format!("bytes={half}-")]);
    let found = std::fs::read(folder.join("encoder.safetensors")).unwrap();
    assert_eq!(found, tensors(700));
    let told = watch.files.into_inner().unwrap();
    for (file, values) in [("encoder.safetensors", 700), ("decoder.safetensors", 900)] {
        let whole = tensors(values).len() as u64;
        assert_eq!(told[file], (whole, whole));
    }
}

#[test]
fn a_cancelled_download_keeps_its_part() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::Stall);
    let watch = Watch {
        stop_at: Some(1),
        ..Watch::default()
    };
    let start = Instant::now();
    let result = server.hub(cache.path()).download("350M-f16x64", None, &watch);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
    drop(server);

    let server = HubServer::pair(None, Fault::None);
    let folder = server.hub(cache.path()).download("350M-f16x64", None, &Silent).unwrap();
    let found = std::fs::read(folder.join("encoder.safetensors")).unwrap();
    assert_eq!(found, tensors(700));
    let half = tensors(700).len() / 2;
    assert_eq!(server.transfers("encoder.safetensors"), [format!("bytes={half}-")]);
    // Nothing is begun where nothing is wanted.
    let stopped = Watch {
        stop_at: Some(0),
        files: Mutex::new(BTreeMap::from([(String::new(), (0, 0))])),
    };
    let before = server.requests();
    let other = TempDir::new().unwrap();
    let result = server.hub(other.path()).download("350M-f16x64", None, &stopped);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert_eq!(server.requests(), before);
}

#[test]
fn a_cancelled_download_leaves_the_server() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::Drip);
    let watch = Watch {
        stop_at: Some(1),
        ..Watch::default()
    };
    let result = server.hub(cache.path()).download("350M-f16x64", None, &watch);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    let start = Instant::now();
    while !server.site.left.load(SeqCst) {
        assert!(start.elapsed() < Duration::from_secs(2));
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_part_that_does_not_fit_is_fetched_anew() {
    let whole = tensors(700);
    // As long as the file, so that there is nothing left to ask for; and longer than it.
    for length in [whole.len(), whole.len() + 9] {
        let cache = TempDir::new().unwrap();
        let server = HubServer::pair(None, Fault::None);
        let blobs = cache
            .path()
            .join(format!("models--{}/blobs", RELEASE.replace('/', "--")));
        std::fs::create_dir_all(&blobs).unwrap();
        let part = blobs.join(format!("{}.part", etag("", &whole)));
        std::fs::write(part, vec![0; length]).unwrap();
        let hub = server.hub(cache.path());
        let folder = hub.download("350M-f16x64", None, &Silent).unwrap();
        let found = std::fs::read(folder.join("encoder.safetensors")).unwrap();
        assert_eq!(found, whole);
    }
}

#[test]
fn a_damaged_file_is_deleted_and_fetched_again() {
    let cache = TempDir::new().unwrap();
    let server = HubServer::pair(None, Fault::Short);
    let hub = server.hub(cache.path());
    let reason = refusal(hub.download("350M-f16x64", None, &Silent));
    assert!(reason.contains("arrived damaged and was deleted"), "{reason}");
    assert!(files_ending(cache.path(), "encoder.safetensors").is_empty());

    *server.site.fault.lock().unwrap() = Fault::None;
    let folder = hub.download("350M-f16x64", None, &Silent).unwrap();

    // Damage done later is noticed, and mended by the next download.
    let encoder = folder.join("encoder.safetensors");
    std::fs::write(&encoder, &tensors(700)[..100]).unwrap();
    assert!(refusal(hub.cached("350M-f16x64", None)).contains("is damaged"));
    assert_eq!(hub.download("350M-f16x64", None, &Silent).unwrap(), folder);
    assert_eq!(std::fs::read(&encoder).unwrap(), tensors(700));

    // A file of the user's own, linked into the cache, is not ours to delete.
    let elsewhere = TempDir::new().unwrap();
    let own = elsewhere.path().join("own.safetensors");
    std::fs::write(&own, b"not tensors").unwrap();
    #[cfg(unix)]
    {
        std::fs::remove_file(&encoder).unwrap();
        std::os::unix::fs::symlink(&own, &encoder).unwrap();
        hub.download("350M-f16x64", None, &Silent).unwrap();
        assert_eq!(std::fs::read(&encoder).unwrap(), tensors(700));
    }
    assert_eq!(std::fs::read(&own).unwrap(), b"not tensors");

    // A link whose file someone has deleted is mended as well.
    std::fs::remove_file(encoder.canonicalize().unwrap()).unwrap();
    assert!(refusal(hub.cached("350M-f16x64", None)).contains("not in the cache"));
    assert_eq!(hub.download("350M-f16x64", None, &Silent).unwrap(), folder);
    assert_eq!(std::fs::read(&encoder).unwrap(), tensors(700));
}

#[test]
fn settings_come_from_the_environment() {
    let with = |variables: &[(&str, &str)], home: Option<&str>| {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| v.to_string())
        };
        Hub::from_lookup(lookup, home.map(Path::new))
    };
    let plain = with(&[], Some("/home/me")).unwrap();
    assert_eq!(plain.endpoint, "https://huggingface.co");
    assert_eq!(plain.cache_folder, Path::new("/home/me/.cache/huggingface/hub"));
    assert_eq!((plain.token, plain.offline), (None, false));
    assert!(with(&[], None).is_err());

    let folder = TempDir::new().unwrap();
    let hf_home = folder.path().to_str().unwrap();
    std::fs::write(folder.path().join("token"), "hf_file\n").unwrap();
    let hub = with(&[("HF_HOME", hf_home)], None).unwrap();
    assert_eq!(hub.cache_folder, folder.path().join("hub"));
    assert_eq!(hub.token.as_deref(), Some("hf_file"));
    let all = [
        ("HF_HOME", hf_home),
        ("HF_HUB_CACHE", "/cache"),
        ("HF_TOKEN", " hf_variable "),
        ("HF_ENDPOINT", "https://mirror.example/"),
        ("HF_HUB_OFFLINE", "True"),
    ];
    let hub = with(&all, None).unwrap();
    assert_eq!(hub.cache_folder, Path::new("/cache"));
    assert_eq!(hub.token.as_deref(), Some("hf_variable"));
    assert_eq!(hub.endpoint, "https://mirror.example");
    assert!(hub.offline);
    for off in ["0", "", "false", "no"] {
        let hub = with(&[("HF_HUB_OFFLINE", off), ("HF_HUB_CACHE", "/c")], None).unwrap();
        assert!(!hub.offline, "{off}");
    }
}

#[test]
fn releases_are_consistent() {
    assert_eq!(RELEASES.len(), 9);
    for release in RELEASES {
        assert_eq!(find(release.name), Some(release));
        assert_eq!(find(release.repository), Some(release));
        let (_, repository) = release.repository.split_once('/').unwrap();
        assert_eq!(find(repository), Some(release));
        // Name and variant both give the patch side and the channels: f16x64 and 1x16x64.
        let (size, rest) = release.name.split_once("-f").unwrap();
        assert!(release.variant.ends_with(&format!("/1x{rest}")));
        assert_eq!(size == "5B", release.variant.starts_with("Td4-T/"));
    }
    for other in ["", "350M", "philippehansen/", "ViTok-v2-", "someone/350M-f16x64"] {
        assert_eq!(find(other), None, "{other}");
    }
}
