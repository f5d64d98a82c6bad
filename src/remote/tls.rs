//! Whom we believe over TLS, and what we show.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::settings::RemoteTls;

/// Where systems keep the authorities that they believe.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Makes connections as the settings say.
///
/// # Errors
/// What is wrong with a file, in a sentence.
pub(super) fn connector(tls: &RemoteTls) -> Result<TlsConnector, String> {
    let mut roots = RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            for one in certificates(path)? {
                roots.add(one).map_err(|error| unusable(path, &error.to_string()))?;
            }
        }
        None => {
            let found = SYSTEM.iter().map(PathBuf::from).find(|path| path.exists());
            let path = found.ok_or_else(|| {
                "this host believes no authorities: install its package `ca-certificates`, or name \
                 one with `tls: {ca: FILE}`"
                    .to_owned()
            })?;
            // Of many, some are of kinds that are not known.
            roots.add_parsable_certificates(certificates(&path)?);
        }
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has suites for TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let config = match &tls.certificate {
        None => versions.with_no_client_auth(),
        Some((certificate, key)) => {
            let read = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unusable(key, &error.to_string()))?;
            versions
                .with_client_auth_cert(certificates(certificate)?, read)
                .map_err(|error| unusable(certificate, &error.to_string()))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|found| found.collect());
    let all = all.map_err(|error| unusable(path, &error.to_string()))?;
    match all.is_empty() {
        true => Err(unusable(path, "expected `-----BEGIN CERTIFICATE-----` in it")),
        false => Ok(all),
    }
}

fn unusable(path: &Path, why: &str) -> String {
    format!("cannot use `{}`: {why}", path.display())
}
