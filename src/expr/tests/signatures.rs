//! What functions there are, and how many arguments each takes, as rules rely on it.

use super::super::functions;
use super::super::node::Builtin;
use super::program;
use crate::value::Names;

/// Any number.
const ANY: usize = 9;

/// The names of functions with how many arguments they take at least and at most.
#[rustfmt::skip]
const KNOWN: &[(usize, usize, &str)] = &[
    // Of the language.
    (0, 0, "now"),
    (1, 1, "len int float string type abs ceil floor round upper lower toJSON fromJSON toBase64 fromBase64 \
            duration timezone first last keys values toPairs fromPairs reverse uniq flatten bitnot"),
    (1, 2, "count sum trim join sort"),
    (1, 3, "date"),
    (1, ANY, "max min mean median concat"),
    (2, 2, "all any none one filter map find findLast findIndex findLastIndex groupBy trimPrefix trimSuffix \
            repeat indexOf lastIndexOf hasPrefix hasSuffix get take bitand bitor bitxor bitnand bitshl bitshr \
            bitushr"),
    (2, 3, "sortBy reduce split splitAfter"),
    (3, 4, "replace"),
    // Of rules.
    (0, 0, "TimeNow Hostname"),
    (0, ANY, "Flatten FlattenDistinct"),
    (1, 1, "Upper Lower TrimSpace Fields ToString Atof ToJsonString PathUnescape QueryUnescape PathEscape \
            QueryEscape ParseUri ParseQuery B64Decode IsIP IsIPV4 IsIPV6 LookupHost ParseUnix AverageInterval \
            MedianInterval File FileMap GetDecisionsCount GetActiveDecisionsCount GetActiveDecisionsTimeLeft \
            GeoIPEnrich GeoIPASNEnrich GeoIPRangeEnrich IPToCountry Distinct LibInjectionIsSQLI \
            LibInjectionIsXSS JA4H HTTPGet HTTPHead CrowdsecCTI"),
    (1, ANY, "Sprintf LogInfo"),
    (2, 2, "Trim TrimLeft TrimRight TrimPrefix TrimSuffix Split SplitAfter Join Index IndexAny Get Match \
            JsonExtract JsonExtractSlice JsonExtractObject KeyExists XMLGetNodeValue ExtractQueryParam \
            IpInRange IpToRange RegexpInFile LookupFile GetFromStash GetDecisionsSinceCount \
            FloatApproxEqual"),
    (2, ANY, "JsonExtractUnescape JsonExtractLib"),
    (3, 3, "SplitN SplitAfterN ReplaceAll UnmarshalJSON ParseKV ParseKVLax XMLGetAttributeValue HTTPPost"),
    (4, 4, "Replace SetInStash Distance HTTPRequest"),
    (4, ANY, "MatchKnownBot"),
];

fn takes(name: &str, count: usize) -> Result<(), String> {
    let arguments = vec!["any_value"; count].join(", ");
    let compiled = program(&format!("{name}({arguments})"), &mut Names::new());
    compiled.map(|_| ()).map_err(|mistakes| mistakes[0].message.clone())
}

#[test]
fn every_function_takes_as_many_arguments_as_it_should() {
    for (least, most, names) in KNOWN {
        for name in names.split_whitespace() {
            for count in 0..ANY {
                match takes(name, count) {
                    Ok(()) => assert!((*least..=*most).contains(&count), "{name} takes {count}"),
                    Err(message) => {
                        assert!(!(*least..=*most).contains(&count), "{name}, {count}: {message}");
                        assert!(message.contains("argument"), "{name}, {count}: {message}");
                    }
                }
            }
        }
    }
}

#[test]
fn there_are_no_other_functions() {
    let known: Vec<&str> = KNOWN.iter().flat_map(|(.., names)| names.split_whitespace()).collect();
    for name in functions::names() {
        assert!(known.contains(&name), "`{name}` is known to nobody");
    }
    for name in &known {
        let is_known = functions::find(name).is_some() || Builtin::find(name).is_some();
        assert!(is_known, "there is no `{name}`");
    }
}
