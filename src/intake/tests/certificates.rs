//! Authorities and certificates made for a test, and clients that show them.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};

use crate::intake::spec;

/// Who signs.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::called("Test authority")
    }

    pub(crate) fn called(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        Self { issuer }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Signs a certificate for DNS names, changed before that.
    pub(crate) fn sign(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.distinguished_name.push(DnType::CommonName, "common.example.org");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let signed = params.signed_by(&key, &self.issuer).expect("a certificate");
        Pair { certificate: signed.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn client(&self, name: &str) -> Pair {
        self.sign(&[name], |_| {})
    }

    /// A client's certificate that was right until the end of 2020.
    pub(crate) fn expired(&self, name: &str) -> Pair {
        self.sign(&[name], |params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2020, 12, 31);
        })
    }
}

/// Files of a TLS source in a folder of their own.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) tls: spec::Tls,
}

impl Files {
    /// A certificate for `localhost` that `authority` signed; anyone may speak.
    pub(crate) fn new(authority: &Authority) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| -> PathBuf { folder.path().join(name) };
        let tls = spec::Tls {
            certificate: path("cert.pem"),
            key: path("key.pem"),
            clients: None,
            permitted: Vec::new(),
        };
        let files = Self { folder, tls };
        files.write(&authority.sign(&["localhost"], |_| {}));
        files
    }

    pub(crate) fn write(&self, pair: &Pair) {
        std::fs::write(&self.tls.certificate, &pair.certificate).expect("a written file");
        std::fs::write(&self.tls.key, &pair.key).expect("a written file");
    }

    /// Only clients that `authority` signed, and of them those in the list, may speak.
    pub(crate) fn require(&mut self, authority: &Authority, permitted: &[&str]) {
        let path = self.folder.path().join("clients.pem");
        std::fs::write(&path, authority.pem()).expect("a written file");
        self.tls.clients = Some(path);
        self.permit(permitted);
    }

    pub(crate) fn permit(&mut self, permitted: &[&str]) {
        let parse = |text: &&str| text.parse().expect("something permitted");
        self.tls.permitted = permitted.iter().map(parse).collect();
    }
}

/// Somebody who speaks TLS and trusts servers of an authority.
#[derive(Clone)]
pub(crate) struct Client(TlsConnector);

impl Client {
    pub(crate) fn new(authority: &Authority, own: Option<&Pair>) -> Self {
        Self::with_versions(authority, own, tokio_rustls::rustls::ALL_VERSIONS)
    }

    pub(crate) fn with_versions(
        authority: &Authority,
        own: Option<&Pair>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let pem = authority.pem();
        let root = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
        roots.add(root).expect("an authority");
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(versions)
            .expect("versions that ring has")
            .with_root_certificates(roots);
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.certificate.as_bytes());
                let chain = chain.collect::<Result<_, _>>().expect("a certificate");
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).expect("a key");
                builder.with_client_auth_cert(chain, key).expect("a pair")
            }
        };
        Self(TlsConnector::from(Arc::new(config)))
    }

    /// With TLS 1.3 a client learns that it was refused only when it reads.
    pub(crate) async fn connect(
        &self,
        at: std::net::SocketAddr,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(at).await?;
        let name = ServerName::try_from("localhost").expect("a name");
        self.0.connect(name, stream).await
    }
}
