//! Methods of statics: they look something up and add what they find to `evt.Enriched`.

use std::net::IpAddr;

use super::field::Field;
use crate::event::{Event, Mode};
use crate::expr::World;
use crate::expr::world::{Geo, Question};
use crate::value::{
    Arena, Entries, Map, Names, RFC3339_MAX, Section, Time, Type, Value, Zone, parse_address,
    parse_date,
};

/// A method and the fields that it writes.
#[derive(Debug)]
pub(super) struct Enrichment {
    pub(super) method: Method,
    fields: Vec<Field>,
}

/// What can be looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    /// The time that a text tells.
    ParseDate,
    /// The country and the coordinates of an address.
    City,
    /// The network operator of an address.
    AsNumber,
    /// The network of an address.
    Range,
    /// The name of an address.
    ReverseDns,
    /// The line as JSON.
    UnmarshalJson,
}

impl Method {
    /// Whether it would write nothing whatever it is asked, for want of a database.
    #[inline]
    pub(super) fn knows_nothing(self, world: &World) -> bool {
        match self {
            Self::City => !world.facts().geo.knows_places(),
            Self::AsNumber | Self::Range => !world.facts().geo.knows_networks(),
            Self::ParseDate | Self::ReverseDns | Self::UnmarshalJson => false,
        }
    }

    /// All methods by the names that rules use.
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("ParseDate", Self::ParseDate),
        ("GeoIpCity", Self::City),
        ("GeoIpASN", Self::AsNumber),
        ("IpToRange", Self::Range),
        ("reverse_dns", Self::ReverseDns),
        ("UnmarshalJSON", Self::UnmarshalJson),
    ];

    /// The fields of `evt.Enriched` that it writes.
    const fn outputs(self) -> &'static [&'static str] {
        match self {
            Self::ParseDate => &["MarshaledTime"],
            Self::City => &["IsoCode", "IsInEU", "Latitude", "Longitude"],
            Self::AsNumber => &["ASNNumber", "ASNumber", "ASNOrg"],
            Self::Range => &["SourceRange"],
            Self::ReverseDns => &["reverse_dns"],
            Self::UnmarshalJson => &[],
        }
    }
}

/// The date that was parsed last: lines come in bursts, and those of one second say the same.
#[derive(Debug, Default)]
pub(super) struct LastDate {
    text: String,
    layout: String,
    /// Where the zone is that it was read in; zones outlive what remembers dates.
    zone: Option<usize>,
    /// A date without a year is of the year of now.
    now: Option<Time>,
    time: Option<Time>,
    /// The time, or now if the text tells none, in RFC 3339.
    shown: String,
}

impl LastDate {
    fn parse(&mut self, text: &str, layout: &str, now: Time, zone: Option<&Zone>) {
        let is_now = |known: Time| (known.nanos, known.offset) == (now.nanos, now.offset);
        let place = zone.map(|zone| std::ptr::from_ref(zone).addr());
        if self.now.is_some_and(is_now)
            && self.zone == place
            && self.text == text
            && self.layout == layout
        {
            return;
        }
        self.now = Some(now);
        self.zone = place;
        text.clone_into(&mut self.text);
        layout.clone_into(&mut self.layout);
        self.time = parse_date(text, layout, now, zone);
        self.shown.clear();
        let mut buffer = [0; RFC3339_MAX];
        self.shown.push_str(self.time.unwrap_or(now).write_rfc3339(&mut buffer));
    }
}

impl Enrichment {
    pub(super) fn new(method: Method, names: &mut Names) -> Self {
        let outputs = method.outputs().iter();
        let fields = outputs.map(|name| Field::intern(names, Section::Enriched, name)).collect();
        Self { method, fields }
    }

