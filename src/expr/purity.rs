//! What is known of functions beyond their types.

/// Functions that cannot fail on arguments of exactly their declared types, write nothing that
/// an expression can see, and whose results are not much longer than their arguments: what they
/// make of a log line is far below the limits on texts and lists.
///
/// A function that is missing here only makes dispatch less sharp; one that is here wrongly
/// makes it wrong.
const TOTAL: &[&str] = &[
    "File",
    "IpInRange",
    "IpToRange",
    "IsIP",
    "IsIPV4",
    "IsIPV6",
    "JsonExtract",
    "JsonExtractUnescape",
    "LookupFile",
    "Lower",
    "Match",
    "PathUnescape",
    "QueryUnescape",
    "RegexpInFile",
    "Split",
    "TrimLeft",
    "Trim",
    "TrimPrefix",
    "TrimRight",
    "TrimSpace",
    "TrimSuffix",
    "Upper",
    "XMLGetAttributeValue",
    "XMLGetNodeValue",
    "hasPrefix",
    "hasSuffix",
    "indexOf",
    "lastIndexOf",
    "lower",
    "trimPrefix",
    "trimSuffix",
    "upper",
];

/// Functions of literals that are computed when the expression is compiled. They may fail: the
/// failure is then a mistake of the expression.
const CONSTANT: &[&str] = &[
    "Lower",
    "Sprintf",
    "TrimSpace",
    "Upper",
    "duration",
    "float",
    "int",
    "lower",
    "trim",
    "upper",
];

/// All functions that cannot fail.
#[cfg(test)]
pub(super) fn total() -> impl Iterator<Item = &'static str> {
    TOTAL.iter().copied()
}

/// See [`TOTAL`].
pub(super) fn is_total(name: &str) -> bool {
    TOTAL.contains(&name)
}

/// See [`CONSTANT`].
pub(super) fn is_constant(name: &str) -> bool {
    CONSTANT.contains(&name)
}
