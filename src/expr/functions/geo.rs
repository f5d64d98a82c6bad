//! Places and networks of addresses. Records have the field names that rules know them by; a
//! field that the database does not tell is zero.

use super::address::address;
use super::{Arena, Call, Fault, Function, Type, Value, text};
use crate::expr::world::{CityRecord, Geo};
use crate::value::Entries;

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("GeoIPEnrich", &[TEXT], Type::Unknown, city),
    Function::new("GeoIPASNEnrich", &[TEXT], Type::Unknown, operator),
    Function::new("GeoIPRangeEnrich", &[TEXT], Type::Unknown, network),
    Function::new("IPToCountry", &[TEXT], TEXT, country),
];

fn record<'a>(
    arena: &'a Arena,
    fields: impl IntoIterator<Item = (&'a str, Value<'a>)>,
) -> Value<'a> {
    Value::Map(arena.alloc(Entries::collect(arena, Type::Unknown, fields)))
}

fn names<'a>(names: &maxminddb::geoip2::Names<'_>, arena: &'a Arena) -> Value<'a> {
    let all = [
        ("de", names.german),
        ("en", names.english),
        ("es", names.spanish),
        ("fr", names.french),
        ("ja", names.japanese),
        ("pt-BR", names.brazilian_portuguese),
        ("ru", names.russian),
        ("zh-CN", names.simplified_chinese),
    ];
    let known = all.into_iter().filter_map(|(language, name)| {
        name.map(|name| (language, Value::Text(&*arena.alloc_str(name))))
    });
    Value::Map(arena.alloc(Entries::collect(arena, TEXT, known)))
}

fn country_record<'a>(
    country: &maxminddb::geoip2::city::Country<'_>,
    arena: &'a Arena,
) -> Value<'a> {
    record(
        arena,
        [
            ("IsoCode", Value::Text(arena.alloc_str(country.iso_code.unwrap_or_default()))),
            ("IsInEuropeanUnion", Value::Bool(country.is_in_european_union.unwrap_or(false))),
            ("GeoNameID", Value::Int(country.geoname_id.unwrap_or(0).into())),
            ("Names", names(&country.names, arena)),
        ],
    )
}

fn city_record<'a>(found: &CityRecord<'_>, arena: &'a Arena) -> Value<'a> {
    let code = |code: Option<&str>| Value::Text(arena.alloc_str(code.unwrap_or_default()));
    record(
        arena,
        [
            (
                "City",
                record(
                    arena,
                    [
                        ("GeoNameID", Value::Int(found.city.geoname_id.unwrap_or(0).into())),
                        ("Names", names(&found.city.names, arena)),
                    ],
                ),
            ),
            (
                "Continent",
                record(
                    arena,
                    [
                        ("Code", code(found.continent.code)),
                        ("GeoNameID", Value::Int(found.continent.geoname_id.unwrap_or(0).into())),
                        ("Names", names(&found.continent.names, arena)),
                    ],
                ),
            ),
            ("Country", country_record(&found.country, arena)),
            ("RegisteredCountry", country_record(&found.registered_country, arena)),
            (
                "Location",
                record(
                    arena,
                    [
                        ("Latitude", Value::Float(found.location.latitude.unwrap_or(0.0))),
                        ("Longitude", Value::Float(found.location.longitude.unwrap_or(0.0))),
                        ("TimeZone", code(found.location.time_zone)),
                        (
                            "AccuracyRadius",
                            Value::Int(found.location.accuracy_radius.unwrap_or(0).into()),
                        ),
                    ],
                ),
            ),
            ("Postal", record(arena, [("Code", code(found.postal.code))])),
        ],
    )
}

fn city<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let address = address(text(arguments, 0)?);
    let found = address.and_then(|address| call.world.facts().geo.city(address));
    Ok(found.map_or(Value::Nil, |found| city_record(&found, call.arena)))
}

fn operator<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let address = address(text(arguments, 0)?);
    let found = address.and_then(|address| call.world.facts().geo.asn(address));
    Ok(found.map_or(Value::Nil, |found| {
        let name = found.autonomous_system_organization.unwrap_or_default();
        record(
            call.arena,
            [
                (
                    "AutonomousSystemNumber",
                    Value::Int(found.autonomous_system_number.unwrap_or(0).into()),
                ),
                ("AutonomousSystemOrganization", Value::Text(call.arena.alloc_str(name))),
            ],
        )
    }))
}

fn network<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let address = address(text(arguments, 0)?);
    let found = address.and_then(|address| call.world.facts().geo.range(address));
    Ok(found.map_or(Value::Nil, |range| Value::Text(call.arena.alloc_str(&range.to_string()))))
}

fn country<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let address = address(text(arguments, 0)?);
    let found = address.and_then(|address| call.world.facts().geo.city(address));
    Ok(Value::Text(found.map_or("", |found| call.arena.alloc_str(Geo::country(&found).0))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::functions::tests::check;

    #[test]
    fn without_a_database_nothing_is_known() {
        check("GeoIPEnrich", "['192.0.2.1']", "nil");
        check("GeoIPASNEnrich", "['192.0.2.1']", "nil");
        check("GeoIPRangeEnrich", "['192.0.2.1']", "nil");
        check("IPToCountry", "['192.0.2.1']", "''");
        check("IPToCountry", "['x']", "''");
    }

    #[test]
    fn records_have_the_names_rules_know() {
        let arena = Arena::new();
        let mut found = CityRecord::default();
        found.country.iso_code = Some("CH");
        found.city.names.english = Some("Bern");
        found.location.latitude = Some(46.9);
        let shown = format!("{:?}", city_record(&found, &arena));
        for part in [
            r#""Country": {"IsoCode": "CH", "IsInEuropeanUnion": false"#,
            r#""City": {"GeoNameID": 0, "Names": {"en": "Bern"}}"#,
            r#""Latitude": 46.9, "Longitude": 0.0"#,
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }
}
