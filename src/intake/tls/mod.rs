//! Syslog and RELP over TLS (RFC 5425): certificates from files, handshakes, who may speak.
//!
//! What must hold: a source never runs without a certificate; files that are wrong when they are
//! read again leave the old ones in use; a handshake ends in bounded time; whoever is refused is
//! counted, and told in the log now and then. Sessions are never resumed, so that each sender is
//! looked at by the lists and authorities of now. Nothing here knows what a connection carries.

#![forbid(unsafe_code)]

mod certificate;
mod clients;
mod error;
mod handshake;
mod permitted;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use super::spec;
use crate::value::Seldom;
use crate::value::Time;
use clients::Clients;
use error::{CERTIFICATE, KEY};

pub use certificate::Subject;
pub use error::TlsError;
pub use handshake::{Failure, LONGEST};
pub use permitted::{NotPermitting, Permitted};

/// The TLS of one source: what its files said when they were read last.
#[derive(Debug)]
pub struct Tls {
    files: spec::Tls,
    is_mandatory: bool,
    current: RwLock<Current>,
    refusals: Mutex<Seldom>,
}

#[derive(Clone, Debug)]
struct Current {
    config: Arc<ServerConfig>,
    expires_at: Time,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// Which file is wrong and why.
    pub fn open(files: &spec::Tls) -> Result<Self, TlsError> {
        Self::begin(files, true)
    }

    /// The same, but a client may come without a certificate: one that shows one has to show a good
    /// one.
    ///
    /// # Errors
    /// Which file is wrong and why.
    pub fn open_to_all(files: &spec::Tls) -> Result<Self, TlsError> {
        Self::begin(files, false)
    }

    fn begin(files: &spec::Tls, is_mandatory: bool) -> Result<Self, TlsError> {
        let current = RwLock::new(read(files, is_mandatory)?);
        Ok(Self { files: files.clone(), is_mandatory, current, refusals: Mutex::default() })
    }

    /// Reads the files again: new connections see what they say now.
    ///
    /// # Errors
    /// Which file is wrong and why; what was read before stays in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let fresh = read(&self.files, self.is_mandatory)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// When the certificate in use, or one that signed it and is sent along, expires.
    #[must_use]
    pub fn expires_at(&self) -> Time {
        self.current().expires_at
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current().config)
    }
}

/// Reads the files of a source without using them: doubts about them, a sentence each with its
/// file.
///
/// # Errors
/// Which file is wrong and why.
pub fn check(files: &spec::Tls, now: Time) -> Result<Vec<(&Path, String)>, TlsError> {
    const OTHERS_READ: u32 = 0o004;
    let expires_at = read(files, true)?.expires_at;
    let mut doubts = Vec::new();
    let key = std::fs::metadata(&files.key);
    if key.is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0) {
        let message = "every user of this host can read the key, and so pose as this host";
        doubts.push((files.key.as_path(), message.to_owned()));
    }
    if expires_at <= now {
        let message = format!("the certificate expired at {}", expires_at.rfc3339());
        doubts.push((files.certificate.as_path(), message));
    }
    Ok(doubts)
}

fn read(files: &spec::Tls, is_mandatory: bool) -> Result<Current, TlsError> {
    let provider = Arc::new(default_provider());
    let chain = certificates(&files.certificate)?;
    let expires_at = chain.iter().map(|one| certificate::expires_at(one)).min().flatten();
    let expires_at = expires_at.ok_or_else(|| {
        TlsError::unusable(&files.certificate, "a certificate in it is not as X.509 has it")
    })?;
    let key = load(KEY, &files.key, PrivateKeyDer::from_pem_slice)?;
    let versions = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3");
    let authorities = match &files.clients {
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for one in certificates(path)? {
                roots.add(one).map_err(|error| TlsError::unusable(path, error.to_string()))?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| TlsError::unusable(path, error.to_string()))?;
            Some(verifier)
        }
        None => None,
    };
    let with_clients = if authorities.is_none() && files.permitted.is_empty() {
        versions.with_no_client_auth()
    } else {
        versions.with_client_cert_verifier(Arc::new(Clients {
            authorities,
            permitted: files.permitted.clone(),
            algorithms: provider.signature_verification_algorithms,
            is_mandatory,
        }))
    };
    let mut config = with_clients
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::pair(&files.certificate, &files.key, error))?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Current { config: Arc::new(config), expires_at })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all = load(CERTIFICATE, path, |pem| CertificateDer::pem_slice_iter(pem).collect())?;
    let all: Vec<_> = all;
    if all.is_empty() { Err(TlsError::empty(CERTIFICATE, path)) } else { Ok(all) }
}

fn load<T>(
    what: &'static str,
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<T, pem::Error>,
) -> Result<T, TlsError> {
    let bytes = std::fs::read(path).map_err(|error| TlsError::unreadable(what, path, error))?;
    parse(&bytes).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::empty(what, path),
        error => TlsError::Damaged { path: path.to_owned(), error },
    })
}
