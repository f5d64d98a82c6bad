//! What only bouncers carry out, beside bans: kept, followed, over, forgotten, and in nobody's way.

use rusqlite::Connection;

use super::super::others::MOST_OTHERS;
use super::super::*;
use super::{Folder, at, open, record, target};
use crate::decision::{Allowlist, Entry, EntryOrigin, Other, parse_net};

fn new(key: &str, until: i64) -> NewOther {
    let other = Other::of_key(key).unwrap();
    NewOther { other, origin: Origin::Manual, reason: "by hand".to_owned(), until: at(until) }
}

const CAPTCHA: &str = "captcha/Ip/203.0.113.7";
const COUNTRY: &str = "ban/Country/FR";

/// What somebody who begins to follow is told: number, what, end.
fn told(folder: &Folder, which: Which) -> Vec<(u64, String, i64)> {
    let feed = Feed::open(&folder.path()).unwrap();
    let to = feed.version().unwrap();
    let page = feed.page(which, (-1, u64::MAX), to, 99).unwrap();
    let shown = |subject: &Subject| match subject {
        Subject::Net(net, _) => net.to_string(),
        Subject::Other(other) => other.key(),
    };
    page.iter().map(|one| (one.id, shown(&one.subject), one.until.seconds())).collect()
}

fn row(id: u64, key: &str, until: i64) -> (u64, String, i64) {
    (id, key.to_owned(), until)
}

#[test]
fn one_of_a_kind_is_in_force_until_the_later_end() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    let mut begin = |news: Vec<NewOther>, now| ledger.begin_others(news, at(now)).unwrap();
    assert_eq!(begin(vec![new(CAPTCHA, 100), new(COUNTRY, 50), new(CAPTCHA, 80)], 2), [2, 3, 2]);
    assert_eq!(begin(vec![new(CAPTCHA, 90), new(COUNTRY, 60)], 3), [2, 3], "shorter, longer");
    let all = [row(1, "203.0.113.7/32", 100), row(2, CAPTCHA, 100), row(3, COUNTRY, 60)];
    assert_eq!(told(&folder, Which::Active), all);
    assert_eq!(begin(vec![new(COUNTRY, 200)], 60), [4], "its time was up");
    assert_eq!(told(&folder, Which::Ended), [], "it has a successor");
    assert_eq!(begin(vec![], 61), [0; 0]);
    let recorded = ledger.record(vec![record("203.0.113.9", 100)], at(70));
    assert_eq!(recorded.kept, [(5, Kept::Begun)], "numbers are of one count");
    let held: Vec<_> = ledger.others(at(70)).map(|(id, other)| (id, other.key())).collect();
    assert_eq!(held, [(2, CAPTCHA.to_owned()), (4, COUNTRY.to_owned())]);
    let stored = ledger.stored_others(&[1, 2, 3, 9]).unwrap();
    assert_eq!(stored, [StoredOther { id: 2, created_at: at(2), new: new(CAPTCHA, 100) }]);
}

#[test]
fn they_end_by_hand_and_by_time_and_are_forgotten() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.begin_others(vec![new(CAPTCHA, 100), new(COUNTRY, 50)], at(1)).unwrap();
    let ended = ledger.end_others(&[1, 1, 7], Cause::Unbanned, at(9)).unwrap();
    assert_eq!(ended, [(1, Other::of_key(CAPTCHA).unwrap())]);
    assert_eq!(ledger.end_others(&[1], Cause::Unbanned, at(10)).unwrap(), []);
    assert_eq!(told(&folder, Which::Ended), [row(1, CAPTCHA, 100)]);
    assert!(ledger.has_more(at(50)));
    let ending = ledger.expire(at(50));
    assert_eq!(ending, Ending::default(), "the kernel and the log of bans hear nothing");
    assert_eq!(ledger.others(at(0)).count(), 0);
    assert_eq!(told(&folder, Which::Ended), [row(1, CAPTCHA, 100), row(2, COUNTRY, 50)]);
    assert_eq!(ledger.n_ended, 2);
    ledger.expire(at(8 * 86_400));
    assert_eq!(told(&folder, Which::Ended), []);
    assert_eq!(ledger.n_ended, 0);
}

