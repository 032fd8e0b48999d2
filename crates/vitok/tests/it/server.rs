//! A small HTTP server on this machine, for tests of downloads: what it answers is the test's.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;
use std::time::Duration;

/// What a client asks.
pub struct Request {
    /// Whether only the headers are asked for.
    pub head: bool,
    pub path: String,
    /// By lower-case names.
    headers: BTreeMap<String, String>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    fn read(stream: &TcpStream) -> std::io::Result<Self> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let first = lines.next().unwrap_or(Ok(String::new()))?;
        let mut headers = BTreeMap::new();
        for line in lines {
            let line = line?;
            let Some((name, value)) = line.split_once(": ") else {
                break;
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        Ok(Self {
            head: first.starts_with("HEAD "),
            path: first.split(' ').nth(1).unwrap_or("/").to_owned(),
            headers,
        })
    }
}

/// The server; it ends with the test, one answer after the other.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub address: String,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// `answer` gets the server's address, whether it is to end, a request and where the answer is to be written.
    pub fn start(
        answer: impl Fn(&str, &AtomicBool, Request, TcpStream) -> std::io::Result<()> + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let stopped = Arc::new(AtomicBool::new(false));
        let (base, stop) = (address.clone(), stopped.clone());
        let serve = move |stream: TcpStream| {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            answer(&base, &stop, Request::read(&stream)?, stream)
        };
        let stop = stopped.clone();
        let thread = std::thread::spawn(move || {
            while !stop.load(SeqCst) {
                match listener.accept() {
                    // A client may leave in the middle; that is no failure of the server.
                    Ok((stream, _)) => drop(serve(stream)),
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
        });
        Self {
            address,
            stopped,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Sends an answer without a body; `extra` are headers, each with its line's end.
pub fn send_head(mut stream: TcpStream, status: u16, extra: &str) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{extra}Content-Length: 0\r\nConnection: close\r\n\r\n"
    )
}

/// Sends a whole answer.
pub fn send(mut stream: TcpStream, status: u16, extra: &str, body: &[u8]) -> std::io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 {status} Status\r\n{extra}Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    )?;
    stream.write_all(body)
}
