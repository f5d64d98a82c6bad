//! `http:`: where the pages are served, and who may see them.
//!
//! What must hold: nobody but this host reaches the pages without a token or a certificate. That is
//! said here, before anything listens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::section::{At, at, is_off, later};
use super::sources;
use crate::diagnostic::{Diagnostic, UserFile};
use crate::intake::spec;
use crate::yaml::{Fields, Node};

/// Where the pages are served, and who may see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// Where.
    pub listen: SocketAddr,
    /// What must be known to see more than anybody on this host may; elsewhere, to see anything.
    pub token: Token,
    /// With it, only TLS is spoken.
    pub tls: Option<spec::Tls>,
    /// Whether everybody on this host may see what the log says.
    pub lines: bool,
}

/// Where the token of the pages is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// The daemon makes one when it starts, for those who may use the control socket.
    Made,
    /// It is in a file.
    File(PathBuf),
    /// It is in the configuration.
    Is(Secret),
}

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// What a token is, in words.
pub const TOKEN: &str = "16 to 256 letters, digits and signs without a space";

/// Whether a text can be a token: long enough that nobody guesses it, and such that it can stand in
/// a header.
#[must_use]
pub fn is_token(text: &str) -> bool {
    (16..=256).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The file of the token that the daemon makes, beside its control socket.
#[must_use]
pub fn made_token(control: &Path) -> PathBuf {
    control.with_extension("token")
}

impl Default for Http {
    fn default() -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 9514));
        Self { listen, token: Token::Made, tls: None, lines: false }
    }
}

impl Http {
    /// Whether only certificates of clients open the pages.
    #[must_use]
    pub fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(spec::Tls::asks_for_certificates)
    }

    /// Whether only this host reaches it.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.listen.ip().is_loopback()
    }
}

/// The section as written.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    /// `Some(None)`: switched off.
    listen: Option<At<Option<SocketAddr>>>,
    token: Option<At<Token>>,
    tls: Option<At<spec::Tls>>,
    lines: Option<At<bool>>,
}

impl Typed {
    pub(super) fn read(
        node: &Node,
        file: &Arc<UserFile>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let Some(mut fields) = Fields::of(node, file, "`http`", diagnostics) else {
            return Self::default();
        };
        let expected = "an address with a port such as `127.0.0.1:9514`, or `off`";
        let listen = fields.parsed("listen", expected, |text| match text {
            _ if is_off(text) => Ok(None),
            _ => text.parse().map(Some).map_err(|_| String::new()),
        });
        let listen = listen.map(|found| at(&fields, found));
        let token = token(&mut fields);
        let tls = fields.mapping("tls").and_then(|node| {
            let tls = sources::tls(node, file, "`tls` of `http`", fields.diagnostics())?;
            Some(At { value: tls, file: Arc::clone(file), span: node.head() })
        });
        let lines = fields.bool("lines").map(|found| at(&fields, found));
        fields.finish();
        Self { listen, token, tls, lines }
    }

    pub(super) fn merge(&mut self, other: Self) {
        later(&mut self.listen, other.listen);
        later(&mut self.token, other.token);
        later(&mut self.tls, other.tls);
        later(&mut self.lines, other.lines);
    }

    pub(super) fn mean(self, diagnostics: &mut Vec<Diagnostic>) -> Option<Http> {
        let usual = Http::default();
        let listen = match &self.listen {
            None => usual.listen,
            Some(At { value: Some(listen), .. }) => *listen,
            Some(At { value: None, .. }) => return None,
        };
        let has_token = self.token.is_some();
        let http = Http {
            listen,
            token: self.token.map_or(usual.token, |found| found.value),
            tls: self.tls.map(|found| found.value),
            lines: self.lines.as_ref().is_some_and(|found| found.value),
        };
        let Some(at) = self.listen.filter(|_| !http.is_local()) else { return Some(http) };
        if !has_token && !http.asks_for_certificates() {
            let message =
                format!("whoever reaches `{listen}` could see who is banned, and the log");
            diagnostics.push(at.error("open-to-all", message).with_help(
                "add `token_file: FILE`, or `tls` with `clients`; or listen on `127.0.0.1:9514`",
            ));
        } else if http.tls.is_none() {
            let message =
                format!("the token goes to `{listen}` in clear, for all on the way to read");
            diagnostics.push(
                at.error("token-in-clear", message)
                    .warning()
                    .with_help("add `tls: {certificate: FILE, key: FILE}`"),
            );
        }
        if let Some(lines) = self.lines.filter(|found| found.value) {
            let message = "`lines` is for pages that only this host reaches";
            let mistake = lines.error("useless-key", message);
            diagnostics.push(mistake.with_help("elsewhere whoever has the token sees all"));
        }
        Some(http)
    }
}

