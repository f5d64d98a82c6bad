//! The pages over HTTP, opened: the socket, the certificate, the token.
//!
//! Where no token is configured, one is made at each start and put into a file beside the control
//! socket that only root, the daemon's user and its group can read: they are those who may read log
//! lines at the socket.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use axum::http::Extensions;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::control::http::{Access, Secure, Secured};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::tls::{self, Subject, Tls};
use crate::lapi::Certificate;
use crate::settings::http::{TOKEN, Token, is_token, made_token};
use crate::settings::{Http, Settings};

/// What is open.
pub(super) struct Opened {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) access: Access,
}

/// Opens what the settings ask for, which have their places.
///
/// # Errors
/// When the address, the certificate or the token cannot be had.
pub(super) fn open(settings: &Settings, runtime: &Runtime) -> anyhow::Result<Option<Opened>> {
    let Some(http) = &settings.http else { return Ok(None) };
    let listener = runtime
        .block_on(TcpListener::bind(http.listen))
        .with_context(|| format!("cannot listen on `{}` for HTTP", http.listen))?;
    let tls = http.tls.as_ref().map(Tls::open).transpose().context("the certificate of `http`")?;
    let access = Access {
        is_local: http.is_local(),
        is_certified: http.asks_for_certificates(),
        token: token(http, &settings.control)?,
        shows_lines: http.lines,
    };
    Ok(Some(Opened { listener, tls: tls.map(Arc::new), access }))
}

/// Makes connections secure by this certificate.
pub(super) fn secure(name: &'static str, tls: Arc<Tls>) -> Secure {
    Arc::new(move |stream, peer| {
        let tls = Arc::clone(&tls);
        Box::pin(async move {
            match tls.handshake(stream, tls::LONGEST).await {
                Ok(stream) => {
                    let mut known = Extensions::new();
                    if let Some(Subject { name: Some(name), units }) = Tls::subject(&stream) {
                        known.insert(Arc::new(Certificate { name, units }));
                    }
                    Some(Secured { stream: Box::new(stream), known })
                }
                Err(failure) => {
                    tls.refused(name, Some(peer.ip()), &failure);
                    None
                }
            }
        })
    })
}

/// What must be known to see all.
fn token(http: &Http, control: &Path) -> anyhow::Result<Option<String>> {
    match &http.token {
        Token::Is(secret) => Ok(Some(secret.reveal().to_owned())),
        Token::File(path) => read_token(path).map(Some).map_err(anyhow::Error::msg),
        Token::Made if !http.is_local() => Ok(None),
        Token::Made => {
            let path = made_token(control);
            let made = make().and_then(|token| {
                put(&path, &token)?;
                Ok(token)
            });
            if let Err(error) = &made {
                let path = path.display();
                tracing::warn!(%path, %error, "no token for the page: it shows no log lines");
            }
            Ok(made.ok())
        }
    }
}

/// The token in a file.
///
/// # Errors
/// What is wrong with the file, in a sentence.
pub fn read_token(path: &Path) -> Result<String, String> {
    const LONGEST: u64 = 4096;
    let shown = path.display();
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|error| format!("cannot read the token `{shown}`: {error}"))?;
    let token = text.trim();
    match is_token(token) {
        true => Ok(token.to_owned()),
        false => Err(format!(
            "expected {TOKEN} in `{shown}`, found something else: `openssl rand -hex 24 > {shown}`"
        )),
    }
}

/// 192 bits that nobody knows.
fn make() -> std::io::Result<String> {
    let mut bytes = [0; 24];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Puts the token where only root, our user and our group can read it, from the first moment on.
fn put(path: &Path, token: &str) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o640))?;
    writeln!(file, "{token}")
}

