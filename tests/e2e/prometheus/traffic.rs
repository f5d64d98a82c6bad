//! Lines of all kinds by all ways that Weir takes them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::interop::certificates;
use crate::journald::{Journald, entry};
use crate::network::{Network, inside};
use crate::weir::{Weir, failed_login, probe};

/// A friend, who offends too.
pub(super) const FRIEND: &str = "203.0.113.77";
/// A program of which no rule knows anything.
pub(super) const STRANGE: &str = "myapp";

/// The senders, one for each way.
pub(super) struct Senders {
    tcp: TcpStream,
    tls: StreamOwned<ClientConnection, TcpStream>,
    relp: BufReader<TcpStream>,
    relp_number: u32,
    unix: UnixDatagram,
    unix_stream: UnixStream,
    journal: Option<UnixDatagram>,
}

/// All kinds of sources, as the configuration has them. `folder` is for certificates.
pub(super) fn sources(folder: &Path, journal: Option<&Journald>) -> String {
    certificates::write(folder);
    let at = folder.display();
    let mut sources = format!(
        "  - {{ name: udp, udp: \"127.0.0.1:5514\" }}\n\
         \x20 - {{ name: tcp, tcp: \"127.0.0.1:5514\" }}\n\
         \x20 - {{ name: relp, relp: \"127.0.0.1:2514\" }}\n\
         \x20 - name: tls\n\
         \x20   tcp: \"127.0.0.1:6514\"\n\
         \x20   tls: {{ certificate: {at}/server.pem, key: {at}/server.key }}\n\
         \x20 - {{ name: unix, unix: FOLDER/weir.sock }}\n\
         \x20 - {{ name: stream, unix_stream: FOLDER/stream.sock }}\n"
    );
    if let Some(journal) = journal {
        let files = journal.files();
        let line =
            format!("  - {{ name: journal, journal: {}, since: oldest }}\n", files.display());
        sources.push_str(&line);
    }
    sources
}

fn connect(network: &Network, port: u16) -> TcpStream {
    inside(&network.host, move || TcpStream::connect(("127.0.0.1", port)).unwrap())
}

impl Senders {
    pub(super) fn connect(
        network: &Network,
        weir: &Weir<'_>,
        certificates: &Path,
        journal: Option<&Journald>,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_file(certificates.join("ca.pem")).unwrap();
        roots.add(ca).unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("weir.example").unwrap();
        let secured = ClientConnection::new(Arc::new(config), name).unwrap();
        let unix = UnixDatagram::unbound().unwrap();
        unix.connect(weir.folder.join("weir.sock")).unwrap();
        let mut relp = BufReader::new(connect(network, 2514));
        let offer = "relp_version=0\nrelp_software=test\ncommands=syslog";
        let length = offer.len();
        relp.get_mut().write_all(format!("1 open {length} {offer}\n").as_bytes()).unwrap();
        Self {
            tcp: connect(network, 5514),
            tls: StreamOwned::new(secured, connect(network, 6514)),
            relp,
            relp_number: 1,
            unix,
            unix_stream: UnixStream::connect(weir.folder.join("stream.sock")).unwrap(),
            journal: journal.map(Journald::connect),
        }
    }

    fn by_relp(&mut self, line: &str) {
        self.relp_number += 1;
        let (number, length) = (self.relp_number, line.len());
        let frame = format!("{number} syslog {length} {line}\n");
        self.relp.get_mut().write_all(frame.as_bytes()).unwrap();
    }

    /// Waits until Weir is done with what came by RELP.
    pub(super) fn settle(&mut self) {
        let done = format!("{} rsp", self.relp_number);
        let mut line = String::new();
        while !line.starts_with(&done) {
            line.clear();
            assert!(self.relp.read_line(&mut line).unwrap() > 0, "the connection was closed");
        }
    }

    /// The lines of one second. New addresses offend in each, by IPv4 and IPv6; those of the second
    /// before go on though they are banned.
    pub(super) fn send(&mut self, network: &Network, weir: &Weir<'_>, second: usize) {
        let bad = |text: String| format!("<22>Nov 22 10:00:00 host postfix/smtpd[811]: {text}");
        let attack = |address: &str| String::from_utf8(probe(address)).unwrap();
        let (four, six) = (format!("203.0.113.{second}"), format!("2001:db8:66:{second:x}::1"));
        let again = format!("203.0.113.{}", second.saturating_sub(2));
        let mut datagrams: Vec<Vec<u8>> = vec![
            attack(&four).into_bytes(),
            attack(&six).into_bytes(),
            attack(&again).into_bytes(),
            attack(FRIEND).into_bytes(),
            failed_login("203.0.113.200").into_bytes(),
            bad("connect from unknown[192.0.2.1]".to_owned()).into_bytes(),
        ];
        let strange = format!("<13>Nov 22 10:00:00 host {STRANGE}[1]: it is {second} o'clock");
        datagrams.extend(vec![strange.clone().into_bytes(); 20]);
        weir.send_udp(datagrams);
        let login = failed_login(&format!("198.18.{second}.1"));
        self.tcp.write_all(format!("{login}\n{strange}\n").as_bytes()).unwrap();
        self.tls.write_all(format!("{} {login}", login.len()).as_bytes()).unwrap();
        self.tls.flush().unwrap();
        self.unix.send(login.as_bytes()).unwrap();
        self.unix_stream.write_all(format!("{login}\n").as_bytes()).unwrap();
        self.by_relp(&attack(&format!("203.0.113.{}", 100 + second)));
        // A bouncer with a wrong key.
        let mut bouncer = connect(network, 8080);
        let request = "GET /v1/decisions HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: wrong\r\n\
                       Connection: close\r\n\r\n";
        bouncer.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        bouncer.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
        if let Some(journal) = &self.journal {
            let fields: [(&str, &[u8]); 3] = [
                ("MESSAGE", b"Failed password for root from 198.18.99.1 port 4711 ssh2"),
                ("PRIORITY", b"6"),
                ("SYSLOG_IDENTIFIER", b"sshd"),
            ];
            journal.send(&entry(&fields)).unwrap();
        }
    }
}
