use super::*;
use crate::decision::{Action, Allowlist, parse_net};

fn decision(net: &str, origin: Origin) -> Decision {
    Decision {
        id: 7,
        target: Allowlist::default().admit(parse_net(net).unwrap()).unwrap(),
        action: Action::Ban,
        origin,
        reason: "weir/ssh-bf".to_owned(),
        created_at: Time::from_seconds(1_700_000_000),
        until: Time::from_seconds(1_700_000_060),
        events: 6,
    }
}

const HOST: &str = "192.0.2.7";
const RANGE: &str = "198.51.100.0/24";
const SIX: &str = "2001:db8::7";

/// Which of a few decisions a query ends.
#[track_caller]
fn check(query: &str, expected: &[&str]) {
    let fit = Fit::of(&Pairs::of(query)).unwrap();
    let nets = [(HOST, Origin::Scenario), (RANGE, Origin::Manual), (SIX, Origin::List)];
    let nets = nets.into_iter().filter(|(net, origin)| fit.fits(&decision(net, *origin)));
    let others = [["captcha", "Ip", HOST], ["ban", "Country", "FR"]];
    let others = others.into_iter().filter(|[kind, scope, value]| {
        let created_at = Time::from_seconds(0);
        fit.fits_other(8, &Other::new(kind, scope, value).unwrap())
            && fit.fits_story(8, Origin::Manual, "by hand", created_at)
    });
    let ended: Vec<String> = nets
        .map(|(net, _)| net.to_owned())
        .chain(others.map(|[kind, _, value]| format!("{kind} {value}")))
        .collect();
    assert_eq!(ended, expected, "{query}");
}

#[test]
fn queries_choose_what_ends() {
    let (captcha, country) = ("captcha 192.0.2.7", "ban FR");
    check("", &[HOST, RANGE, SIX, captcha, country]);
    check("ip=192.0.2.7", &[HOST, captcha]);
    check("ip=198.51.100.7", &[RANGE]);
    check("range=198.51.100.0/24", &[RANGE]);
    check("range=198.51.0.0/16", &[]);
    check("range=198.51.0.0/16&contains=false", &[RANGE]);
    check("range=0.0.0.0/0&contains=false", &[HOST, RANGE, captcha]);
    check("scopes=ip", &[HOST, SIX, captcha]);
    check("scopes=Range", &[RANGE]);
    check("scopes=country", &[country]);
    check("scopes=Ip,Range", &[]);
    check("value=192.0.2.7", &[HOST, captcha]);
    check("value=FR", &[country]);
    check("type=ban", &[HOST, RANGE, SIX, country]);
    check("type=captcha", &[captcha]);
    check("origin=crowdsec", &[HOST]);
    check("origin=cscli", &[RANGE, captcha, country]);
    check("origin=lists", &[SIX]);
    check("origin=CAPI", &[]);
    check("scenario=weir/ssh-bf", &[HOST, RANGE, SIX]);
    check("scenario=by%20hand", &[captcha, country]);
    let uuid = uuid(Time::from_seconds(1_700_000_000), 7);
    check(&format!("uuid=x&uuid={uuid}"), &[HOST, RANGE, SIX]);
    check("uuid=x", &[]);
}

#[test]
fn a_number_is_that_of_one() {
    assert!(Fit::numbered(7).fits(&decision(HOST, Origin::List)));
    assert!(!Fit::numbered(8).fits(&decision(HOST, Origin::List)));
    let other = Other::new("ban", "Country", "FR").unwrap();
    assert!(Fit::numbered(8).fits_other(8, &other) && !Fit::numbered(8).fits_other(7, &other));
}

#[track_caller]
fn refused(query: &str, expected: &str) {
    assert_eq!(Fit::of(&Pairs::of(query)).unwrap_err().to_string(), expected, "{query}");
}

#[test]
fn what_is_not_understood_ends_nothing() {
    refused("scope=Ip", "'scope' doesn't exist: invalid filter");
    refused("ip=192.0.2.7&limit=1", "'limit' doesn't exist: invalid filter");
    refused(
        "ip=%zz",
        "expected `name=value` pairs behind the `?`, percent-encoded: invalid filter",
    );
    refused("contains=perhaps", "expected `true` or `false` as `contains`, found `perhaps`");
    assert!(Fit::of(&Pairs::of("ip=nobody")).is_err());
    assert!(Fit::of(&Pairs::of("ip=")).is_err());
}
