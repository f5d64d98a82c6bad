//! Functions that would leave the machine, and those that need what Weir does not have.
//!
//! Names are looked up beside the path of lines, never on it. Requests are not made at all: a
//! rule that could make one would let a log line decide what a privileged daemon asks whom.

use super::{Call, Fault, Function, TEXTS, Type, Value, list_of, text};
use crate::expr::world::Question;

const ANY: Type = Type::Unknown;
const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("LookupHost", &[TEXT], TEXTS, lookup_host),
    Function::new("Hostname", &[], TEXT, |call, _| Ok(Value::Text(&call.world.facts().hostname))),
    Function::new("HTTPGet", &[TEXT], ANY, no_requests),
    Function::new("HTTPHead", &[TEXT], ANY, no_requests),
    Function::new("HTTPPost", &[TEXT, TEXT, TEXT], ANY, no_requests),
    Function::new("HTTPRequest", &[TEXT, TEXT, ANY, TEXT], ANY, no_requests),
    Function::new("CrowdsecCTI", &[TEXT], ANY, |_, _| Err(missing("CrowdsecCTI"))),
    Function::new("LibInjectionIsSQLI", &[TEXT], Type::Bool, |_, _| {
        Err(missing("LibInjectionIsSQLI"))
    }),
    Function::new("LibInjectionIsXSS", &[TEXT], Type::Bool, |_, _| {
        Err(missing("LibInjectionIsXSS"))
    }),
    Function::new("JA4H", &[ANY], TEXT, |_, _| Err(missing("JA4H"))),
];

fn missing(name: &str) -> Fault {
    Fault::new(format!("`{name}` is not available in Weir"))
}

fn no_requests<'a>(_: Call<'a>, _: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Err(Fault::new("Weir makes no HTTP requests from rules"))
}

/// The addresses of a host as far as they are known by now.
fn lookup_host<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let question = Question::Addresses(text(arguments, 0)?.into());
    match call.world.facts().resolver.ask(question, call.world.now()) {
        Some(answer) => {
            list_of(call.arena, answer.iter().map(|text| Value::Text(&*call.arena.alloc_str(text))))
        }
        None => Ok(Value::List(&[])),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::expr::functions::tests::{call_in, faults};
    use crate::expr::world::{Facts, World};
    use crate::value::Arena;

    #[test]
    fn what_is_known_of_hosts() {
        let world = World::new(Arc::new(Facts { hostname: "weir".into(), ..Facts::default() }));
        let arena = Arena::new();
        let look = || {
            let found = call_in(&world, &arena, "LookupHost", &[Value::Text("a.example")]);
            format!("{:?}", found.expect("no fault"))
        };
        assert_eq!(look(), "[]");
        world.facts().resolver.serve_open(|_| vec!["192.0.2.1".into()], world.now());
        assert_eq!(look(), r#"["192.0.2.1"]"#);
        let name = call_in(&world, &arena, "Hostname", &[]).expect("no fault");
        assert_eq!(name.as_text(), Some("weir"));
    }

    #[test]
    fn what_is_not_done() {
        faults("HTTPGet", "['http://a.example/']", "Weir makes no HTTP requests from rules");
        faults("CrowdsecCTI", "['192.0.2.1']", "`CrowdsecCTI` is not available in Weir");
        faults("LibInjectionIsSQLI", "['x']", "`LibInjectionIsSQLI` is not available in Weir");
    }
}
