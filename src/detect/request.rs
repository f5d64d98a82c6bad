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
    methods: &[method("UserAgent"), method("Referer")],
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
        method("String"),
        method("Hostname"),
        method("Port"),
        method("EscapedPath"),
        method("RequestURI"),
        Method { name: "Query", arguments: &[], result: MANY },
    ],
};

const fn method(name: &'static str) -> Method {
    Method { name, arguments: &[], result: Type::Text }
}

/// `req`, lent.
pub(super) struct Request<'a> {
    pub(super) arena: &'a Arena,
}

impl<'a> Object<'a> for Request<'a> {
    fn shape(&self) -> &'static Shape {
        &REQUEST
    }

    fn field(&self, index: usize) -> Value<'a> {
        match REQUEST.fields.get(index).map(|(_, kind)| *kind) {
            Some(Type::Text) => Value::Text(""),
            Some(Type::Int) => Value::Int(0),
            Some(Type::Map(element)) => {
                let map: &'a dyn Map<'a> = self.arena.alloc(Entries::new(self.arena, *element));
                Value::Map(map)
            }
            _ => Value::Nil,
        }
    }

    fn call(&self, index: usize, _: &[Value<'a>], _: &'a Arena) -> Result<Value<'a>, Fault> {
        match REQUEST.methods.get(index) {
            Some(_) => Ok(Value::Text("")),
            None => Err(Fault::new("request has no such method")),
        }
    }
}