/// What is wrong with the files that `http` names, and doubts about them.
pub(super) fn check(http: &Http) -> Vec<Diagnostic> {
    const OTHERS_READ: u32 = 0o004;
    let Token::File(path) = &http.token else { return Vec::new() };
    let at = UserFile::new(path, String::new());
    if let Err(message) = read_token(path) {
        return vec![Diagnostic::error(&at, 0..0, "token", message)];
    }
    let found = std::fs::metadata(path);
    if found.is_ok_and(|found| found.permissions().mode() & OTHERS_READ != 0) {
        let message = "every user of this host can read the token of the pages";
        let help = format!("chown root:weir {0}; chmod 0640 {0}", path.display());
        return vec![Diagnostic::error(&at, 0..0, "token", message).warning().with_help(help)];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::control::Calls;
    use crate::control::http::Stream;
    use crate::control::http::{self, Pages, Readiness};
    use crate::intake::tests::certificates::{Authority, Client, Files};
    use crate::metrics::Metrics;

    /// What comes of asking for the metrics over a connection; nothing of one that breaks.
    async fn ask(mut stream: impl Stream, more: &str) -> Option<String> {
        let request = format!(
            "GET /metrics HTTP/1.1\r\nHost: weir.example\r\n{more}Connection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok().filter(|read| *read > 0)?;
        Some(String::from_utf8_lossy(&answer).into_owned())
    }

    /// The pages as an operator configures them, with another listener than on this host.
    fn serve(http: &Http, runtime: &Runtime, stop: &CancellationToken) -> std::net::SocketAddr {
        let settings = Settings { http: Some(http.clone()), ..Settings::default() };
        let opened = open(&settings, runtime).unwrap().expect("there are pages");
        let at = opened.listener.local_addr().unwrap();
        let queue = || mpsc::channel(1).0;
        let pages = Pages {
            metrics: Arc::new(|| "weir_x_total 1\n".to_owned()),
            readiness: Arc::new(Readiness::default),
            calls: Calls { judge: queue(), daemon: queue() },
            access: opened.access,
            counted: Metrics::default().pages,
        };
        let secure = opened.tls.map(|tls| secure("http", tls));
        runtime.spawn(http::run(opened.listener, secure, pages, stop.clone()));
        std::net::SocketAddr::from(([127, 0, 0, 1], at.port()))
    }

    /// TLS keeps plain connections out, the token those who do not know it, and a list of clients
    /// those who have no certificate.
    #[test]
    fn pages_over_tls() {
        let runtime = Runtime::new().unwrap();
        let stop = CancellationToken::new();
        let authority = Authority::new();
        let mut files = Files::new(&authority);
        let path = files.folder.path().join("token");
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let http = Http {
            listen: "0.0.0.0:0".parse().unwrap(),
            token: Token::File(path),
            tls: Some(files.tls.clone()),
            lines: false,
        };
        let at = serve(&http, &runtime, &stop);
        files.require(&authority, &["*.example.org"]);
        let for_clients = serve(
            &Http { token: Token::Made, tls: Some(files.tls.clone()), ..http },
            &runtime,
            &stop,
        );
        const BEARER: &str = "Authorization: Bearer 0123456789abcdef\r\n";
        runtime.block_on(async {
            let plain = tokio::net::TcpStream::connect(at).await.unwrap();
            let answer = ask(plain, BEARER).await.unwrap_or_default();
            assert!(!answer.contains("HTTP/1.1"), "{answer}");
            let stranger = Client::new(&authority, None);
            let answer = ask(stranger.connect(at).await.unwrap(), "").await.unwrap();
            assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
            let answer = ask(stranger.connect(at).await.unwrap(), BEARER).await.unwrap();
            assert!(answer.ends_with("weir_x_total 1\n"), "{answer}");

            let answer = match stranger.connect(for_clients).await {
                Ok(stream) => ask(stream, BEARER).await,
                Err(_) => None,
            };
            assert_eq!(answer, None, "the handshake asks who it is");
            let own = authority.client("laptop.example.org");
            let known = Client::new(&authority, Some(&own)).connect(for_clients).await.unwrap();
            let answer = ask(known, "").await.unwrap();
            assert!(answer.ends_with("weir_x_total 1\n"), "{answer}");
        });
        stop.cancel();
    }

    #[test]
    fn a_token_is_made_anew_for_few() {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control.sock");
        let path = folder.path().join("control.token");
        std::fs::write(&path, "left behind").unwrap();
        let http = Http::default();
        let first = token(&http, &control).unwrap().expect("one is made");
        assert_eq!(read_token(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        let second = token(&http, &control).unwrap().expect("one is made");
        assert!(first != second && second.len() == 48);
        let nowhere = folder.path().join("none/control.sock");
        assert_eq!(token(&http, &nowhere).unwrap(), None, "the page is there without lines");
    }

    #[test]
    fn files_of_tokens_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let http = Http { token: Token::File(path.clone()), ..Http::default() };
        let found = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            check(&http).pop().map(|found| found.message)
        };
        assert_eq!(found("0123456789abcdef\n", 0o640), None);
        let open = found("0123456789abcdef\n", 0o644).expect("a doubt");
        assert!(open.contains("every user"), "{open}");
        let short = found("secret\n", 0o640).expect("a mistake");
        assert!(short.contains("16 to 256") && short.contains("openssl"), "{short}");
        assert!(!short.contains("secret"), "what is in the file is not shown");
    }
}
