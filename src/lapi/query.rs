//! What a request asks for, as it stands behind the `?`, and which decisions that is. Pure.
//!
//! A pair that makes no sense is passed over, and of repeated ones the first counts: that is how
//! the clients' own server reads them.

use ipnet::IpNet;
use percent_encoding::percent_decode_str;

use super::decision::{kind, origin, scenario, scope, value};
use crate::decision::{Origin, Other, parse_net, usual_scope};
use crate::ledger::Followed;

/// The names and values of a query, decoded.
#[derive(Debug)]
pub(super) struct Pairs {
    pairs: Vec<(String, String)>,
    /// Whether something was passed over.
    is_partial: bool,
}

impl Pairs {
    /// Reads what follows the `?`.
    pub(super) fn of(query: &str) -> Self {
        let written = || query.split('&').filter(|pair| !pair.is_empty());
        let pairs: Vec<_> = written()
            .filter_map(|pair| {
                // The server that clients know refuses pairs with a semicolon.
                if pair.contains(';') {
                    return None;
                }
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decoded(name)?, decoded(value)?))
            })
            .collect();
        Self { is_partial: pairs.len() < written().count(), pairs }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    /// The values of all pairs of that name.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.pairs.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| &**value)
    }

    /// Refuses names that are not `known`, and pairs that are none: where a filter chooses what to
    /// delete, one that is not understood must not mean everything.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Wrong> {
        let mut names = self.pairs.iter().map(|(name, _)| &**name);
        match names.find(|name| !known.contains(name)) {
            Some(name) => Err(Wrong::Unknown(name.chars().take(64).collect())),
            None if self.is_partial => Err(Wrong::Pairs),
            None => Ok(()),
        }
    }
}

/// Percent-encoding and `+` undone; `None` when that gives no text.
fn decoded(text: &str) -> Option<String> {
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        if byte == b'%' && !(is_digit(rest.next()) && is_digit(rest.next())) {
            return None;
        }
    }
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

