//! Fetching models from a hub that lies, or that somebody else answers for.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use vitok::Error;
use vitok::files::hexadecimal;
use vitok::observe::Silent;
use vitok::weights::hub::Hub;

use crate::server::{Request, Server, send, send_head};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// A config that is whole.
const CONFIG: &[u8] = b"{\"a\": 1}";

/// What the hub says of every file, and what it then sends.
#[derive(Clone)]
struct Answers {
    commit: String,
    etag: String,
    /// Status and headers of the answer that says what a file is.
    redirect: Option<String>,
    headers: String,
    body: Vec<u8>,
}

impl Default for Answers {
    /// Honest ones, of a JSON file.
    fn default() -> Self {
        Self {
            commit: COMMIT.into(),
            etag: hexadecimal(&Sha256::digest(CONFIG)),
            redirect: None,
            headers: String::new(),
            body: CONFIG.to_vec(),
        }
    }
}

/// A hub with the files of one repository, all with the same answers; and what it was asked.
fn hub(answers: Answers) -> (Server, Arc<Mutex<Vec<Request>>>) {
    let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
    let log = asked.clone();
    let server = Server::start(move |_, _, request, mut stream| {
        let (head, path) = (request.head, request.path.clone());
        log.lock().unwrap().push(request);
        if path.starts_with("/api/") {
            let list = b"{\"siblings\":[{\"rfilename\":\"config.json\"},{\"rfilename\":\"model.safetensors\"}]}";
            return send(stream, 200, "", list);
        }
        let Answers {
            commit,
            etag,
            redirect,
            headers,
            body,
        } = answers.clone();
        let about = format!("X-Repo-Commit: {commit}\r\nETag: \"{etag}\"\r\n");
        match (redirect, head) {
            (Some(location), false) => send_head(stream, 302, &format!("Location: {location}\r\n")),
            (Some(location), true) => send_head(stream, 302, &format!("{about}Location: {location}\r\n")),
            (None, true) => write!(stream, "HTTP/1.1 200 Fine\r\n{about}Connection: close\r\n\r\n"),
            (None, false) => send(stream, 200, &format!("{about}{headers}"), &body),
        }
    });
    (server, asked)
}

fn settings(server: &Server, cache: &Path) -> Hub {
    Hub {
        endpoint: server.address.clone(),
        cache_folder: cache.to_owned(),
        token: Some("hf_secret".into()),
        offline: false,
        timeout: Duration::from_secs(5),
    }
}