    /// The fields that it writes.
    pub(super) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Looks `text` up and writes what is found. What cannot be looked up writes nothing.
    pub(super) fn apply<'a>(
        &self,
        text: &'a str,
        event: &Event<'a>,
        world: &'a World,
        last: &mut LastDate,
    ) {
        match self.method {
            Method::ParseDate => {
                let dates = event.dates.get();
                last.parse(text, event.str_time_format.get(), world.now(), dates.zone);
                match (last.time, dates.most_skew) {
                    (Some(time), _) if event.mode == Mode::Replay => event.time.set(time),
                    (Some(time), Some(most)) if time.since(event.received_at).abs() > most => {
                        event.skewed.set(true);
                        let mut buffer = [0; RFC3339_MAX];
                        let arrival = event.received_at.write_rfc3339(&mut buffer);
                        return self.put(event, &[event.arena().alloc_str(arrival)]);
                    }
                    _ => {}
                }
                self.put(event, &[event.arena().alloc_str(&last.shown)]);
            }
            Method::UnmarshalJson => unmarshal(event),
            Method::City | Method::AsNumber | Method::Range | Method::ReverseDns => {
                // Hostile: the text may be anything.
                if let Some(address) = parse_address(text) {
                    self.look_up(address, event, world);
                }
            }
        }
    }

    fn look_up<'a>(&self, address: IpAddr, event: &Event<'a>, world: &'a World) {
        let (arena, facts) = (event.arena(), world.facts());
        match self.method {
            Method::City => {
                let Some(record) = facts.geo.city(address) else { return };
                let (country, in_union) = Geo::country(&record);
                let degrees = |degrees: Option<f64>| -> &'a str {
                    bumpalo::format!(in arena, "{:.6}", degrees.unwrap_or(0.0)).into_bump_str()
                };
                self.put(
                    event,
                    &[
                        arena.alloc_str(country),
                        if in_union { "true" } else { "false" },
                        degrees(record.location.latitude),
                        degrees(record.location.longitude),
                    ],
                );
            }
            Method::AsNumber => {
                let Some(record) = facts.geo.asn(address) else { return };
                let number = record.autonomous_system_number.unwrap_or(0);
                let number = bumpalo::format!(in arena, "{}", number).into_bump_str();
                let name = record.autonomous_system_organization.unwrap_or_default();
                self.put(event, &[number, number, arena.alloc_str(name)]);
            }
            Method::Range => {
                let Some(range) = facts.geo.range(address) else { return };
                self.put(event, &[bumpalo::format!(in arena, "{}", range).into_bump_str()]);
            }
            Method::ReverseDns => {
                let answer = facts.resolver.ask(Question::Names(address), world.now());
                let Some(name) = answer.as_ref().and_then(|names| names.first()) else { return };
                // Rules expect the name as the DNS has it: with its final dot.
                let name = name.trim_end_matches('.');
                self.put(event, &[bumpalo::format!(in arena, "{}.", name).into_bump_str()]);
            }
            Method::ParseDate | Method::UnmarshalJson => {}
        }
    }

    fn put<'a>(&self, event: &Event<'a>, texts: &[&'a str]) {
        for (field, text) in self.fields.iter().zip(texts) {
            field.set(event, text);
        }
    }
}

/// Brings the keys of the line, if it is a JSON object, into `evt.Unmarshaled`.
fn unmarshal(event: &Event<'_>) {
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(event.raw.get()) else {
        return;
    };
    let arena = event.arena();
    for (key, value) in &object {
        event.unmarshaled().set(arena.alloc_str(key), lend(value, arena));
    }
}

