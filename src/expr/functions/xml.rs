//! Texts and attributes of XML documents, found by path.

use super::{Call, Fault, Function, Type, Value, text};

mod document;
mod path;

pub use document::Documents;

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("XMLGetNodeValue", &[TEXT, TEXT], TEXT, node_value),
    Function::new("XMLGetAttributeValue", &[TEXT, TEXT, TEXT], TEXT, attribute_value),
];

fn node_value<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, path) = (text(arguments, 0)?, text(arguments, 1)?);
    let mut documents = call.world.documents();
    let found = documents.find(source, path);
    Ok(Value::Text(found.map_or("", |(document, node)| call.arena.alloc_str(document.text(node)))))
}

fn attribute_value<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (source, path, name) = (text(arguments, 0)?, text(arguments, 1)?, text(arguments, 2)?);
    let mut documents = call.world.documents();
    let found = documents
        .find(source, path)
        .and_then(|(document, node)| document.attribute(node, name))
        .map_or("", |value| call.arena.alloc_str(value));
    Ok(Value::Text(found))
}

#[cfg(test)]
mod tests;