#[test]
fn they_outlive_the_process_and_get_in_nobodys_way() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    ledger.begin_others(vec![new(CAPTCHA, 100), new(COUNTRY, 50)], at(1)).unwrap();
    ledger.begin_others(vec![new("captcha/AS/64500", 90)], at(1)).unwrap();
    ledger.end_others(&[4], Cause::Unbanned, at(2)).unwrap();
    ledger.end(&[target("203.0.113.7")], Cause::Unbanned, at(2));
    drop(ledger);
    let (mut ledger, opened) = open(&folder.path(), 60);
    assert_eq!((opened.active, opened.expired, opened.unreadable.len()), (0, 0, 0));
    assert_eq!(told(&folder, Which::Active), [row(2, CAPTCHA, 100)], "the other one expired");
    assert_eq!(ledger.begin_others(vec![new(CAPTCHA, 80)], at(61)).unwrap(), [2]);
    // Whoever asks about bans is told of bans.
    assert_eq!(ledger.replace(at(60)), Change::Replace(Vec::new()));
    assert_eq!(ledger.active(at(60)).count(), 0);
    let ended = ledger.ended_since(at(0), 9).unwrap();
    assert_eq!(ended.iter().map(|ended| ended.id).collect::<Vec<_>>(), [1]);
    assert_eq!(ledger.begun_since(at(0), 9).unwrap().len(), 0, "that ban was a mistake");
    let net = parse_net("203.0.113.7").unwrap();
    assert_eq!(ledger.ended_of(net, 9).unwrap().len(), 1);
    assert!(ledger.history(net, 99).unwrap().iter().all(|step| step.decision == 1));
    let past = Past::open(&folder.path()).unwrap();
    assert_eq!(past.count(net, None).unwrap(), 1);
    assert_eq!(past.active(net, at(3)).unwrap(), []);
}

#[test]
fn who_asks_about_an_address_hears_of_both() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    let keys = [CAPTCHA, "throttle/Range/203.0.113.0%2F24", COUNTRY, "captcha/Ip/2001:db8::7"];
    ledger.begin_others(keys.map(|key| new(key, 90)).to_vec(), at(1)).unwrap();
    let feed = Feed::open(&folder.path()).unwrap();
    let around = |text: &str| {
        let found = feed.active_around(parse_net(text).unwrap()).unwrap();
        found.iter().map(|one| one.id).collect::<Vec<_>>()
    };
    assert_eq!(around("203.0.113.7"), [1, 2, 3]);
    assert_eq!(around("203.0.113.9"), [3]);
    assert_eq!(around("203.0.113.0/24"), [3]);
    assert_eq!(around("2001:db8::7"), [5]);
    let about = feed.active_about("Country/FR").unwrap();
    assert_eq!(about.iter().map(|one| one.id).collect::<Vec<_>>(), [4]);
    assert_eq!(feed.active_about("203.0.113.7/32").unwrap(), []);
    let on = |text: &str, also_around| {
        let found = ledger.others_on(parse_net(text).unwrap(), also_around, at(2));
        found.map(|(id, _)| id).collect::<Vec<_>>()
    };
    assert_eq!(on("203.0.113.7", false), [2]);
    assert_eq!(on("203.0.113.7", true), [2, 3]);
    assert_eq!(on("203.0.113.0/24", false), [2, 3]);
}

