//! Asks a local API: one request on one connection, everything bounded in time and bytes.
//!
//! Hostile: who answers may be slow, endless, or somebody else.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, Request, header};
use http_body::Body as _;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;

use super::failure::shown;
use super::{Failure, tls};
use crate::settings::{Remote, RemoteUrl};

/// How long a connection may take to be made.
const TO_CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take to begin: a large database may have to be read for it.
const TO_ANSWER: Duration = Duration::from_secs(60);
/// How long nothing may arrive of an answer that has begun.
const TO_GO_ON: Duration = Duration::from_secs(30);
/// How long all of an answer may take.
const TO_END: Duration = Duration::from_secs(600);
/// The longest answer, in bytes.
const LONGEST: u64 = 512 << 20;
/// What is read of an error.
const LONGEST_ERROR: usize = 4096;

/// Who asks a local API.
pub struct Client {
    url: RemoteUrl,
    shown: String,
    secure: Option<(TlsConnector, ServerName<'static>)>,
}

/// An answer that has begun.
pub struct Answer {
    /// The code of HTTP.
    pub status: u16,
    body: Incoming,
    url: String,
    left: u64,
    ends_at: tokio::time::Instant,
    /// Ends with the answer.
    _connection: JoinSet<()>,
}

impl Client {
    /// A client with the certificates that the settings name.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn open(remote: &Remote) -> Result<Self, Failure> {
        let secure = match &remote.url {
            RemoteUrl::Tcp { host, is_secure: true, .. } => {
                let connector = tls::connector(&remote.tls).map_err(Failure::Secret)?;
                let name = ServerName::try_from(host.clone())
                    .map_err(|_| Failure::Secret(format!("no certificate can be for `{host}`")))?;
                Some((connector, name))
            }
            _ => None,
        };
        Ok(Self { url: remote.url.clone(), shown: remote.url.to_string(), secure })
    }

    /// Where it asks, as messages say it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.shown
    }

    /// Asks; the answer has begun when this returns.
    ///
    /// # Errors
    /// When nobody answers.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        secret: Option<(HeaderName, &str)>,
        body: Option<Vec<u8>>,
    ) -> Result<Answer, Failure> {
        let (host, prefix) = match &self.url {
            RemoteUrl::Unix(_) => ("localhost".to_owned(), ""),
            RemoteUrl::Tcp { host, port, prefix, .. } if host.contains(':') => {
                (format!("[{host}]:{port}"), &**prefix)
            }
            RemoteUrl::Tcp { host, port, prefix, .. } => (format!("{host}:{port}"), &**prefix),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{prefix}{path}"))
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("weir/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if let Some((name, value)) = secret {
            let mut value = HeaderValue::from_str(value)
                .map_err(|_| Failure::Secret("a key has signs that no header has".to_owned()))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(body.map_or_else(Body::empty, Body::from))
            .map_err(|error| self.broken(&error.to_string()))?;
        match &self.url {
            RemoteUrl::Unix(path) => {
                let stream = self.within(TO_CONNECT, UnixStream::connect(path)).await?;
                self.send(stream.map_err(|error| self.unreachable(&error))?, request).await
            }
            RemoteUrl::Tcp { host, port, .. } => {
                let connecting = TcpStream::connect((host.as_str(), *port));
                let stream = self.within(TO_CONNECT, connecting).await?;
                let stream = stream.map_err(|error| self.unreachable(&error))?;
                let Some((connector, name)) = &self.secure else {
                    return self.send(stream, request).await;
                };
                let secured = connector.connect(name.clone(), stream);
                let secured = self.within(TO_CONNECT, secured).await?;
                self.send(secured.map_err(|error| self.insecure(&error))?, request).await
            }
        }
    }

    async fn send<S>(&self, stream: S, request: Request<Body>) -> Result<Answer, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.broken(&told(&error)))?;
        let mut driven = JoinSet::new();
        driven.spawn(async move {
            // What is wrong with it is told by the request.
            let _ = connection.await;
        });
        let answer = self.within(TO_ANSWER, sender.send_request(request)).await?;
        let answer = answer.map_err(|error| self.failed(&error))?;
        Ok(Answer {
            status: answer.status().as_u16(),
            body: answer.into_body(),
            url: self.shown.clone(),
            left: LONGEST,
            ends_at: tokio::time::Instant::now() + TO_END,
            _connection: driven,
        })
    }

    async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Result<T, Failure> {
        let slow = |_| Failure::Slow { url: self.shown.clone(), seconds: time.as_secs() };
        tokio::time::timeout(time, work).await.map_err(slow)
    }

    fn unreachable(&self, error: &std::io::Error) -> Failure {
        Failure::Unreachable { url: self.shown.clone(), why: error.to_string() }
    }

    fn insecure(&self, error: &std::io::Error) -> Failure {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(inner) => Failure::Tls { url: self.shown.clone(), why: inner.to_string() },
            None => self.unreachable(error),
        }
    }

    fn failed(&self, error: &hyper::Error) -> Failure {
        // A certificate of ours is refused only once the handshake is over.
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            if let Some(inner) = inner.downcast_ref::<std::io::Error>() {
                return self.insecure(inner);
            }
            source = inner.source();
        }
        match error.is_parse() {
            true => self.broken(&told(error)),
            false => Failure::Unreachable { url: self.shown.clone(), why: told(error) },
        }
    }

    fn broken(&self, why: &str) -> Failure {
        Failure::Broken { url: self.shown.clone(), why: why.to_owned() }
    }
}