/// A JSON value in the arena; all numbers are floats. The reader bounds the depth.
fn lend<'a>(value: &serde_json::Value, arena: &'a Arena) -> Value<'a> {
    match value {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => number.as_f64().map_or(Value::Nil, Value::Float),
        serde_json::Value::String(text) => Value::Text(arena.alloc_str(text)),
        serde_json::Value::Array(items) => {
            let items: Vec<_> = items.iter().map(|item| lend(item, arena)).collect();
            Value::List(arena.alloc_slice_copy(&items))
        }
        serde_json::Value::Object(entries) => {
            let map = arena.alloc(Entries::new(arena, Type::Unknown));
            for (key, value) in entries {
                map.set(arena.alloc_str(key), lend(value, arena));
            }
            Value::Map(map)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Dates, Kind};
    use crate::expr::world::Facts;

    const NOW: Time = Time::from_seconds(1_700_000_000);

    #[track_caller]
    fn check(method: Method, mode: Mode, format: &str, text: &str, expected: &[(&str, &str)]) {
        let (arena, mut names, world) = (Arena::new(), Names::new(), World::default());
        world.set_now(NOW);
        let enrichment = Enrichment::new(method, &mut names);
        let event = Event::new(&arena, &names, Kind::Log, mode, Time::from_seconds(7));
        event.str_time_format.set(arena.alloc_str(format));
        enrichment.apply(arena.alloc_str(text), event, &world, &mut LastDate::default());
        let mut found = vec![("Time", event.time.get().rfc3339())];
        event.each_field(Section::Enriched, &mut |name, text| found.push((name, text.to_owned())));
        let expected: Vec<_> = expected.iter().map(|(n, t)| (*n, (*t).to_owned())).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn dates_set_the_time_of_a_replay_only() {
        let arrival = ("Time", "1970-01-01T00:00:07Z");
        let text = "2006-01-02T15:04:05-07:00";
        let written = ("MarshaledTime", text);
        check(Method::ParseDate, Mode::Replay, "", text, &[("Time", text), written]);
        check(Method::ParseDate, Mode::Live, "", text, &[arrival, written]);
        let now = ("MarshaledTime", "2023-11-14T22:13:20Z");
        check(Method::ParseDate, Mode::Replay, "", "", &[arrival, now]);
        check(Method::ParseDate, Mode::Replay, "", "no date", &[arrival, now]);
    }

    #[test]
    fn clocks_of_senders() {
        let (arena, mut names, world) = (Arena::new(), Names::new(), World::default());
        let berlin = Zone::named("Europe/Berlin").expect("a zone");
        let now = Time::from_rfc3339("2026-11-23T10:00:00Z").expect("well-formed");
        world.set_now(now);
        let enrichment = Enrichment::new(Method::ParseDate, &mut names);
        // One memory for all, as a worker has it.
        let mut last = LastDate::default();
        let mut check = |mode, zone, most_skew, text: &str, written: &str, is_skewed| {
            let event = Event::new(&arena, &names, Kind::Log, mode, now);
            event.dates.set(Dates { zone, most_skew });
            enrichment.apply(arena.alloc_str(text), event, &world, &mut last);
            let found = event.get_named(Section::Enriched, "MarshaledTime");
            assert_eq!((found, event.skewed.get()), (Some(written), is_skewed), "{text}");
            // The arrival stays what live buckets go by.
            let time = if mode == Mode::Live { now.rfc3339() } else { written.to_owned() };
            assert_eq!(event.time.get().rfc3339(), time);
        };
        let (text, most) = ("Nov 23 11:00:00", Some(300_000_000_000));
        let (there, here) = ("2026-11-23T11:00:00+01:00", "2026-11-23T11:00:00Z");
        check(Mode::Live, Some(&berlin), most, text, there, false);
        check(Mode::Live, None, None, text, here, false);
        check(Mode::Live, None, most, text, "2026-11-23T10:00:00Z", true);
        check(Mode::Live, None, most, "Nov 23 10:04:59", "2026-11-23T10:04:59Z", false);
        check(Mode::Live, None, most, "Nov 23 09:54:59", "2026-11-23T10:00:00Z", true);
        // The times of a log that is read again are as far from now as they are.
        check(Mode::Replay, Some(&berlin), most, text, there, false);
        check(Mode::Replay, None, most, text, here, false);
    }

    #[test]
    fn a_layout_of_the_rule_comes_first() {
        let written = "2011-12-17T08:17:43Z";
        let expected = [("Time", written), ("MarshaledTime", written)];
        let layout = "2006 X 2 zz 15X04X05 oneone Jan";
        check(
            Method::ParseDate,
            Mode::Replay,
            layout,
            "2011 X 17 zz 08X17X43 oneone Dec",
            &expected,
        );
        check(Method::ParseDate, Mode::Replay, layout, "2011-12-17T08:17:43Z", &expected);
    }

    #[test]
    fn without_a_database_or_an_address_nothing_is_written() {
        let arrival = [("Time", "1970-01-01T00:00:07Z")];
        for (_, method) in &Method::ALL[1..] {
            check(*method, Mode::Live, "", "192.0.2.1", &arrival);
            check(*method, Mode::Live, "", "nowhere", &arrival);
        }
    }

    #[test]
    fn the_line_is_read_as_json_whatever_the_text_is() {
        let (arena, names, world) = (Arena::new(), Names::new(), World::default());
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, NOW);
        let enrichment = Enrichment::new(Method::UnmarshalJson, &mut Names::new());
        event.raw.set("{\"a\": [1, {\"b\": null}], \"c\": \"d\"}");
        enrichment.apply("x", event, &world, &mut LastDate::default());
        let found = format!("{:?}", Value::Map(event.unmarshaled()));
        assert_eq!(found, "{\"a\": [1.0, {\"b\": nil}], \"c\": \"d\"}");
        event.raw.set("{\"e\":");
        enrichment.apply("x", event, &world, &mut LastDate::default());
        assert_eq!(event.unmarshaled().len(), 2);
    }

    /// What a method writes about an address.
    #[track_caller]
    fn check_lookup(world: &World, method: Method, address: &str, expected: &[(&str, &str)]) {
        let (arena, mut names) = (Arena::new(), Names::new());
        let enrichment = Enrichment::new(method, &mut names);
        let event = Event::new(&arena, &names, Kind::Log, Mode::Live, NOW);
        enrichment.apply(arena.alloc_str(address), event, world, &mut LastDate::default());
        let mut found = Vec::new();
        event.each_field(Section::Enriched, &mut |n, t| found.push((n, t)));
        assert_eq!(found, expected, "{method:?} of {address}");
    }

    fn world_with(databases: Vec<Vec<u8>>) -> World {
        let mut facts = Facts::default();
        for database in databases {
            assert!(facts.geo.add(database).unwrap());
        }
        World::new(std::sync::Arc::new(facts))
    }

    const PLACE: [&str; 4] = ["IsoCode", "IsInEU", "Latitude", "Longitude"];
    const OPERATOR: [&str; 3] = ["ASNNumber", "ASNumber", "ASNOrg"];

    #[test]
    fn addresses_are_looked_up() {
        let country = |code: &str| serde_json::json!({"iso_code": code});
        let places = [
            (
                "192.0.2.0/24",
                serde_json::json!({
                    "country": {"iso_code": "DE", "is_in_european_union": true},
                    "registered_country": country("US"),
                    "location": {"latitude": 52.52, "longitude": -0.5},
                }),
            ),
            ("198.51.100.0/24", serde_json::json!({"registered_country": country("US")})),
            ("203.0.113.0/24", serde_json::json!({"represented_country": country("FR")})),
        ];
        let operator = serde_json::json!({
            "autonomous_system_number": 64500,
            "autonomous_system_organization": "Example",
        });
        let operators = [("192.0.2.0/25", operator)];
        let world = world_with(vec![
            crate::expr::world::sample::database("GeoLite2-City", &places),
            crate::expr::world::sample::database("GeoLite2-ASN", &operators),
        ]);
        let place = |address, texts: [&'static str; 4]| {
            let expected: Vec<_> = PLACE.into_iter().zip(texts).collect();
            check_lookup(&world, Method::City, address, &expected);
        };
        let nowhere = "0.000000";
        place("192.0.2.9", ["DE", "true", "52.520000", "-0.500000"]);
        place("198.51.100.9", ["US", "false", nowhere, nowhere]);
        place("203.0.113.9", ["FR", "false", nowhere, nowhere]);
        // An address that the database does not know is nowhere.
        place("2001:db8::1", ["", "false", nowhere, nowhere]);
        let operator = |address, texts: [&'static str; 3]| {
            let expected: Vec<_> = OPERATOR.into_iter().zip(texts).collect();
            check_lookup(&world, Method::AsNumber, address, &expected);
        };
        operator("192.0.2.9", ["64500", "64500", "Example"]);
        operator("192.0.2.200", ["0", "0", ""]);
        check_lookup(&world, Method::Range, "192.0.2.9", &[("SourceRange", "192.0.2.0/25")]);
        check_lookup(&world, Method::Range, "192.0.2.200", &[]);
        for method in [Method::City, Method::AsNumber, Method::Range] {
            check_lookup(&world, method, "no address", &[]);
        }
    }

    /// Databases made for tests by those who make the real ones, where they are at hand.
    #[test]
    fn addresses_are_looked_up_in_the_databases() {
        let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/hub");
        let hub = std::env::var_os("WEIR_HUB").map_or(beside, std::path::PathBuf::from);
        let read = |name| std::fs::read(hub.join("../geo").join(name));
        let (Ok(city), Ok(asn)) = (read("GeoLite2-City-Test.mmdb"), read("GeoLite2-ASN-Test.mmdb"))
        else {
            return;
        };
        let world = world_with(vec![city, asn]);
        let check = |method, address: &str, expected: &[(&str, &str)]| {
            check_lookup(&world, method, address, expected);
        };
        check(
            Method::City,
            "81.2.69.142",
            &[
                ("IsoCode", "GB"),
                ("IsInEU", "false"),
                ("Latitude", "51.514200"),
                ("Longitude", "-0.093100"),
            ],
        );
        check(
            Method::AsNumber,
            "1.128.0.1",
            &[("ASNNumber", "1221"), ("ASNumber", "1221"), ("ASNOrg", "Telstra Pty Ltd")],
        );
        check(Method::Range, "1.128.0.1", &[("SourceRange", "1.128.0.0/11")]);
        check(
            Method::City,
            "192.0.2.1",
            &[
                ("IsoCode", ""),
                ("IsInEU", "false"),
                ("Latitude", "0.000000"),
                ("Longitude", "0.000000"),
            ],
        );
    }
}
