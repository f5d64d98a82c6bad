//! Syslog over TLS, from clients that may speak and from those that may not.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::certificates::{Authority, Client, Files};
use super::*;
use crate::intake::tls::{self, Tls};

fn secure(files: &Files) -> Source {
    Source { tls: Some(files.tls.clone()), ..source(Listen::Tcp(V4)) }
}

/// Sends a line and reads to the end; whether the line could be sent and all ended in good order.
async fn say(client: &Client, at: SocketAddr, line: &str) -> std::io::Result<()> {
    let mut stream = client.connect(at).await?;
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.map(|_| ())
}

#[tokio::test]
async fn both_versions_and_both_framings() {
    let authority = Authority::new();
    let mut running = start(&secure(&Files::new(&authority)), 8);
    let at = running.address.expect("an address");
    for version in [&TLS12, &TLS13] {
        let client = Client::with_versions(&authority, None, &[version]);
        say(&client, at, "5 <13>a<13>b\n5 <13>c").await.expect("all was taken");
        running.expect(&["127.0.0.1 <13>a", "127.0.0.1 <13>b", "127.0.0.1 <13>c"]).await;
    }
    running.until(|statistics| statistics.open() == 0).await;
    assert_eq!(running.statistics.accepted(), 2);
    assert_eq!(running.statistics.refused(Refusal::TlsHandshake), 0);
}

#[tokio::test]
async fn an_end_without_farewell_shows_no_half_line() {
    let authority = Authority::new();
    let mut running = start(&secure(&Files::new(&authority)), 8);
    let client = Client::new(&authority, None);
    let mut stream = client.connect(running.address.expect("an address")).await.expect("TLS");
    stream.write_all(b"<13>whole\n<13>from 192.0.2.2").await.expect("sent bytes");
    stream.flush().await.expect("sent bytes");
    let (plain, _) = stream.into_inner();
    drop(plain);
    running.expect(&["127.0.0.1 <13>whole"]).await;
    running.dropped(Reason::Incomplete, 1).await;
    assert!(running.stop().await.is_empty());
}

#[tokio::test]
async fn stopping_reads_what_has_arrived_and_says_farewell() {
    let authority = Authority::new();
    let mut running = start(&secure(&Files::new(&authority)), 8);
    let client = Client::new(&authority, None);
    let mut stream = client.connect(running.address.expect("an address")).await.expect("TLS");
    stream.write_all(b"<13>a\n").await.expect("sent bytes");
    running.until(|statistics| statistics.open() == 1).await;
    assert_eq!(running.stop().await, ["127.0.0.1 <13>a"]);
    let mut rest = Vec::new();
    let read = stream.read_to_end(&mut rest).await;
    assert_eq!(read.expect("an end in good order"), 0);
}

/// What certificates clients show, and whether the source takes them.
#[tokio::test]
async fn who_may_speak() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let named = ours.client("web.example.org");
    let common = ours.sign(&[], |_| {});
    let expired = ours.expired("web.example.org");
    let strange = theirs.client("web.example.org");
    let digest = format!("SHA256:{}", digest_of(&strange.certificate));
    for (permitted, certificate, is_taken) in [
        (&[][..], Some(&named), true),
        (&[], None, false),
        (&[], Some(&strange), false),
        (&[], Some(&expired), false),
        (&["web.example.org"], Some(&named), true),
        (&["*.example.org"], Some(&named), true),
        (&["mail.example.org", "*.org"], Some(&named), false),
        (&["web.example.org"], Some(&strange), false),
        // The common name counts only where there is no other.
        (&["common.example.org"], Some(&common), true),
        (&["common.example.org"], Some(&named), false),
        (&[&digest], Some(&strange), true),
        (&[&digest], Some(&named), false),
        (&[&digest, "web.example.org"], Some(&named), true),
    ] {
        let mut files = Files::new(&ours);
        files.require(&ours, permitted);
        let mut running = start(&secure(&files), 8);
        let at = running.address.expect("an address");
        for version in [&TLS12, &TLS13] {
            let client = Client::with_versions(&ours, certificate, &[version]);
            let said = say(&client, at, "<13>hello\n").await;
            assert_eq!(said.is_ok(), is_taken, "{permitted:?} {said:?}");
        }
        if is_taken {
            running.expect(&["127.0.0.1 <13>hello"; 2]).await;
        } else {
            running.refused(Refusal::TlsHandshake, 2).await;
        }
        running.until(|statistics| statistics.open() == 0).await;
        assert!(running.stop().await.is_empty());
    }
}

