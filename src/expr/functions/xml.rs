//! Texts and attributes of XML documents, found by path.

use super::{Call, Fault, Function, Type, Value, text};

mod document;
mod path;

pub use document::Documents;
use path::Path;

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("XMLGetNodeValue", &[TEXT, TEXT], TEXT, node_value),
    Function::new("XMLGetAttributeValue", &[TEXT, TEXT, TEXT], TEXT, attribute_value),
];

fn node_value<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, path) = (text(arguments, 0)?, text(arguments, 1)?);
    let mut documents = call.world.documents();
    let found = documents.read(source).and_then(|document| {
        let node = Path::parse(path)?.first(document)?;
        Some(&*call.arena.alloc_str(document.text(node)))
    });
    Ok(Value::Text(found.unwrap_or_default()))
}

fn attribute_value<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, path, name) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let mut documents = call.world.documents();
    let found = documents.read(source).and_then(|document| {
        let node = Path::parse(path)?.first(document)?;
        Some(&*call.arena.alloc_str(document.attribute(node, name)?))
    });
    Ok(Value::Text(found.unwrap_or_default()))
}

#[cfg(test)]
mod tests;