/// `token` or `token_file`.
fn token(fields: &mut Fields<'_, '_>) -> Option<At<Token>> {
    let file = Arc::clone(fields.file());
    // Seen from the file, like folders of rules.
    let from = file.path.parent().unwrap_or(Path::new(""));
    let path = fields.text("token_file").map(|path| path.map(|path| from.join(path)));
    let text = fields.text("token").map(|text| text.map(|text| Secret(text.to_owned())));
    if let Some(wrong) = text.as_ref().filter(|text| !is_token(text.value.reveal())) {
        // What was found is not repeated: it may come to stand in a log.
        let message = format!("expected {TOKEN} for `token`, found something else");
        fields.report(wrong.span.clone(), "wrong-value", message);
    }
    if let (Some(_), Some(text)) = (&path, &text) {
        let message = "one of `token` and `token_file` says what the token is, here are both";
        fields.report(text.span.clone(), "conflict", message);
    }
    let found = path.map(|path| path.map(Token::File));
    found.or(text.map(|text| text.map(Token::Is))).map(|found| at(fields, found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::from_files;

    fn read(text: &str) -> (Option<Http>, Vec<String>) {
        let file = UserFile::new(Path::new("/etc/weir/weir.yaml"), text.to_owned());
        let (settings, diagnostics) = from_files(&[file]);
        (settings.http, diagnostics.into_iter().map(|found| found.code.to_owned()).collect())
    }

    #[track_caller]
    fn check(text: &str, mistakes: &[&str]) {
        assert_eq!(read(text).1, mistakes, "{text}");
    }

    #[test]
    fn nobody_else_sees_the_pages_without_being_asked() {
        let tls = "tls: {certificate: c, key: k";
        let token = "token: 0123456789abcdef";
        check("http: {listen: '127.0.0.1:1'}", &[]);
        check("http: {listen: '127.8.0.1:1'}", &[]);
        check("http: {listen: '[::1]:1', lines: true}", &[]);
        check("http: {listen: '0.0.0.0:1'}", &["open-to-all"]);
        check("http: {listen: '[::]:1'}", &["open-to-all"]);
        check(&format!("http: {{listen: '192.0.2.1:1', {tls}}}}}"), &["open-to-all"]);
        check(&format!("http: {{listen: '192.0.2.1:1', {tls}, clients: ca}}}}"), &[]);
        check(&format!("http: {{listen: '192.0.2.1:1', {token}}}"), &["token-in-clear"]);
        check("http: {listen: '192.0.2.1:1', token_file: t}", &["token-in-clear"]);
        check(&format!("http: {{listen: '192.0.2.1:1', {token}, {tls}}}}}"), &[]);
        check(
            &format!("http: {{listen: '192.0.2.1:1', {token}, {tls}}}, lines: yes}}"),
            &["useless-key"],
        );
    }

    #[test]
    fn tokens() {
        check("http: {token: short}", &["wrong-value"]);
        check("http: {token: 'with a space in it'}", &["wrong-value"]);
        check("http: {token: 0123456789abcdef, token_file: f}", &["conflict"]);
        let (http, _) = read("http: {token_file: page.token}");
        assert_eq!(http.unwrap().token, Token::File("/etc/weir/page.token".into()));
        let (http, _) = read("http: {token: 0123456789abcdef}");
        let http = http.unwrap();
        assert!(!format!("{http:?}").contains("0123456789abcdef"), "it is not shown");
        let Token::Is(secret) = http.token else { panic!("it is in the file") };
        assert_eq!(secret.reveal(), "0123456789abcdef");
        assert_eq!(read("http: {listen: off}").0, None);
        assert_eq!(read("").0, Some(Http::default()));
    }
}