#[tokio::test]
async fn fingerprints_need_no_authority() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (known, unknown) = (theirs.client("a.example.org"), theirs.client("a.example.org"));
    let mut files = Files::new(&ours);
    files.permit(&[&format!("SHA256:{}", digest_of(&known.certificate))]);
    let mut running = start(&secure(&files), 8);
    let at = running.address.expect("an address");
    say(&Client::new(&ours, Some(&known)), at, "<13>known\n").await.expect("taken");
    say(&Client::new(&ours, Some(&unknown)), at, "<13>unknown\n").await.expect_err("refused");
    running.expect(&["127.0.0.1 <13>known"]).await;
    running.refused(Refusal::TlsHandshake, 1).await;
}

fn digest_of(pem: &str) -> String {
    use tokio_rustls::rustls::pki_types::CertificateDer;
    use tokio_rustls::rustls::pki_types::pem::PemObject as _;
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
    let suite = tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let digest = suite.tls13().expect("a suite of TLS 1.3").common.hash_provider.hash(&der);
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

#[tokio::test]
async fn those_who_speak_no_tls() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let mut source = secure(&files);
    source.limits.frame_timeout = Duration::from_millis(100);
    source.limits.connections = 8;
    let mut running = start(&source, 8);
    for garbage in [
        &b"<13>plain\n"[..],
        b"5 <13>x",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        &[0xff; 70_000],
    ] {
        let before = running.statistics.refused(Refusal::TlsHandshake);
        let mut stream = running.tcp();
        // The other side may have hung up already.
        let _ = stream.write_all(garbage);
        running.refused(Refusal::TlsHandshake, before + 1).await;
    }
    // Nothing at all is not awaited for ever either.
    let before = running.statistics.refused(Refusal::TlsHandshake);
    let _mute = [running.tcp(), running.tcp()];
    running.refused(Refusal::TlsHandshake, before + 2).await;
    let client = Client::new(&authority, None);
    say(&client, running.address.expect("an address"), "<13>still here\n").await.expect("taken");
    running.expect(&["127.0.0.1 <13>still here"]).await;
}

#[tokio::test]
async fn handshakes_count_among_the_connections() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let mut source = secure(&files);
    source.limits.connections = 2;
    let mut running = start(&source, 8);
    let _mute = [running.tcp(), running.tcp()];
    running.until(|statistics| statistics.open() == 2).await;
    let client = Client::new(&authority, None);
    say(&client, running.address.expect("an address"), "<13>in\n").await.expect("taken");
    running.expect(&["127.0.0.1 <13>in"]).await;
    running.refused(Refusal::TooManyConnections, 1).await;
}

#[tokio::test]
async fn files_are_read_again() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::new(&first);
    let opened = Opened::open(&secure(&files), SourceId(7)).expect("a source");
    let tls = Arc::clone(opened.tls().expect("TLS"));
    let mut running = run(opened, 8);
    let at = running.address.expect("an address");
    let (trusts_first, trusts_second) = (Client::new(&first, None), Client::new(&second, None));
    let mut old = trusts_first.connect(at).await.expect("a connection");
    let expiry = tls.expires_at();

    // Half of what is new: the key is missing.
    let fresh = second.sign(&["localhost"], |params| {
        params.not_after = rcgen::date_time_ymd(2100, 1, 2);
    });
    std::fs::write(&files.tls.certificate, &fresh.certificate).expect("a written file");
    let error = tls.reload().expect_err("a key that does not fit").to_string();
    assert!(error.contains("key.pem` is not that of the first certificate in `"), "{error}");
    say(&trusts_first, at, "<13>old still\n").await.expect("taken");
    assert_eq!(tls.expires_at(), expiry);

    files.write(&fresh);
    tls.reload().expect("a new certificate");
    assert_eq!(tls.expires_at().rfc3339(), "2100-01-02T00:00:00Z");
    say(&trusts_second, at, "<13>new\n").await.expect("taken");
    say(&trusts_first, at, "<13>no\n").await.expect_err("it does not know the new authority");
    // A connection outlives the certificate that it began with.
    old.write_all(b"<13>begun before\n").await.expect("sent");
    old.flush().await.expect("sent");
    let lines = ["127.0.0.1 <13>old still", "127.0.0.1 <13>new", "127.0.0.1 <13>begun before"];
    running.expect(&lines).await;
}

