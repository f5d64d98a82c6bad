//! `req`: the web request that an alert is about. There never is one here, but contexts that ask
//! for it must load: its texts are empty, and there is no address in it.

use crate::value::{Arena, Entries, Fault, Map, Method, Object, Shape, Type, Value};

const TEXTS: Type = Type::List(&Type::Text);
const MANY: Type = Type::Map(&TEXTS);

/// `req`.
pub(super) static REQUEST: Shape = Shape {
    name: "request",
    fields: &[
        ("Method", Type::Text),
        ("URL", Type::Object(&URL)),
        ("Proto", Type::Text),
        ("Host", Type::Text),
        ("RemoteAddr", Type::Text),
        ("RequestURI", Type::Text),
        ("ContentLength", Type::Int),
        ("Header", MANY),
        ("Form", MANY),
    ],
    methods: &[Method::plain("UserAgent", Type::Text), Method::plain("Referer", Type::Text)],
};

/// `req.URL`.
static URL: Shape = Shape {
    name: "address of a request",
    fields: &[
        ("Scheme", Type::Text),
        ("Host", Type::Text),
        ("Path", Type::Text),
        ("RawPath", Type::Text),
        ("RawQuery", Type::Text),
        ("Fragment", Type::Text),
    ],
    methods: &[
        Method::plain("String", Type::Text),
        Method::plain("Hostname", Type::Text),
        Method::plain("Port", Type::Text),
        Method::plain("EscapedPath", Type::Text),
        Method::plain("RequestURI", Type::Text),
        Method::plain("Query", MANY),
    ],
};

/// `req`, lent.
pub(super) struct Request<'a> {
    pub(super) arena: &'a Arena,
}

impl<'a> Object<'a> for Request<'a> {
    fn shape(&self) -> &'static Shape {
        &REQUEST
    }

    fn named(&self, name: &str) -> Value<'a> {
        match REQUEST.field(name).map(|(_, kind)| kind) {
            Some(Type::Text) => Value::Text(""),
            Some(Type::Int) => Value::Int(0),
            Some(Type::Map(element)) => {
                let map: &'a dyn Map<'a> = self.arena.alloc(Entries::new(self.arena, *element));
                Value::Map(map)
            }
            _ => Value::Nil,
        }
    }

    fn call_named(
        &self,
        name: &str,
        arguments: &[Value<'a>],
        _: &'a Arena,
    ) -> Result<Value<'a>, Fault> {
        match REQUEST.method(name) {
            Some(_) => Ok(Value::Text("")),
            None => Err(REQUEST.misfit(name, arguments)),
        }
    }
}
