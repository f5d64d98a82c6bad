//! Questions about the decisions that were made.

use super::address::range_or_address;
use super::{Call, Fault, Function, Type, Value, text};
use crate::value::{Time, parse_duration_with_days};

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("GetDecisionsCount", &[TEXT], Type::Int, count),
    Function::new("GetDecisionsSinceCount", &[TEXT, TEXT], Type::Int, count_since),
    Function::new("GetActiveDecisionsCount", &[TEXT], Type::Int, count_active),
    Function::new("GetActiveDecisionsTimeLeft", &[TEXT], Type::Duration, time_left),
];

/// The number of decisions since a time, 0 when nobody can tell.
fn counted<'a>(call: Call<'a>, value: &str, since: Option<Time>) -> Value<'a> {
    let decisions = call.world.facts().decisions.as_ref();
    let count = decisions
        .zip(range_or_address(value))
        .and_then(|(decisions, range)| decisions.count(range, since).ok());
    Value::Int(count.map_or(0, |count| i64::try_from(count).unwrap_or(i64::MAX)))
}

fn count<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(counted(call, text(arguments, 0)?, None))
}

fn count_since<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (value, span) = (text(arguments, 0)?, text(arguments, 1)?);
    Ok(match parse_duration_with_days(span) {
        Some(span) => {
            let since = call.world.now().plus(span.saturating_neg());
            counted(call, value, Some(since))
        }
        None => Value::Int(0),
    })
}

/// When the decisions in force end.
fn active(call: Call<'_>, value: &str) -> Result<Vec<Time>, Fault> {
    match (&call.world.facts().decisions, range_or_address(value)) {
        (Some(decisions), Some(range)) => decisions
            .active(range, call.world.now())
            .map_err(|reason| Fault::new(format!("the decisions cannot be read: {reason}"))),
        _ => Ok(Vec::new()),
    }
}

fn count_active<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let count = active(call, text(arguments, 0)?)?.len();
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn time_left<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let last = active(call, text(arguments, 0)?)?.into_iter().max();
    Ok(Value::Duration(last.map_or(0, |last| last.since(call.world.now()).max(0))))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ipnet::IpNet;

    use super::*;
    use crate::expr::functions::tests::{call_in, check};
    use crate::expr::world::{Decisions, Facts, World};
    use crate::value::Arena;

    /// Three decisions on 192.0.2.0/24, made at 0, 50 and 90 seconds, for 100 seconds each.
    #[derive(Debug)]
    struct Three;

    impl Decisions for Three {
        fn count(&self, range: IpNet, since: Option<Time>) -> Result<u64, String> {
            let on: IpNet = "192.0.2.0/24".parse().map_err(|_| "bug")?;
            let made = [0, 50, 90].into_iter().map(Time::from_seconds);
            let counted = made.filter(|at| on.contains(&range) && since.is_none_or(|s| *at >= s));
            u64::try_from(counted.count()).map_err(|_| "bug".to_owned())
        }

        fn active(&self, range: IpNet, now: Time) -> Result<Vec<Time>, String> {
            if range.prefix_len() == 0 {
                return Err("no disk".to_owned());
            }
            let ends = [100, 150, 190].into_iter().map(Time::from_seconds);
            Ok(ends.filter(|end| *end > now).collect())
        }
    }

    #[test]
    fn questions() {
        let world =
            World::new(Arc::new(Facts { decisions: Some(Arc::new(Three)), ..Facts::default() }));
        world.set_now(Time::from_seconds(120));
        let arena = Arena::new();
        let ask = |function, arguments: &[&'static str]| {
            let arguments: Vec<_> = arguments.iter().map(|text| Value::Text(text)).collect();
            call_in(&world, &arena, function, &arguments).map(|value| format!("{value:?}"))
        };
        assert_eq!(ask("GetDecisionsCount", &["192.0.2.7"]).as_deref(), Ok("3"));
        assert_eq!(ask("GetDecisionsCount", &["192.0.2.0/25"]).as_deref(), Ok("3"));
        assert_eq!(ask("GetDecisionsCount", &["192.0.3.7"]).as_deref(), Ok("0"));
        assert_eq!(ask("GetDecisionsCount", &["nobody"]).as_deref(), Ok("0"));
        assert_eq!(ask("GetDecisionsSinceCount", &["192.0.2.7", "30s"]).as_deref(), Ok("1"));
        assert_eq!(ask("GetDecisionsSinceCount", &["192.0.2.7", "1d"]).as_deref(), Ok("3"));
        assert_eq!(ask("GetDecisionsSinceCount", &["192.0.2.7", "x"]).as_deref(), Ok("0"));
        assert_eq!(ask("GetActiveDecisionsCount", &["192.0.2.7"]).as_deref(), Ok("2"));
        assert_eq!(
            ask("GetActiveDecisionsTimeLeft", &["192.0.2.7"]).as_deref(),
            Ok("70000000000ns")
        );
        assert!(ask("GetActiveDecisionsCount", &["0.0.0.0/0"]).is_err());
    }

    #[test]
    fn without_decisions_there_are_none() {
        check("GetDecisionsCount", "['192.0.2.1']", "0");
        check("GetActiveDecisionsCount", "['192.0.2.1']", "0");
        check("GetDecisionsSinceCount", "['192.0.2.1', '1h']", "0");
    }
}