/// The reason why a model is not fetched.
fn refusal(hub: &Hub) -> String {
    match hub.download("me/mine", None, &Silent) {
        Err(Error::Hub { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Every file and link below a folder, with the hash of what it holds.
fn listing(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in walkdir::WalkDir::new(folder).sort_by_file_name() {
        let entry = entry.unwrap();
        if !entry.file_type().is_dir() {
            found.push((entry.path().display().to_string(), fs::read(entry.path()).unwrap()));
        }
    }
    found
}

#[test]
fn only_hashes_and_commits_become_names() {
    let area = TempDir::new().unwrap();
    let own = area.path().join("own.txt");
    fs::write(&own, "precious").unwrap();
    let absolute = own.display().to_string();
    let long = "a".repeat(41);
    let names = [
        absolute.as_str(),
        "../../../own.txt",
        "..",
        "",
        "a/b",
        "0123456789abcdef0123456789abcdef0123456/",
        "0123456789abcdef0123456789abcdef0123456g",
        "etag",
        &long,
    ];
    for name in names {
        let etag = Answers {
            etag: name.into(),
            ..Answers::default()
        };
        let commit = Answers {
            commit: name.into(),
            ..Answers::default()
        };
        for (answers, word) in [(etag, "unusable hash"), (commit, "unusable commit name")] {
            let (server, _) = hub(answers);
            let reason = refusal(&settings(&server, &area.path().join("cache")));
            assert!(reason.contains(word), "{name:?}: {reason}");
            assert_eq!(
                listing(area.path()),
                [(absolute.clone(), b"precious".to_vec())],
                "{name:?}"
            );
        }
    }
}

#[test]
fn a_token_goes_to_its_host_alone() {
    let elsewhere: Arc<Mutex<Vec<Request>>> = Arc::default();
    let log = elsewhere.clone();
    let store = Server::start(move |_, _, request, stream| {
        log.lock().unwrap().push(request);
        send(stream, 200, "", CONFIG)
    });
    let location = Some(format!("{}/blob", store.address));
    let (server, asked) = hub(Answers {
        redirect: location,
        ..Answers::default()
    });
    let cache = TempDir::new().unwrap();
    // The second file is no safetensors file; the first has come.
    let reason = refusal(&settings(&server, cache.path()));
    assert!(reason.contains("model.safetensors arrived damaged"), "{reason}");
    let (asked, elsewhere) = (asked.lock().unwrap(), elsewhere.lock().unwrap());
    assert!(
        asked
            .iter()
            .all(|r| r.header("authorization") == Some("Bearer hf_secret"))
    );
    assert!(!elsewhere.is_empty() && elsewhere.iter().all(|r| r.header("authorization").is_none()));
}

#[test]
fn what_arrives_must_be_what_was_announced() {
    let flipped = {
        let mut bytes = CONFIG.to_vec();
        bytes[3] ^= 1;
        bytes
    };
    let longer = [CONFIG, b"   "].concat();
    for body in [flipped, longer, Vec::new()] {
        let (server, _) = hub(Answers {
            body,
            ..Answers::default()
        });
        let cache = TempDir::new().unwrap();
        let reason = refusal(&settings(&server, cache.path()));
        assert!(reason.contains("arrived damaged and was deleted"), "{reason}");
        assert!(listing(cache.path()).is_empty());
    }
    // Git's hash of small files counts as much.
    let git = "f8b9d6a5fcc0d3a2d3a2d3a2d3a2d3a2d3a2d3a2";
    let (server, _) = hub(Answers {
        etag: git.into(),
        ..Answers::default()
    });
    let cache = TempDir::new().unwrap();
    assert!(refusal(&settings(&server, cache.path())).contains("arrived damaged"));
}

#[test]
fn odd_answers_end_soon() {
    let cases = [
        (
            Answers {
                redirect: Some("/again".into()),
                ..Answers::default()
            },
            "more than 5 redirects",
        ),
        (
            Answers {
                redirect: Some("nowhere".into()),
                ..Answers::default()
            },
            "without a usable address",
        ),
        (
            Answers {
                redirect: Some(String::new()),
                ..Answers::default()
            },
            "without a usable address",
        ),
        (
            Answers {
                headers: "Content-Encoding: gzip\r\n".into(),
                ..Answers::default()
            },
            "compressed body",
        ),
    ];
    for (answers, word) in cases {
        let (server, asked) = hub(answers);
        let cache = TempDir::new().unwrap();
        let start = Instant::now();
        let reason = refusal(&settings(&server, cache.path()));
        assert!(reason.contains(word), "{word}: {reason}");
        assert!(asked.lock().unwrap().len() < 20 && start.elapsed() < Duration::from_secs(5));
    }
}

/// A byte now and then is no silence, and still no download.
#[test]
fn a_trickle_is_given_up() {
    let server = Server::start(|_, stop, request, mut stream| {
        if request.path.starts_with("/api/") {
            return send_head(stream, 404, "");
        }
        let about = format!(
            "X-Repo-Commit: {COMMIT}\r\nETag: \"{}\"\r\nContent-Length: 1000000\r\n",
            "0".repeat(64)
        );
        write!(stream, "HTTP/1.1 200 Fine\r\n{about}Connection: close\r\n\r\n")?;
        while !request.head && !stop.load(SeqCst) {
            stream.write_all(b"x")?;
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    });
    let cache = TempDir::new().unwrap();
    let mut hub = settings(&server, cache.path());
    hub.timeout = Duration::from_millis(200);
    assert!(refusal(&hub).contains("bytes a second"));
}

#[cfg(unix)]
#[test]
fn a_part_that_is_a_link_is_not_written_through() {
    let area = TempDir::new().unwrap();
    let own = area.path().join("own.txt");
    fs::write(&own, "precious").unwrap();
    let cache = area.path().join("cache");
    let blobs = cache.join("models--me--mine/blobs");
    fs::create_dir_all(&blobs).unwrap();
    let part = blobs.join(format!("{}.part", Answers::default().etag));
    std::os::unix::fs::symlink(&own, part).unwrap();
    let (server, _) = hub(Answers::default());
    let reason = refusal(&settings(&server, &cache));
    assert!(reason.contains("cannot be written"), "{reason}");
    assert_eq!(fs::read(&own).unwrap(), b"precious");
}

#[test]
fn a_password_in_the_address_is_not_told() {
    let hub = Hub {
        endpoint: "http://user:geheim@127.0.0.1:1/mirror".into(),
        cache_folder: "/nowhere".into(),
        token: None,
        offline: false,
        timeout: Duration::from_secs(5),
    };
    let error = hub.download("me/mine", None, &Silent).unwrap_err();
    let told = format!(
        "{error} {:?} {hub:?} {}",
        error.remedies(),
        hub.cached("me/mine", None).unwrap_err()
    );
    assert!(
        told.contains("http://127.0.0.1:1/mirror") && !told.contains("geheim"),
        "{told}"
    );
}
