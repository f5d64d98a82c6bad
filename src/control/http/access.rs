//! Who may see which page. Pure.
//!
//! What must hold: nobody beyond this host sees anything but that the process lives, without a token
//! or a certificate. On this host any user, and so any program that can be talked into fetching an
//! address, may see what the socket shows to whoever can open it; what the log says is for those who
//! have the token, which is in a file that only they can read who may read lines at the socket. A
//! browser is not to be used by a page of somebody else: neither by a name that suddenly means this
//! host (DNS rebinding), nor by a request from another site.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::HEALTHY;
use crate::value::is_same;

/// What opens the pages.
#[derive(Clone, Default)]
pub struct Access {
    /// Whether only this host reaches them.
    pub is_local: bool,
    /// Whether the handshake has already seen who asks.
    pub is_certified: bool,
    /// What must be known.
    pub token: Option<String>,
    /// Whether everybody on this host may see log lines.
    pub shows_lines: bool,
}

/// How much somebody may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// All but what the log says.
    NoLines,
    /// All.
    All,
}

/// Why somebody sees nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The token is missing or wrong.
    Token,
    /// The page was asked for by a name that is not ours.
    Host,
    /// A page of another site asks.
    Site,
}

/// What a request says of itself.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked<'r> {
    pub(super) path: &'r str,
    /// The header `Host`.
    pub(super) host: Option<&'r str>,
    /// The header `Sec-Fetch-Site`, which browsers write and pages cannot.
    pub(super) site: Option<&'r str>,
    /// The header `Sec-Fetch-Mode`.
    pub(super) mode: Option<&'r str>,
    /// The header `Authorization`.
    pub(super) authorization: Option<&'r str>,
}