#[track_caller]
fn wrong(files: &Files, words: &str) {
    let error = Opened::open(&secure(files), SourceId(7)).expect_err("a refusal").to_string();
    assert!(error.starts_with("source `test`: ") && error.contains(words), "{error}");
    let same = tls::check(&files.tls, crate::value::Time::from_seconds(0)).expect_err("a refusal");
    assert_eq!(format!("source `test`: {same}"), error);
}

#[tokio::test]
async fn files_that_are_wrong() {
    let authority = Authority::new();
    let mut files = Files::new(&authority);
    let good = authority.sign(&["localhost"], |_| {});
    let certificate = files.tls.certificate.clone();
    let write = |path: &Path, text: &str| std::fs::write(path, text).expect("a written file");

    write(&certificate, "words\n");
    wrong(&files, "there is no certificate in `");
    write(&certificate, &good.key);
    wrong(&files, "expected PEM, `-----BEGIN CERTIFICATE-----`");
    write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    wrong(&files, "cert.pem` cannot be used: a certificate in it is not as X.509 has it");
    write(&certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    wrong(&files, "cert.pem` is damaged: missing section end marker");
    std::fs::remove_file(&certificate).expect("a removed file");
    wrong(&files, "cannot read the certificate `");
    wrong(&files, "put it there, or name another file");

    files.write(&good);
    write(&files.tls.key, &good.certificate);
    wrong(&files, "there is no key in `");
    write(&files.tls.key, &authority.client("x").key);
    wrong(&files, "is not that of the first certificate in `");
    write(&files.tls.key, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    wrong(&files, "key.pem` cannot be used: ");

    files.write(&good);
    let clients = files.folder.path().join("none.pem");
    files.tls.clients = Some(clients.clone());
    wrong(&files, "cannot read the certificate `");
    write(&clients, "");
    wrong(&files, "there is no certificate in `");
}

#[test]
fn doubts_about_files() {
    let authority = Authority::new();
    let files = Files::new(&authority);
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&files.tls.key, permissions).expect("a changed mode");
    };
    let now = crate::system::clock::now();
    mode(0o640);
    assert_eq!(tls::check(&files.tls, now).expect("right files"), []);
    mode(0o644);
    files.write(&authority.expired("localhost"));
    let doubts = tls::check(&files.tls, now).expect("usable files");
    let shown: Vec<_> = doubts
        .iter()
        .map(|(path, doubt)| format!("{}: {doubt}", path.file_name().expect("a name").display()))
        .collect();
    assert_eq!(
        shown,
        [
            "key.pem: every user of this host can read the key, and so pose as this host",
            "cert.pem: the certificate expired at 2020-12-31T00:00:00Z",
        ]
    );
}

/// What the log says, from what stands in it.
#[tokio::test(flavor = "current_thread")]
async fn why_a_handshake_failed() {
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("a log").extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let (ours, theirs) = (Authority::new(), Authority::new());
    let mut files = Files::new(&ours);
    files.require(&ours, &["web.example.org"]);
    let evil = ours.client("xn--\u{1b}[31m.example.org".replace('\u{1b}', "-").as_str());
    let strange = theirs.client("web.example.org");
    let other = Authority::called("Another").client("web.example.org");
    let written = Written::default();
    let log = written.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_writer(move || log.clone())
        .with_ansi(false)
        .without_time()
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for (client, words) in [
        (Client::new(&ours, None), "clients.pem`, found none"),
        (Client::new(&ours, Some(&other)), "found one that another authority signed"),
        (Client::new(&ours, Some(&strange)), "as of another authority of the same name"),
        (
            Client::new(&ours, Some(&evil)),
            "found a certificate for `xn---[31m.example.org` (SHA256:",
        ),
        (Client::new(&theirs, Some(&strange)), "the sender does not take our certificate `"),
    ] {
        written.0.lock().expect("a log").clear();
        let tls = Tls::open(&files.tls).expect("right files");
        let listener = tokio::net::TcpListener::bind(V4).await.expect("a socket");
        let at = listener.local_addr().expect("an address");
        let shake = async {
            let (stream, _) = listener.accept().await.expect("a connection");
            let failure = tls.handshake(stream, DEADLINE).await.expect_err("a refusal");
            tls.refused("web", Some(V4.ip()), &failure);
        };
        let call = async {
            let mut stream = client.connect(at).await?;
            stream.read_u8().await
        };
        let ((), said) = tokio::join!(shake, call);
        said.expect_err("a refusal");
        let log = String::from_utf8(written.0.lock().expect("a log").clone()).expect("text");
        assert!(log.contains("a TLS handshake failed"), "{log}");
        assert!(log.contains(words), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}