#[test]
fn what_the_disk_refuses_has_not_happened() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.begin_others(vec![new(COUNTRY, 100)], at(1)).unwrap();
    ledger.disk.limit(1);
    let long = |n: u32| NewOther { reason: "x".repeat(2_000), ..new(&format!("ban/AS/{n}"), 9) };
    let refused = ledger.begin_others((0..200).map(long).collect(), at(2)).unwrap_err();
    assert!(refused.to_string().contains("full"), "{refused}");
    assert_eq!((ledger.others(at(2)).count(), ledger.health().failures), (1, 1));
    ledger.disk.limit(1_000_000);
    assert_eq!(ledger.begin_others(vec![long(1)], at(3)).unwrap(), [2]);
}

#[test]
fn there_are_so_many_and_no_more() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    let news = |from: usize, to: usize| {
        let one = |n| new(&format!("ban/AS/{n}"), 1_000 + i64::try_from(n).unwrap());
        (from..to).map(one).collect::<Vec<_>>()
    };
    assert!(matches!(
        ledger.begin_others(news(0, MOST_OTHERS + 1), at(1)),
        Err(Error::TooMany { .. })
    ));
    ledger.begin_others(news(0, MOST_OTHERS), at(1)).unwrap();
    ledger.begin_others(news(MOST_OTHERS - 1, MOST_OTHERS + 2), at(2)).unwrap();
    assert_eq!(ledger.others(at(2)).count(), MOST_OTHERS);
    assert_eq!(ledger.others(at(2)).next().unwrap().1.value(), "2", "the first to end are gone");
    assert_eq!(ledger.health().evicted, 2);
}

#[test]
fn those_on_friends_end_at_the_start() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.begin_others(vec![new(CAPTCHA, 100), new(COUNTRY, 100)], at(1)).unwrap();
    drop(ledger);
    let friend = Entry {
        net: parse_net("203.0.113.0/24").unwrap(),
        origin: EntryOrigin::Settings,
        comment: String::new(),
        until: None,
    };
    let friends = Allowlist::new(vec![friend]);
    let (ledger, opened) =
        Ledger::open(&folder.path(), Options::default(), &friends, at(2)).unwrap();
    assert_eq!(opened.others_refused, [Other::of_key(CAPTCHA).unwrap()]);
    assert_eq!(ledger.others(at(2)).count(), 1);
    assert_eq!(told(&folder, Which::Ended), [row(1, CAPTCHA, 100)]);
}

#[test]
fn one_that_cannot_be_read_ends() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.begin_others(vec![new(CAPTCHA, 100), new(COUNTRY, 100)], at(1)).unwrap();
    drop(ledger);
    Connection::open(folder.path())
        .unwrap()
        .execute_batch("UPDATE decisions SET target = 'captcha/Ip/x' WHERE id = 1")
        .unwrap();
    let (mut ledger, opened) = open(&folder.path(), 2);
    assert_eq!(opened.unreadable.len(), 1, "{:?}", opened.unreadable);
    assert_eq!(ledger.begin_others(vec![new(CAPTCHA, 100)], at(3)).unwrap(), [3]);
}

#[test]
fn what_can_be_read_of_a_damaged_file_goes_on() {
    let folder = Folder::new();
    let mut ledger = folder.open(0);
    ledger.record(vec![record("203.0.113.7", 100)], at(1));
    ledger.begin_others(vec![new(COUNTRY, 100)], at(1)).unwrap();
    drop(ledger);
    // An index that is not what the table says is damage that a look at the table does not meet.
    let connection = Connection::open(folder.path()).unwrap();
    connection
        .execute_batch(
            "PRAGMA writable_schema = 1;
             UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema
                                                  WHERE name = 'marks') WHERE name = 'decisions_ended';",
        )
        .unwrap();
    drop(connection);
    let (ledger, opened) = open(&folder.path(), 2);
    let damage = opened.damage.unwrap();
    assert!(damage.is_complete, "{damage:?}");
    assert_eq!(told(&folder, Which::Active).len(), 2);
    assert_eq!(ledger.others(at(2)).map(|(id, _)| id).collect::<Vec<_>>(), [2]);
}