/// Why a query cannot be answered, in a sentence for whoever asked.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Wrong {
    #[error("expected an address or a prefix as `{name}`, found `{value}`: {why}")]
    Address { name: &'static str, value: String, why: String },
    #[error("expected `true` or `false` as `{name}`, found `{value}`")]
    Truth { name: &'static str, value: String },
    #[error("expected a number as `{name}`, found `{value}`")]
    Number { name: &'static str, value: String },
    #[error("expected a duration such as `4h` or `7d` as `{name}`, found `{value}`")]
    Duration { name: &'static str, value: String },
    #[error("'{0}' doesn't exist: invalid filter")]
    Unknown(String),
    #[error("expected `name=value` pairs behind the `?`, percent-encoded: invalid filter")]
    Pairs,
}

/// On which prefixes decisions are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// Those that hold this one.
    Around(IpNet),
    /// Those that lie in it.
    Inside(IpNet),
}

/// Which decisions are wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    pub(super) about: Option<About>,
    /// As the clients write them; any without one.
    scopes: Option<Vec<String>>,
    value: Option<String>,
    kind: Option<String>,
    origins: Option<Vec<String>>,
    containing: Vec<String>,
    not_containing: Vec<String>,
    with_observed: bool,
    /// Whether what is carried out for other hosts is wanted. Two that follow each other must not
    /// tell each other what they have from one another.
    with_relayed: bool,
    pub(super) limit: Option<usize>,
    pub(super) offset: usize,
    id_gt: u64,
}

impl Filter {
    /// Reads it out of a query; `scopes` are those that are meant when the query names none.
    pub(super) fn of(pairs: &Pairs, scopes: Option<&[&str]>) -> Result<Self, Wrong> {
        let list = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let words = |name| {
            let text = pairs.get(name).unwrap_or_default();
            let words = text.split(',').filter(|word| !word.is_empty());
            words.map(str::to_lowercase).collect::<Vec<_>>()
        };
        let named = match scopes {
            // Where there are usual ones, `scope` does not take their place.
            Some(usual) => Some(match pairs.get("scopes") {
                Some(text) => list(text),
                None => usual.iter().map(|&scope| scope.to_owned()).collect(),
            }),
            None => pairs.get("scopes").or_else(|| pairs.get("scope")).map(list),
        };
        Ok(Self {
            about: about(pairs)?,
            scopes: named
                .map(|names| names.iter().map(|name| usual_scope(name).to_owned()).collect()),
            value: pairs.get("value").map(str::to_owned),
            kind: pairs.get("type").map(str::to_owned),
            origins: pairs.get("origins").map(list),
            containing: words("scenarios_containing"),
            not_containing: words("scenarios_not_containing"),
            with_observed: pairs.get("simulated").is_some_and(|text| text != "false"),
            with_relayed: pairs.get("relayed") != Some("false"),
            limit: number(pairs, "limit")?,
            offset: number(pairs, "offset")?.unwrap_or(0),
            id_gt: number(pairs, "id_gt")?.unwrap_or(0) as u64,
        })
    }

    /// The one subject besides addresses that is wanted, if it is one: then nothing else needs to be
    /// looked at.
    pub(super) fn subject(&self) -> Option<String> {
        let [scope] = self.scopes.as_deref()? else { return None };
        let value = self.value.as_deref().filter(|_| self.about.is_none())?;
        // Of any type.
        let other = Other::new("any", scope, value).ok()?;
        other.net().is_none().then(|| other.subject())
    }

    /// Whether a decision is wanted.
    pub(super) fn takes(&self, decision: &Followed) -> bool {
        self.takes_action(decision) && self.takes_whatever_action(decision)
    }

    /// Whether it is carried out, or those that are only observed are wanted as well.
    pub(super) fn takes_action(&self, decision: &Followed) -> bool {
        self.with_observed || !decision.is_observed()
    }

    /// Whether all but its action is as it is wanted.
    pub(super) fn takes_whatever_action(&self, decision: &Followed) -> bool {
        let scenario = || scenario(decision).to_lowercase();
        self.takes_subject(decision)
            && (self.with_relayed || decision.origin != Origin::Remote)
            && self.origins.as_ref().is_none_or(|all| all.iter().any(|o| *o == origin(decision)))
            && (self.containing.is_empty()
                || self.containing.iter().any(|word| scenario().contains(word)))
            && !self.not_containing.iter().any(|word| scenario().contains(word))
    }

    /// Whether that is wanted which never changes in the life of a decision. Who asked for it, and
    /// why, does: what was told for one reason may end with another.
    pub(super) fn takes_subject(&self, decision: &Followed) -> bool {
        let is_about = match self.about {
            None => true,
            Some(About::Around(net)) => decision.net().is_some_and(|held| held.contains(&net)),
            Some(About::Inside(net)) => decision.net().is_some_and(|held| net.contains(&held)),
        };
        let scope = scope(decision);
        is_about
            && decision.id > self.id_gt
            && self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|s| s == scope))
            && self.kind.as_ref().is_none_or(|wanted| wanted == kind(decision))
            && self.value.as_ref().is_none_or(|wanted| **wanted == *value(decision))
    }
}

/// What the clients' own server takes for a truth value.
pub(super) fn truth(name: &'static str, value: &str) -> Result<bool, Wrong> {
    match value {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        other => Err(Wrong::Truth { name, value: other.to_owned() }),
    }
}

pub(super) fn about(pairs: &Pairs) -> Result<Option<About>, Wrong> {
    let contains = pairs.get("contains").map_or(Ok(true), |value| truth("contains", value))?;
    for name in ["ip", "range"] {
        let Some(text) = pairs.get(name) else { continue };
        let net = parse_net(text).map_err(|error| Wrong::Address {
            name,
            value: text.to_owned(),
            why: error.to_string(),
        })?;
        return Ok(Some(if contains { About::Around(net) } else { About::Inside(net) }));
    }
    Ok(None)
}