fn told(error: &hyper::Error) -> String {
    shown(&error.to_string())
}

impl Answer {
    /// The next bytes; `None` at the end.
    ///
    /// # Errors
    /// When the answer breaks off, takes too long or is too long.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let body = &mut self.body;
            let frame = poll_fn(|context| Pin::new(&mut *body).poll_frame(context));
            let deadline = (tokio::time::Instant::now() + TO_GO_ON).min(self.ends_at);
            let frame = tokio::time::timeout_at(deadline, frame).await.map_err(|_| {
                Failure::Slow { url: self.url.clone(), seconds: TO_GO_ON.as_secs() }
            })?;
            let bytes = match frame {
                None => return Ok(None),
                Some(Err(error)) => {
                    let why = format!("it broke off: {}", told(&error));
                    return Err(Failure::Broken { url: self.url.clone(), why });
                }
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) => bytes,
                    Err(_) => continue,
                },
            };
            let left = self.left.checked_sub(bytes.len() as u64);
            self.left = left.ok_or_else(|| {
                let why = format!("it is longer than {} MiB", LONGEST >> 20);
                Failure::Broken { url: self.url.clone(), why }
            })?;
            return Ok(Some(bytes));
        }
    }

    /// All of a short answer.
    ///
    /// # Errors
    /// As for [`Self::next`], and when it is longer than `longest`.
    pub async fn whole(&mut self, longest: usize) -> Result<Vec<u8>, Failure> {
        let mut all = Vec::new();
        while let Some(bytes) = self.next().await? {
            all.extend_from_slice(&bytes);
            if all.len() > longest {
                let why = format!("it is longer than {longest} bytes");
                return Err(Failure::Broken { url: self.url.clone(), why });
            }
        }
        Ok(all)
    }

    /// What an answer says that is an error.
    pub async fn message(&mut self) -> String {
        let text = self.whole(LONGEST_ERROR).await.unwrap_or_default();
        let json = serde_json::from_slice::<serde_json::Value>(&text).unwrap_or_default();
        match json["message"].as_str() {
            Some(message) => shown(message),
            None => shown(&String::from_utf8_lossy(&text)),
        }
    }

    /// The failure that an answer is which is no success.
    pub async fn failure(&mut self) -> Failure {
        let message = self.message().await;
        Failure::Status { url: self.url.clone(), status: self.status, message }
    }
}
