//! What can be wrong with the files of a TLS source: which file, what, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::pem;

/// Certificates or a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read the {what} `{}`: {error}{advice}", path.display())]
    Unreadable {
        /// What is expected there.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        error: io::Error,
        /// What to do, with the punctuation before it; may be empty.
        advice: &'static str,
    },
    /// A file holds nothing of what is expected there.
    #[error("there is no {what} in `{}`: expected PEM, {form}", path.display())]
    Empty {
        /// What is expected there.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// How it begins.
        form: &'static str,
    },
    /// A file is damaged.
    #[error("`{}` is damaged: {error}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the form of PEM is broken.
        #[source]
        error: pem::Error,
    },
    /// The key belongs to another certificate.
    #[error(
        "the key `{}` is not that of the first certificate in `{}`: the host's own certificate \
         comes first, those that signed it after it",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The file of certificates.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// Certificates or a key are of a kind that cannot be used.
    #[error("`{}` cannot be used: {reason}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const KEY: &str = "key";

impl TlsError {
    /// The file that is wrong.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. }
            | Self::Empty { path, .. }
            | Self::Damaged { path, .. }
            | Self::Unusable { path, .. }
            | Self::Mismatch { key: path, .. } => path,
        }
    }

    pub(super) fn unreadable(what: &'static str, path: &Path, error: io::Error) -> Self {
        let advice = match error.kind() {
            io::ErrorKind::PermissionDenied => {
                "; the user that Weir runs as must be able to read it: chgrp weir, chmod 0640"
            }
            io::ErrorKind::NotFound => "; put it there, or name another file",
            _ => "",
        };
        Self::Unreadable { what, path: path.to_owned(), error, advice }
    }

    pub(super) fn empty(what: &'static str, path: &Path) -> Self {
        let form = if what == KEY {
            "`-----BEGIN PRIVATE KEY-----`; one that is encrypted must be decrypted first"
        } else {
            "`-----BEGIN CERTIFICATE-----`"
        };
        Self::Empty { what, path: path.to_owned(), form }
    }

    pub(super) fn unusable(path: &Path, reason: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), reason: reason.into() }
    }

    /// What rustls says of certificate and key.
    pub(super) fn pair(certificate: &Path, key: &Path, error: rustls::Error) -> Self {
        use rustls::{Error, InconsistentKeys};
        match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                Self::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() }
            }
            Error::InvalidCertificate(error) => Self::unusable(certificate, format!("{error:?}")),
            Error::General(reason) => Self::unusable(key, reason),
            other => Self::unusable(certificate, other.to_string()),
        }
    }
}