pub(super) fn number(pairs: &Pairs, name: &'static str) -> Result<Option<usize>, Wrong> {
    let Some(value) = pairs.get(name) else { return Ok(None) };
    let number = value.parse().map_err(|_| Wrong::Number { name, value: value.to_owned() })?;
    Ok(Some(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::{Action, Origin};
    use crate::ledger::Subject;
    use crate::value::Time;

    fn decision(net: &str, reason: &str) -> Followed {
        of(Subject::Net(parse_net(net).unwrap(), Action::Ban), reason)
    }

    fn of(subject: Subject, reason: &str) -> Followed {
        Followed {
            id: 7,
            subject,
            origin: Origin::Scenario,
            reason: reason.to_owned(),
            created_at: Time::from_seconds(0),
            until: Time::from_seconds(9),
            ended_at: None,
            version: 0,
        }
    }

    const HOST: &str = "192.0.2.7";
    const RANGE: &str = "198.51.100.0/24";
    const SIX: &str = "2001:db8::/64";

    /// Which of the three a query wants.
    #[track_caller]
    fn check(query: &str, expected: &[&str]) {
        let filter = Filter::of(&Pairs::of(query), None).unwrap();
        let all = [HOST, RANGE, SIX];
        let taken = all.into_iter().filter(|net| filter.takes(&decision(net, "weir/ssh-bf")));
        assert_eq!(taken.collect::<Vec<_>>(), expected, "{query}");
    }

    #[test]
    fn queries_choose() {
        check("", &[HOST, RANGE, SIX]);
        check("ip=192.0.2.7", &[HOST]);
        check("ip=::ffff:192.0.2.7", &[HOST]);
        check("ip=198.51.100.9", &[RANGE]);
        check("ip=198.51.100.0%2F25", &[RANGE]);
        check("range=198.51.0.0/16", &[]);
        check("range=198.51.0.0/16&contains=false", &[RANGE]);
        check("range=0.0.0.0/0&contains=f", &[HOST, RANGE]);
        check("ip=2001:db8::1", &[SIX]);
        check("scopes=ip,RANGE", &[HOST, RANGE, SIX]);
        check("scopes=Ip%2Ccountry", &[HOST]);
        check("scope=range", &[RANGE, SIX]);
        check("scopes=AS", &[]);
        check("value=192.0.2.7", &[HOST]);
        check("value=192.0.2.7&value=x", &[HOST]);
        check("type=captcha", &[]);
        check("origins=cscli,crowdsec", &[HOST, RANGE, SIX]);
        check("origins=CROWDSEC", &[]);
        check("scenarios_containing=http,SSH", &[HOST, RANGE, SIX]);
        check("scenarios_not_containing=ssh", &[]);
        check("id_gt=7", &[]);
        check("moon=full&&=&%zz=1", &[HOST, RANGE, SIX]);
    }

    #[test]
    fn what_is_of_another_host_is_asked_for_as_it_is_called_there() {
        let reason = "hq/lists:firehol: crowdsecurity/SSH-bf";
        let relayed = Followed { origin: Origin::Remote, ..decision(HOST, reason) };
        let check = |query: &str, expected: bool| {
            let filter = Filter::of(&Pairs::of(query), None).unwrap();
            assert_eq!(filter.takes(&relayed), expected, "{query}");
            assert!(filter.takes_subject(&relayed), "its end is told in any case: {query}");
        };
        check("", true);
        check("relayed=true", true);
        check("relayed=false", false);
        check("origins=lists:firehol", true);
        check("origins=crowdsec,lists", false);
        check("scenarios_containing=ssh", true);
        check("scenarios_containing=hq", false);
    }

    /// Which of those that only bouncers carry out a query wants, by type and value.
    #[track_caller]
    fn check_others(query: &str, expected: &[&str]) {
        let all = [
            ["captcha", "Ip", HOST],
            ["captcha", "Range", RANGE],
            ["ban", "Country", "FR"],
            ["throttle", "AS", "64500"],
            ["ban", "user", "FR"],
        ];
        let filter = Filter::of(&Pairs::of(query), None).unwrap();
        let taken = all.into_iter().filter(|[kind, scope, value]| {
            let other = Other::new(kind, scope, value).unwrap();
            filter.takes(&of(Subject::Other(other), "weir/http-crawl"))
        });
        let shown = taken.map(|[kind, _, value]| format!("{kind} {value}")).collect::<Vec<_>>();
        assert_eq!(shown, expected, "{query}");
    }

    #[test]
    fn queries_choose_by_type_and_scope() {
        let (host, range) = ("captcha 192.0.2.7", "captcha 198.51.100.0/24");
        let (country, system, user) = ("ban FR", "throttle 64500", "ban FR");
        check_others("", &[host, range, country, system, user]);
        check_others("ip=192.0.2.7", &[host]);
        check_others("range=198.51.100.128/25", &[range]);
        check_others("ip=198.51.0.0/16&contains=false", &[range]);
        check_others("scopes=ip,range", &[host, range]);
        check_others("scopes=COUNTRY%2cas", &[country, system]);
        check_others("scope=Country&value=FR", &[country]);
        check_others("scope=user&value=FR", &[user]);
        check_others("scope=User", &[]);
        check_others("value=FR", &[country, user]);
        check_others("type=captcha", &[host, range]);
        check_others("type=Captcha", &[]);
        check_others("type=ban&scopes=country", &[country]);
    }

    #[track_caller]
    fn subject(query: &str, expected: Option<&str>) {
        let filter = Filter::of(&Pairs::of(query), None).unwrap();
        assert_eq!(filter.subject().as_deref(), expected, "{query}");
    }

    #[test]
    fn one_subject_is_looked_up() {
        subject("scope=country&value=FR", Some("Country/FR"));
        subject("scopes=user&value=a/b", Some("user/a%2Fb"));
        subject("scopes=country,as&value=FR", None);
        subject("scopes=country", None);
        subject("value=FR", None);
        subject("scope=ip&value=192.0.2.7", None);
        subject("scope=country&value=FR&ip=192.0.2.7", None);
        subject("scope=country&value=", None);
    }

    #[test]
    fn observed_ones_are_shown_when_asked_for() {
        let observed = of(Subject::Net(parse_net(HOST).unwrap(), Action::Observe), "x");
        let takes = |query| Filter::of(&Pairs::of(query), None).unwrap().takes(&observed);
        assert_eq!(["", "simulated=false", "simulated=true"].map(takes), [false, false, true]);
    }

    #[test]
    fn a_stream_is_of_addresses_unless_it_says_otherwise() {
        let usual: &[&str] = &["ip", "range"];
        let scopes = |query| Filter::of(&Pairs::of(query), Some(usual)).unwrap().scopes.unwrap();
        assert_eq!(scopes("scope=country"), ["Ip", "Range"]);
        assert_eq!(scopes("scopes=country"), ["Country"]);
    }

    #[track_caller]
    fn refused(query: &str, expected: &str) {
        let refused = Filter::of(&Pairs::of(query), None).unwrap_err();
        assert_eq!(refused.to_string(), expected);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        refused(
            "ip=1.2.3.4&contains=perhaps",
            "expected `true` or `false` as `contains`, found `perhaps`",
        );
        refused("limit=many", "expected a number as `limit`, found `many`");
        assert!(matches!(
            Filter::of(&Pairs::of("ip=x"), None),
            Err(Wrong::Address { name: "ip", .. })
        ));
        assert!(matches!(
            Filter::of(&Pairs::of("range="), None),
            Err(Wrong::Address { name: "range", .. })
        ));
    }
}
