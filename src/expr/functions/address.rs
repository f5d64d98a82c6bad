//! Addresses and ranges of addresses. An IPv4 address written as an IPv6 one is the IPv4 one.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{Call, Fault, Function, Type, Value, text};
use crate::value::parse_address;

const TEXT: Type = Type::Text;

pub(super) const TABLE: &[Function] = &[
    Function::new("IpInRange", &[TEXT, TEXT], Type::Bool, in_range),
    Function::new("IsIP", &[TEXT], Type::Bool, is_ip),
    Function::new("IsIPV4", &[TEXT], Type::Bool, is_ipv4),
    Function::new("IsIPV6", &[TEXT], Type::Bool, is_ipv6),
    Function::new("IpToRange", &[TEXT, TEXT], TEXT, to_range),
];

/// The address that a text is, IPv4 where it means one.
pub(in crate::expr) fn address(text: &str) -> Option<IpAddr> {
    parse_address(text).map(|address| address.to_canonical())
}

/// The range that a text is, IPv4 where it means one.
pub(in crate::expr) fn range(text: &str) -> Option<IpNet> {
    let range: IpNet = text.parse().ok()?;
    if let IpNet::V6(v6) = range
        && let Some(v4) = mapped(v6.addr())
        && let Some(length) = v6.prefix_len().checked_sub(96)
    {
        return Ipv4Net::new(v4, length).ok().map(IpNet::V4);
    }
    Some(range)
}

fn mapped(address: Ipv6Addr) -> Option<std::net::Ipv4Addr> {
    address.to_ipv4_mapped()
}

/// The range that a text is, or the range of the one address that it is.
pub(super) fn range_or_address(text: &str) -> Option<IpNet> {
    range(text).or_else(|| address(text).map(IpNet::from))
}

fn in_range<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (address, range) = (address(text(arguments, 0)?), range(text(arguments, 1)?));
    let inside = address.zip(range).is_some_and(|(address, range)| range.contains(&address));
    Ok(Value::Bool(inside))
}

fn is_ip<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(address(text(arguments, 0)?).is_some()))
}

fn is_ipv4<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(address(text(arguments, 0)?).is_some_and(|address| address.is_ipv4())))
}

fn is_ipv6<'a>(_: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    Ok(Value::Bool(address(text(arguments, 0)?).is_some_and(|address| address.is_ipv6())))
}

fn to_range<'a>(call: Call<'a>, arguments: &[Value<'a>]) -> Result<Value<'a>, Fault> {
    let (address, mask) = (address(text(arguments, 0)?), text(arguments, 1)?);
    let length = mask.strip_prefix('/').unwrap_or(mask);
    // `parse` would take a sign.
    let length = length.bytes().all(|byte| byte.is_ascii_digit()).then_some(length);
    let network = address
        .zip(length.and_then(|length| length.parse().ok()))
        .and_then(|(address, length)| IpNet::new(address, length).ok())
        .map(|network| network.trunc().to_string());
    Ok(Value::Text(network.map_or("", |network| &*call.arena.alloc_str(&network))))
}

#[cfg(test)]
mod tests {
    use crate::expr::functions::tests::check;

    #[test]
    fn ranges() {
        check("IpInRange", "['192.168.0.5', '192.168.0.0/24']", "true");
        check("IpInRange", "['192.168.1.5', '192.168.0.0/24']", "false");
        check("IpInRange", "['::ffff:192.168.0.5', '192.168.0.0/24']", "true");
        check("IpInRange", "['192.168.0.5', '::ffff:192.168.0.0/120']", "true");
        check("IpInRange", "['2001:db8::1', '2001:db8::/32']", "true");
        check("IpInRange", "['2001:db8::1', '0.0.0.0/0']", "false");
        check("IpInRange", "['192.168.0.5', '192.168.0.0/33']", "false");
        check("IpInRange", "['192.168.0.5', '192.168.0.5']", "false");
        check("IpInRange", "['x', '192.168.0.0/24']", "false");
        check("IpToRange", "['192.168.0.1', '/24']", "'192.168.0.0/24'");
        check("IpToRange", "['192.168.0.1', '16']", "'192.168.0.0/16'");
        check("IpToRange", "['2001:db8:85a3:0:0:8a2e:370:7334', '/64']", "'2001:db8:85a3::/64'");
        check("IpToRange", "['192.168.0.1', '/33']", "''");
        check("IpToRange", "['192.168.0.1', '+8']", "''");
        check("IpToRange", "['nowhere', '/24']", "''");
    }

    #[test]
    fn kinds() {
        check("IsIP", "['1.2.3.4']", "true");
        check("IsIP", "['1.2.3']", "false");
        check("IsIP", "['']", "false");
        check("IsIPV4", "['::ffff:1.2.3.4']", "true");
        check("IsIPV4", "['::1']", "false");
        check("IsIPV6", "['::1']", "true");
        check("IsIPV6", "['1.2.3.4']", "false");
        check("IsIPV6", "['fe80::1%eth0']", "false");
    }
}
