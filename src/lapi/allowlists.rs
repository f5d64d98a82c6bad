//! Who is never banned, as the lists that machines ask for: one for each place that friends come
//! from. It knows no socket, and nobody changes a list through it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use serde::Serialize;

use crate::decision::{Allowlist, Entry, EntryOrigin, scope_and_value};
use crate::value::Time;

/// The lists, and what each is.
const LISTS: [(EntryOrigin, &str); 5] = [
    (EntryOrigin::Default, "built in: loopback, link-local and private addresses"),
    (EntryOrigin::Settings, "the configuration"),
    (EntryOrigin::Name, "what host names stand for now"),
    (EntryOrigin::Host, "this host and its gateways"),
    (EntryOrigin::Operator, "entered by hand, with `weir allow`"),
];
/// Entries that are named for one target.
const MOST_REASONS: usize = 16;

/// Where the friends are looked up. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Friends(Arc<Mutex<Arc<Lists>>>);

/// The friends at one time.
#[derive(Debug, Default)]
pub(super) struct Lists {
    all: Allowlist,
    /// Since when each entry has been there, as far as this process knows.
    since: HashMap<(&'static str, IpNet), Time>,
    /// When each list was first there, and when it changed last.
    changed: HashMap<&'static str, (Time, Time)>,
}

/// A list as machines read it.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    created_at: String,
    description: &'static str,
    items: Vec<Item<'a>>,
    name: &'static str,
    updated_at: String,
}

#[derive(Serialize)]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    created_at: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    /// Absent where it has no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    expiration: Option<String>,
    value: String,
}

impl Friends {
    /// Takes over who the friends are now.
    pub fn are(&self, all: Allowlist, now: Time) {
        let before = self.lists();
        let mut since = HashMap::new();
        let mut changed = HashMap::new();
        for (origin, _) in LISTS {
            let name = origin.name();
            let mut is_same = true;
            for entry in all.entries().iter().filter(|entry| entry.origin == origin) {
                let known = before.since.get(&(name, entry.net));
                is_same &= known.is_some();
                since.insert((name, entry.net), *known.unwrap_or(&now));
            }
            let count = |since: &HashMap<(&str, IpNet), Time>| {
                since.keys().filter(|(list, _)| *list == name).count()
            };
            is_same &= count(&since) == count(&before.since);
            let (first, last) = *before.changed.get(name).unwrap_or(&(now, now));
            changed.insert(name, (first, if is_same { last } else { now }));
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Arc::new(Lists { all, since, changed });
    }

    /// The friends as they are now.
    pub(super) fn lists(&self) -> Arc<Lists> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Lists {
    /// All lists, with what is in them if that is wanted.
    pub(super) fn all(&self, with_content: bool) -> Vec<Shown<'_>> {
        LISTS.iter().map(|(origin, about)| self.shown(*origin, about, with_content)).collect()
    }

    /// The list of this name.
    pub(super) fn named(&self, name: &str, with_content: bool) -> Option<Shown<'_>> {
        let (origin, about) = LISTS.iter().find(|(origin, _)| origin.name() == name)?;
        Some(self.shown(*origin, about, with_content))
    }

    /// Which entries stand for a prefix: those that hold it, then those in it.
    pub(super) fn reasons(&self, net: IpNet) -> Vec<String> {
        self.all.find_all(net).take(MOST_REASONS).map(reason).collect()
    }

    fn shown(
        &self,
        origin: EntryOrigin,
        description: &'static str,
        with_content: bool,
    ) -> Shown<'_> {
        let name = origin.name();
        let never = Time::from_seconds(0);
        let (created_at, updated_at) = *self.changed.get(name).unwrap_or(&(never, never));
        let of_it = |entry: &&Entry| with_content && entry.origin == origin;
        let items = self.all.entries().iter().filter(of_it).map(|entry| Item {
            created_at: self.since.get(&(name, entry.net)).map(|at| second(*at)),
            description: &entry.comment,
            expiration: entry.until.map(second),
            value: scope_and_value(entry.net).1,
        });
        Shown {
            created_at: second(created_at),
            description,
            items: items.collect(),
            name,
            updated_at: second(updated_at),
        }
    }
}

/// An entry in a few words.
fn reason(entry: &Entry) -> String {
    let value = scope_and_value(entry.net).1;
    let list = entry.origin.name();
    match &*entry.comment {
        "" => format!("{value} from {list}"),
        comment => format!("{value} from {list} ({comment})"),
    }
}

/// An instant without its fraction.
fn second(at: Time) -> String {
    Time::from_seconds(at.seconds()).rfc3339()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decision::parse_net;

    fn entry(net: &str, origin: EntryOrigin, comment: &str, until: Option<i64>) -> Entry {
        let until = until.map(Time::from_seconds);
        Entry { net: parse_net(net).unwrap(), origin, comment: comment.to_owned(), until }
    }

    #[test]
    fn lists_know_since_when() {
        let friends = Friends::default();
        let home = entry("203.0.113.7", EntryOrigin::Settings, "home", None);
        let guest = entry("198.51.100.0/24", EntryOrigin::Operator, "", Some(90));
        let at = Time::from_seconds;
        friends.are(Allowlist::new(vec![home.clone()]), at(1));
        friends.are(Allowlist::new(vec![home.clone(), guest.clone()]), at(2));
        friends.are(Allowlist::new(vec![home, guest]), at(3));
        let lists = friends.lists();
        let json =
            |name: &str, content| serde_json::to_string(&lists.named(name, content)).unwrap();
        assert_eq!(
            json("operator", true),
            r#"{"created_at":"1970-01-01T00:00:01Z","description":"entered by hand, with `weir allow`","items":[{"created_at":"1970-01-01T00:00:02Z","expiration":"1970-01-01T00:01:30Z","value":"198.51.100.0/24"}],"name":"operator","updated_at":"1970-01-01T00:00:02Z"}"#
        );
        assert_eq!(
            json("settings", true),
            r#"{"created_at":"1970-01-01T00:00:01Z","description":"the configuration","items":[{"created_at":"1970-01-01T00:00:01Z","description":"home","value":"203.0.113.7"}],"name":"settings","updated_at":"1970-01-01T00:00:01Z"}"#
        );
        assert!(json("settings", false).contains(r#""items":[]"#));
        assert_eq!(json("nobody", true), "null");
        assert_eq!(lists.all(false).len(), 5);
        friends.are(Allowlist::default(), at(4));
        let gone = friends.lists();
        assert_eq!(gone.named("settings", true).unwrap().updated_at, "1970-01-01T00:00:04Z");
    }

    #[test]
    fn who_is_a_friend_is_told_why() {
        let friends = Friends::default();
        let entries = vec![
            entry("203.0.113.0/24", EntryOrigin::Settings, "office", None),
            entry("203.0.113.7", EntryOrigin::Operator, "", None),
        ];
        friends.are(Allowlist::new(entries), Time::from_seconds(1));
        let check = |target: &str, expected: &[&str]| {
            assert_eq!(friends.lists().reasons(parse_net(target).unwrap()), expected, "{target}");
        };
        let (office, one) = ("203.0.113.0/24 from settings (office)", "203.0.113.7 from operator");
        check("203.0.113.7", &[one, office]);
        check("203.0.113.8", &[office]);
        check("203.0.113.0/30", &[office]);
        check("203.0.0.0/16", &[office, one]);
        check("192.0.2.1", &[]);
    }
}
