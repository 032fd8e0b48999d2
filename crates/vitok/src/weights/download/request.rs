//! One HTTP request. Redirects are followed here and not by the client, so that a token goes to the host it is for and to
//! no other.

use std::io::ErrorKind;
use std::time::Duration;

use ureq::http::{Response, Uri};
use ureq::{Agent, Body};

use super::failure::Failure;

/// Longest wait for a connection: long enough for a slow line, short enough to tell a user without a network so.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// Most redirects of a request; a hub needs two.
const MAX_REDIRECTS: usize = 5;

/// A token, and the only server that is to see it.
#[derive(Clone)]
pub(in crate::weights) struct Credentials {
    server: Server,
    token: String,
}

/// Scheme, host and port.
#[derive(Clone, PartialEq, Eq)]
struct Server {
    scheme: String,
    authority: String,
}

/// What is asked for.
pub(in crate::weights) struct Request<'a> {
    pub(in crate::weights) url: &'a str,
    pub(in crate::weights) credentials: Option<&'a Credentials>,
    /// The first byte wanted of the body.
    pub(in crate::weights) from: u64,
    /// Longest silence before the first byte of an answer.
    pub(in crate::weights) timeout: Duration,
}

impl Credentials {
    /// A token for the server of an address.
    pub(in crate::weights) fn new(address: &str, token: &str) -> Option<Self> {
        Some(Self {
            server: Server::of(address)?,
            token: token.to_owned(),
        })
    }
}

impl Server {
    fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        Some(Self {
            scheme: uri.scheme_str()?.to_ascii_lowercase(),
            // Without a user's name and password, which are not part of the server.
            authority: format!("{}:{}", uri.host()?.to_ascii_lowercase(), uri.port_u16().unwrap_or(0)),
        })
    }
}

impl Request<'_> {
    /// The answer, wherever redirects lead. A compressed body is refused: a few bytes of it may fill a disk.
    pub(in crate::weights) fn get(&self) -> Result<Response<Body>, Failure> {
        let answer = self.follow(|agent, url| agent.get(url), |_| false)?;
        match answer.headers().get("content-encoding").map(|value| value.as_bytes()) {
            None | Some(b"identity") => Ok(answer),
            Some(_) => Err(Failure::Unexpected("a compressed body".into())),
        }
    }

    /// The headers of the first answer that is no redirect or that `is_enough`.
    pub(in crate::weights) fn head(
        &self,
        is_enough: impl Fn(&Response<Body>) -> bool,
    ) -> Result<Response<Body>, Failure> {
        self.follow(|agent, url| agent.head(url), is_enough)
    }

    fn follow(
        &self,
        method: impl Fn(&Agent, &str) -> ureq::RequestBuilder<ureq::typestate::WithoutBody>,
        is_enough: impl Fn(&Response<Body>) -> bool,
    ) -> Result<Response<Body>, Failure> {
        let agent: Agent = Agent::config_builder()
            .user_agent(concat!("vitok/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(self.timeout.min(MAX_CONNECT)))
            .timeout_recv_response(Some(self.timeout))
            .build()
            .into();
        let mut url = self.url.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let mut request = method(&agent, &url).header("Accept-Encoding", "identity");
            if self.from > 0 {
                request = request.header("Range", format!("bytes={}-", self.from));
            }
            if let Some(credentials) = self.credentials
                && Server::of(&url).as_ref() == Some(&credentials.server)
            {
                request = request.header("Authorization", format!("Bearer {}", credentials.token));
            }
            let answer = request.call().map_err(failure)?;
            if !matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308) || is_enough(&answer) {
                return Ok(answer);
            }
            url = redirected(&url, &answer)?;
        }
        Err(Failure::Unexpected(format!("more than {MAX_REDIRECTS} redirects")))
    }
}

/// Where a redirect leads.
fn redirected(url: &str, answer: &Response<Body>) -> Result<String, Failure> {
    let unusable = || Failure::Unexpected("a redirect without a usable address".into());
    let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(unusable)?;
    let server = Server::of(url).ok_or_else(unusable)?;
    let base = || {
        let path = url.find("://").map_or(0, |at| at + 3);
        let end = url[path..].find('/').map_or(url.len(), |at| path + at);
        &url[..end]
    };
    let target = match location {
        absolute if absolute.contains("://") => absolute.to_owned(),
        other_host if other_host.starts_with("//") => format!("{}:{other_host}", server.scheme),
        path if path.starts_with('/') => format!("{}{path}", base()),
        _ => return Err(unusable()),
    };
    match Server::of(&target) {
        None => Err(unusable()),
        Some(next) if server.scheme == "https" && next.scheme != "https" => Err(Failure::Unexpected(
            "a redirect from https to an unencrypted address".into(),
        )),
        Some(_) => Ok(target),
    }
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Io(e) if is_broken_connection(e.kind()) => Failure::Interrupted(e.to_string()),
        other => Failure::Unreachable(other.to_string()),
    }
}

/// Whether a server has closed a connection that it had taken.
fn is_broken_connection(kind: ErrorKind) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}
