//! Which clients may speak to us: decided in the handshake, so that a stranger learns it there.

use std::fmt;
use std::sync::Arc;

use tokio_rustls::rustls;
use tokio_rustls::rustls::client::danger::HandshakeSignatureValid;
use tokio_rustls::rustls::crypto::{
    WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, SignatureScheme,
};

use super::certificate;
use super::permitted::{Fingerprint, Permitted};

/// Asks for a certificate, and takes those that the list of fingerprints or, signed by one of our
/// authorities, the list of names permits.
#[derive(Debug)]
pub(super) struct Clients {
    /// Whoever they signed; `None` when only fingerprints count.
    pub(super) authorities: Option<Arc<dyn ClientCertVerifier>>,
    /// Empty for all that an authority signed.
    pub(super) permitted: Vec<Permitted>,
    pub(super) algorithms: WebPkiSupportedAlgorithms,
    /// Whether nobody is taken who shows none.
    pub(super) is_mandatory: bool,
}

/// A certificate is right, but not in the list.
#[derive(Debug)]
pub(super) struct NotInList {
    names: Vec<String>,
    fingerprint: [u8; 32],
}

impl std::error::Error for NotInList {}

/// As much as is shown of what a stranger's certificate says.
const SHOWN_NAMES: usize = 4;
const SHOWN_CHARACTERS: usize = 64;

impl fmt::Display for NotInList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a certificate for ")?;
        for (index, name) in self.names.iter().take(SHOWN_NAMES).enumerate() {
            let name: String = name.chars().take(SHOWN_CHARACTERS).collect();
            write!(f, "{}`{}`", if index == 0 { "" } else { ", " }, name.escape_debug())?;
        }
        match self.names.len() {
            0 => f.write_str("no name")?,
            many if many > SHOWN_NAMES => write!(f, " and {} more", many - SHOWN_NAMES)?,
            _ => {}
        }
        write!(f, " ({})", Fingerprint(&self.fingerprint))
    }
}

impl ClientCertVerifier for Clients {
    /// None: a sender has one certificate and shows that one, and some libraries keep it back when
    /// its issuer is not literally in the list.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn client_auth_mandatory(&self) -> bool {
        self.is_mandatory
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let fingerprint = certificate::fingerprint(end_entity);
        if self.permitted.iter().any(|one| one.fits_fingerprint(&fingerprint)) {
            return Ok(ClientCertVerified::assertion());
        }
        let signed = match &self.authorities {
            Some(all) => Some(all.verify_client_cert(end_entity, intermediates, now)?),
            None => None,
        };
        let names = certificate::names(end_entity);
        match signed {
            Some(signed)
                if self.permitted.is_empty()
                    || names
                        .iter()
                        .any(|name| self.permitted.iter().any(|p| p.fits_name(name))) =>
            {
                Ok(signed)
            }
            Some(_) | None => {
                let refused = Arc::new(NotInList { names, fingerprint });
                Err(CertificateError::Other(OtherError(refused)).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
