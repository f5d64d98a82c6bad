//! Writes small databases in MaxMind's format, so that tests need none from outside.
//!
//! The format: a binary tree over the bits of an IPv6 address (IPv4 lies below `::/96`) in nodes
//! of two 24-bit records, 16 zero bytes, the records' values, a marker, and a map that describes
//! it all.

use ipnet::IpNet;
use serde_json::Value;

/// A tree node: its two records.
type Node = [Record; 2];

#[derive(Clone, Copy)]
enum Record {
    Nothing,
    Node(usize),
    /// The offset of a value.
    Data(usize),
}

/// A database of `kind` (such as `GeoLite2-City`) with a value for each network. A longer prefix
/// must come after the shorter ones that hold it.
pub(crate) fn database(kind: &str, entries: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes: Vec<Node> = vec![[Record::Nothing; 2]];
    let mut data = Vec::new();
    for (network, value) in entries {
        let offset = data.len();
        write(value, &mut data);
        insert(&mut nodes, network.parse().expect("a network"), offset);
    }
    let n_nodes = nodes.len();
    let mut bytes = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match record {
            Record::Nothing => n_nodes,
            Record::Node(node) => *node,
            Record::Data(offset) => n_nodes + 16 + offset,
        };
        bytes.extend_from_slice(&u32::try_from(number).expect("small").to_be_bytes()[1..]);
    }
    bytes.extend_from_slice(&[0; 16]);
    bytes.append(&mut data);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = serde_json::json!({
        "node_count": n_nodes,
        "record_size": 24,
        "ip_version": 6,
        "database_type": kind,
        "languages": ["en"],
        "binary_format_major_version": 2,
        "binary_format_minor_version": 0,
        "build_epoch": 1,
        "description": {},
    });
    write(&metadata, &mut bytes);
    bytes
}

fn insert(nodes: &mut Vec<Node>, network: IpNet, offset: usize) {
    let (bits, length) = match network {
        IpNet::V4(network) => (u128::from(u32::from(network.network())), network.prefix_len() + 96),
        IpNet::V6(network) => (u128::from(network.network()), network.prefix_len()),
    };
    let mut at = 0;
    for depth in 0..length {
        let side = usize::from(bits >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            nodes[at][side] = Record::Data(offset);
            return;
        }
        at = match nodes[at][side] {
            Record::Node(next) => next,
            above => {
                // Both halves inherit the value of the shorter prefix.
                nodes.push([above; 2]);
                nodes[at][side] = Record::Node(nodes.len() - 1);
                nodes.len() - 1
            }
        };
    }
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
    // The type in the upper three bits, the size in the others; types above 7 in a byte of their
    // own.
    let control = |kind: u8, size: usize, bytes: &mut Vec<u8>| {
        let size = u8::try_from(size).expect("small");
        let (size, more) = if size < 29 { (size, None) } else { (29, Some(size - 29)) };
        match kind {
            ..=7 => bytes.push(kind << 5 | size),
            _ => bytes.extend_from_slice(&[size, kind - 7]),
        }
        bytes.extend(more);
    };
    match value {
        Value::Bool(truth) => control(14, usize::from(*truth), bytes),
        Value::Number(number) => match number.as_u64() {
            Some(whole) => {
                control(6, 4, bytes);
                bytes.extend_from_slice(&u32::try_from(whole).expect("small").to_be_bytes());
            }
            None => {
                control(3, 8, bytes);
                bytes.extend_from_slice(&number.as_f64().expect("a float").to_be_bytes());
            }
        },
        Value::String(text) => {
            control(2, text.len(), bytes);
            bytes.extend_from_slice(text.as_bytes());
        }
        Value::Array(items) => {
            control(11, items.len(), bytes);
            items.iter().for_each(|item| write(item, bytes));
        }
        Value::Object(entries) => {
            control(7, entries.len(), bytes);
            for (key, value) in entries {
                write(&Value::String(key.clone()), bytes);
                write(value, bytes);
            }
        }
        Value::Null => unreachable!("a database has no null"),
    }
}