impl Access {
    /// How much the asker may see.
    pub(super) fn sight(&self, asked: &Asked<'_>) -> Result<Sight, Refusal> {
        if asked.path == HEALTHY {
            return Ok(Sight::NoLines);
        }
        if self.is_local && !asked.host.is_none_or(is_own_name) {
            return Err(Refusal::Host);
        }
        // A link to the page may be followed from anywhere; it shows nothing to whoever placed it.
        let is_visit = asked.mode == Some("navigate") && !asked.path.starts_with("/api/");
        if !is_visit && !asked.site.is_none_or(|site| matches!(site, "same-origin" | "none")) {
            return Err(Refusal::Site);
        }
        if self.is_certified {
            return Ok(Sight::All);
        }
        match (asked.authorization, &self.token) {
            (Some(said), Some(token)) if knows(said, token) => Ok(Sight::All),
            (None, _) if self.is_local && self.shows_lines => Ok(Sight::All),
            (None, _) if self.is_local => Ok(Sight::NoLines),
            _ => Err(Refusal::Token),
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("is_local", &self.is_local).finish_non_exhaustive()
    }
}

/// Whether a name in `Host` is one that no stranger's zone can answer with our address: an address
/// itself, or `localhost` (RFC 6761, 6.3).
fn is_own_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    name.parse::<IpAddr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

/// Whether the header `Authorization` holds the token: as a bearer's (RFC 6750), or as the password
/// of anybody (RFC 7617), which browsers ask for.
fn knows(said: &str, token: &str) -> bool {
    let Some((scheme, rest)) = said.split_once(' ') else { return false };
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return is_same(rest.as_bytes(), token.as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let Ok(pair) = STANDARD.decode(rest) else { return false };
    let colon = pair.iter().position(|byte| *byte == b':');
    colon.is_some_and(|colon| is_same(&pair[colon + 1..], token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";
    const ALL: Result<Sight, Refusal> = Ok(Sight::All);
    const SOME: Result<Sight, Refusal> = Ok(Sight::NoLines);
    const NOT: Result<Sight, Refusal> = Err(Refusal::Token);

    fn local() -> Access {
        Access { is_local: true, token: Some(TOKEN.to_owned()), ..Access::default() }
    }

    fn remote() -> Access {
        Access { is_local: false, ..local() }
    }

    #[track_caller]
    fn check(access: &Access, authorization: Option<&str>, expected: Result<Sight, Refusal>) {
        let asked = Asked { path: "/api/why", authorization, ..Asked::default() };
        assert_eq!(access.sight(&asked), expected, "{authorization:?}");
    }

    #[test]
    fn the_token_opens_all() {
        for access in [local(), remote()] {
            check(&access, Some("Bearer 0123456789abcdef"), ALL);
            check(&access, Some("bearer  0123456789abcdef "), ALL);
            // `anybody:0123456789abcdef`
            check(&access, Some("Basic YW55Ym9keTowMTIzNDU2Nzg5YWJjZGVm"), ALL);
            check(&access, Some("Bearer 0123456789abcdeF"), NOT);
            check(&access, Some("Bearer 0123456789abcdef0"), NOT);
            check(&access, Some("Bearer "), NOT);
            check(&access, Some("Basic ???"), NOT);
            check(&access, Some("Basic MDEyMzQ1Njc4OWFiY2RlZg=="), NOT);
            check(&access, Some("0123456789abcdef"), NOT);
            check(&access, Some("Digest 0123456789abcdef"), NOT);
            check(&access, Some(""), NOT);
        }
    }

    #[test]
    fn without_it_this_host_sees_no_lines_and_others_see_nothing() {
        check(&local(), None, SOME);
        check(&remote(), None, NOT);
        check(&Access { shows_lines: true, ..local() }, None, ALL);
        check(&Access { shows_lines: true, ..remote() }, None, NOT);
        check(&Access { is_certified: true, ..remote() }, None, ALL);
        check(&Access { token: None, ..local() }, None, SOME);
        check(&Access { token: None, ..local() }, Some("Bearer 0123456789abcdef"), NOT);
        check(&Access { token: None, ..remote() }, None, NOT);
        let asked = Asked { path: "/-/healthy", host: Some("x.example"), ..Asked::default() };
        assert_eq!(remote().sight(&asked), SOME, "whether it lives is no secret");
    }

    #[track_caller]
    fn host(host: &str, expected: bool) {
        let asked = Asked { path: "/metrics", host: Some(host), ..Asked::default() };
        let here = local().sight(&asked);
        assert_eq!(here, if expected { SOME } else { Err(Refusal::Host) }, "{host}");
        assert_eq!(remote().sight(&asked), NOT, "elsewhere the token counts");
    }

    #[test]
    fn names_that_a_stranger_may_own_are_refused() {
        host("127.0.0.1:9514", true);
        host("127.0.0.1", true);
        host("[::1]:9514", true);
        host("localhost:8080", true);
        host("LOCALHOST.", true);
        host("weir.localhost:1", true);
        host("192.0.2.1", true);
        host("rebound.example:9514", false);
        host("127.0.0.1.example", false);
        host("localhost.example", false);
        host("notlocalhost", false);
        host("[::1", false);
        host("::1", false);
        host("", false);
    }

    #[track_caller]
    fn site(path: &str, site: &str, mode: &str, expected: Result<Sight, Refusal>) {
        let (site, mode) = (Some(site), Some(mode));
        let asked = Asked { path, site, mode, ..Asked::default() };
        assert_eq!(local().sight(&asked), expected, "{asked:?}");
    }

    #[test]
    fn other_sites_may_link_to_the_page_and_no_more() {
        const REFUSED: Result<Sight, Refusal> = Err(Refusal::Site);
        site("/api/status", "same-origin", "cors", SOME);
        site("/", "none", "navigate", SOME);
        site("/", "cross-site", "navigate", SOME);
        site("/", "cross-site", "no-cors", REFUSED);
        site("/api/status", "cross-site", "no-cors", REFUSED);
        site("/api/status", "cross-site", "navigate", REFUSED);
        site("/api/status", "same-site", "cors", REFUSED);
        site("/metrics", "cross-site", "no-cors", REFUSED);
    }
}
