//! What a certificate says of itself: names, expiry, fingerprint. Pure.

use tokio_rustls::rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode as _, Tag, Tagged as _};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::{Certificate, TbsCertificate};

use crate::value::Time;

/// The attribute `commonName` (X.520).
const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// The attribute `organizationalUnitName`.
const UNIT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.11");

/// The DNS names of a certificate, or its common names if it has none. Nothing when it cannot be
/// read.
pub(super) fn names(der: &[u8]) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(der) else { return Vec::new() };
    let certificate = certificate.tbs_certificate;
    let alternative = certificate.get::<SubjectAltName>().ok().flatten();
    let dns: Vec<String> = alternative
        .iter()
        .flat_map(|(_, names)| &names.0)
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
            _ => None,
        })
        .collect();
    if !dns.is_empty() {
        return dns;
    }
    attributes(&certificate, COMMON_NAME)
}

/// Whom a certificate names, as directories do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// The first common name.
    pub name: Option<String>,
    /// The organizational units.
    pub units: Vec<String>,
}

/// Whom a certificate names. Nobody when it cannot be read.
pub(super) fn subject(der: &[u8]) -> Subject {
    let Ok(certificate) = Certificate::from_der(der) else { return Subject::default() };
    let certificate = certificate.tbs_certificate;
    Subject {
        name: attributes(&certificate, COMMON_NAME).into_iter().next(),
        units: attributes(&certificate, UNIT),
    }
}

/// The texts of the subject's attributes of this kind.
fn attributes(certificate: &TbsCertificate, kind: ObjectIdentifier) -> Vec<String> {
    let attributes = certificate.subject.0.iter().flat_map(|part| part.0.iter());
    attributes
        .filter(|attribute| attribute.oid == kind)
        .filter(|attribute| {
            let tag = attribute.value.tag();
            matches!(tag, Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
        })
        .filter_map(|attribute| std::str::from_utf8(attribute.value.value()).ok())
        .map(str::to_owned)
        .collect()
}

/// When a certificate ceases to be valid; `None` when it cannot be read.
pub(super) fn expires_at(der: &[u8]) -> Option<Time> {
    let certificate = Certificate::from_der(der).ok()?;
    let end = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    // As far as our time reaches; certificates that never expire say the year 9999.
    Some(Time::from_nanos(i64::try_from(end.as_nanos()).unwrap_or(i64::MAX)))
}

/// The SHA-256 digest of a certificate.
pub(super) fn fingerprint(der: &[u8]) -> [u8; 32] {
    let suite = TLS13_AES_128_GCM_SHA256.tls13().expect("a suite of TLS 1.3");
    let digest = suite.common.hash_provider.hash(der);
    digest.as_ref().try_into().expect("SHA-256 gives 32 bytes")
}
