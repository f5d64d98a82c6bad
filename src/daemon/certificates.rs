//! The certificates of sources: checked before the start, read again on reload, told of before they
//! expire.

use std::sync::{Arc, OnceLock};

use super::report::Counted;
use super::{pages, remotes};
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec::Source;
use crate::intake::tls::{self, Tls};
use crate::settings::{Http, Settings};
use crate::value::Time;

/// An expiry that is nearer than this is worth a remark, in nanoseconds.
const SOON: i64 = 14 * DAY;
const DAY: i64 = 86_400_000_000_000;
const TWO_DAYS: i64 = 2 * DAY;

/// The certificate of a source, from when it is open; never there when it has none.
pub(super) type Certificate = Arc<OnceLock<Arc<Tls>>>;

/// What is wrong with the files of certificates and tokens that the settings name, and doubts about
/// them.
#[must_use]
pub fn check(settings: &Settings, now: Time) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let of_source =
        |source: &Source| Some((format!("source `{}`", source.name), source.tls.clone()?));
    let of_pages = |http: &Http| Some(("`http`".to_owned(), http.tls.clone()?));
    let all = settings.sources.iter().filter_map(of_source);
    let all = all.chain(settings.http.as_ref().and_then(of_pages));
    for (whose, files) in all {
        let at = |path| UserFile::new(path, String::new());
        match tls::check(&files, now) {
            Ok(doubts) => found.extend(doubts.into_iter().map(|(path, doubt)| {
                let message = format!("{whose}: {doubt}");
                Diagnostic::error(&at(path), 0..0, "certificate", message).warning()
            })),
            Err(error) => {
                let message = format!("{whose}: {error}");
                found.push(Diagnostic::error(&at(error.path()), 0..0, "certificate", message));
            }
        }
    }
    found.extend(settings.http.iter().flat_map(pages::check));
    found.extend(remotes::check(&settings.remotes));
    found
}

/// Reads the certificates of running sources and of the pages again; a note for each that cannot be used, which
/// leaves the one before in use.
pub(super) fn reload(sources: &[Counted], pages: Option<&Arc<Tls>>) -> Vec<String> {
    let mut notes = Vec::new();
    let of_source = |source: &Counted| {
        Some((format!("source `{}`", source.name), Arc::clone(source.certificate.get()?)))
    };
    let of_pages = pages.map(|tls| ("`http`".to_owned(), Arc::clone(tls)));
    for (whose, tls) in sources.iter().filter_map(of_source).chain(of_pages) {
        if let Err(error) = tls.reload() {
            tracing::warn!(whose, %error, "the certificate from before stays in use");
            notes.push(format!("{whose}: {error}; the certificate from before stays in use"));
        }
    }
    notes
}

/// What is to be said of a certificate that has expired or will soon.
pub(super) fn remark(whose: &str, end: Time, now: Time) -> Option<String> {
    let left = end.since(now);
    let what = match left {
        SOON.. => return None,
        TWO_DAYS.. => format!("expires in {} days", left / DAY),
        DAY.. => "expires in a day".to_owned(),
        1.. => "expires within a day".to_owned(),
        _ => "has expired, and is refused".to_owned(),
    };
    let at = end.rfc3339();
    Some(format!("{whose}: the certificate {what} ({at}); put a new one there and reload"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_expire() {
        let now = Time::from_seconds(1_700_000_000);
        let found = [-1, 0, 86_399, 86_400, 13 * 86_400, 14 * 86_400 - 1, 14 * 86_400]
            .map(|seconds| remark("web", Time::from_seconds(1_700_000_000 + seconds), now));
        let found = found.map(|remark| {
            let text = remark?;
            let (_, rest) = text.split_once("the certificate ")?;
            Some(rest.split_once(" (")?.0.to_owned())
        });
        let words = |text: &str| Some(text.to_owned());
        assert_eq!(
            found,
            [
                words("has expired, and is refused"),
                words("has expired, and is refused"),
                words("expires within a day"),
                words("expires in a day"),
                words("expires in 13 days"),
                words("expires in 13 days"),
                None,
            ]
        );
    }
}
