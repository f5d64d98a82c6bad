//! The names and types that rules may use of an overflow, in one place.

use crate::value::{Method, Shape, Type};

/// The places of what nearly every rule about overflows asks for: `Alert` in [`OVERFLOW`], `Source`
/// in [`ALERT`], `IP` in [`SOURCE`].
pub(super) const ALERT_AT: usize = 5;
pub(super) const SOURCE_AT: usize = 20;
pub(super) const IP_AT: usize = 3;

/// `evt.Overflow`.
pub static OVERFLOW: Shape = Shape {
    name: "overflow",
    fields: &[
        ("Mapkey", Type::Text),
        ("BucketId", Type::Text),
        ("Whitelisted", Type::Bool),
        ("Reprocess", Type::Bool),
        ("Sources", Type::Map(&Type::Object(&SOURCE))),
        ("Alert", Type::Object(&ALERT)),
        ("APIAlerts", Type::List(&Type::Object(&ALERT))),
    ],
    methods: &[Method::plain("GetSources", Type::List(&Type::Text))],
};

/// `evt.Overflow.Alert`.
pub static ALERT: Shape = Shape {
    name: "alert",
    fields: &[
        ("Capacity", Type::Int),
        ("EventsCount", Type::Int),
        ("CreatedAt", Type::Text),
        ("ID", Type::Int),
        ("Kind", Type::Text),
        ("MachineID", Type::Text),
        ("UUID", Type::Text),
        ("Decisions", Type::List(&Type::Unknown)),
        ("Events", Type::List(&Type::Object(&ALERT_EVENT))),
        ("Labels", Type::List(&Type::Text)),
        ("Leakspeed", Type::Text),
        ("Message", Type::Text),
        ("Scenario", Type::Text),
        ("ScenarioHash", Type::Text),
        ("ScenarioVersion", Type::Text),
        ("StartAt", Type::Text),
        ("StopAt", Type::Text),
        ("Meta", Type::List(&Type::Object(&META))),
        ("Remediation", Type::Bool),
        ("Simulated", Type::Bool),
        ("Source", Type::Object(&SOURCE)),
    ],
    methods: &[
        Method::plain("GetScope", Type::Text),
        Method::plain("GetValue", Type::Text),
        Method::plain("GetScenario", Type::Text),
        Method::plain("GetEventsCount", Type::Int),
        Method { name: "GetMeta", arguments: &[Type::Text], result: Type::Text },
    ],
};

/// An element of `evt.Overflow.Alert.Events`.
pub static ALERT_EVENT: Shape = Shape {
    name: "alert event",
    fields: &[("Meta", Type::List(&Type::Object(&META))), ("Timestamp", Type::Text)],
    methods: &[Method { name: "GetMeta", arguments: &[Type::Text], result: Type::Text }],
};

/// `evt.Overflow.Alert.Source`, or an entry of `evt.Overflow.Sources`.
pub static SOURCE: Shape = Shape {
    name: "source",
    fields: &[
        ("AsName", Type::Text),
        ("AsNumber", Type::Text),
        ("Cn", Type::Text),
        ("IP", Type::Text),
        ("Range", Type::Text),
        ("Latitude", Type::Float),
        ("Longitude", Type::Float),
        ("Scope", Type::Text),
        ("Value", Type::Text),
    ],
    methods: &[
        Method::plain("GetScope", Type::Text),
        Method::plain("GetValue", Type::Text),
        Method::plain("GetAsNumberName", Type::Text),
    ],
};

/// One name and value of an alert's or an alert event's `Meta`.
pub static META: Shape =
    Shape { name: "meta", fields: &[("Key", Type::Text), ("Value", Type::Text)], methods: &[] };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_the_places_of_their_names() {
        assert_eq!(OVERFLOW.fields[ALERT_AT].0, "Alert");
        assert_eq!(ALERT.fields[SOURCE_AT].0, "Source");
        assert_eq!(SOURCE.fields[IP_AT].0, "IP");
    }
}
