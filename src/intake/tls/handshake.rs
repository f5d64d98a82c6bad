//! The handshake of a new connection, and what is said of those that fail.

use std::io;
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, InvalidMessage};
use tokio_rustls::server::TlsStream;

use super::{Subject, Tls, certificate};
use crate::intake::spec;
use crate::system::clock;

/// A handshake takes at most this long, or the time that a frame may take if that is shorter.
pub const LONGEST: Duration = Duration::from_secs(10);

/// Why a handshake failed.
#[derive(Debug)]
pub enum Failure {
    /// It took too long.
    Late,
    /// The other side ended it, or the lists or the protocol do.
    Broken(io::Error),
}

impl Tls {
    /// Makes a secure connection of a plain one.
    ///
    /// # Errors
    /// When it takes longer than `limit` or [`LONGEST`], or when one of the two sides refuses.
    pub async fn handshake<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        limit: Duration,
    ) -> Result<TlsStream<S>, Failure> {
        match timeout(limit.min(LONGEST), self.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(Failure::Broken(error)),
            Err(_) => Err(Failure::Late),
        }
    }

    /// Whom the certificate names that the other side showed, if it showed one.
    #[must_use]
    pub fn subject<S>(stream: &TlsStream<S>) -> Option<Subject> {
        let chain = stream.get_ref().1.peer_certificates()?;
        chain.first().map(|own| certificate::subject(own))
    }

    /// Says in the log why a handshake failed, unless it just did so.
    pub fn refused(&self, source: &str, sender: Option<IpAddr>, failure: &Failure) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unsaid) = refusals.may(clock::now()) else { return };
        drop(refusals);
        let sender = sender.map_or_else(|| "-".to_owned(), |sender| sender.to_string());
        let why = why(failure, &self.files);
        tracing::warn!(source, sender, why, unsaid, "a TLS handshake failed");
    }
}

/// What was expected, what was found, and where it helps, what to do.
fn why(failure: &Failure, files: &spec::Tls) -> String {
    let error = match failure {
        Failure::Late => return "the sender began no handshake, or did not end it in time".into(),
        Failure::Broken(error) => error,
    };
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let Some(tls) = tls else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => "the sender hung up in the middle of it".into(),
            _ => format!("the connection broke: {error}"),
        };
    };
    let authorities = match &files.clients {
        Some(path) => {
            format!("expected a client certificate signed by one in `{}`", path.display())
        }
        None => "expected a client certificate of the list `permitted`".to_owned(),
    };
    match tls {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            "expected TLS, found something else: does the sender speak plain syslog to this port?"
                .into()
        }
        Error::NoCertificatesPresented => format!("{authorities}, found none"),
        Error::InvalidCertificate(error) => format!("{authorities}, found {}", found(error)),
        Error::AlertReceived(alert) => match alert {
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError => format!(
                "the sender does not take our certificate `{}` ({alert:?}): it must know who \
                 signed it, and the name that it connects to must be in it",
                files.certificate.display()
            ),
            other => format!("the sender gave up: {other:?}"),
        },
        Error::PeerIncompatible(what) => {
            format!("expected TLS 1.2 or 1.3 with a common suite, found otherwise: {what:?}")
        }
        other => other.to_string(),
    }
}

/// What is wrong with a client's certificate.
fn found(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "one that another authority signed".into(),
        CertificateError::BadSignature => {
            "one with a wrong signature, as of another authority of the same name".into()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "one that has expired".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "one that is not valid yet".into()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "one that is not for clients (extended key usage)".into()
        }
        CertificateError::Other(why) => format!("{}, which is not in `permitted`", why.0),
        other => format!("one that is not right: {other:?}"),
    }
}
