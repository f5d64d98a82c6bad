use proptest::prelude::*;

use crate::expr::functions::tests::call_with;
use crate::value::{Arena, Value};

const EVENT: &str = concat!(
    "- <Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>- <System>\n",
    "  <Provider Name='Microsoft-Windows-Sysmon' Guid='{1}' />\n",
    "  <EventID>1</EventID> \n",
    "  <TimeCreated SystemTime='2022-09-28T09:05:39.1Z' /> </System>\n",
    "- <EventData>\n",
    "  <Data Name='Image'>C:\\a &amp; b&#33;</Data> \n",
    "  <Data Name='User'>NT<!-- x --> AUTHORITY</Data>\n",
    "  <Data Name='Empty'></Data> <win:Data Name='Pre'><![CDATA[<x>]]></win:Data></EventData></Event>",
    "<Event><EventData/></Event> tail",
);

#[track_caller]
fn value(xml: &str, path: &str, expected: &str) {
    let arena = Arena::new();
    let found = call_with(&arena, "XMLGetNodeValue", &[Value::Text(xml), Value::Text(path)]);
    assert_eq!(found.expect("no fault").as_text(), Some(expected), "{path}");
}

#[track_caller]
fn attribute(xml: &str, path: &str, name: &str, expected: &str) {
    let arena = Arena::new();
    let arguments = [Value::Text(xml), Value::Text(path), Value::Text(name)];
    let found = call_with(&arena, "XMLGetAttributeValue", &arguments);
    assert_eq!(found.expect("no fault").as_text(), Some(expected), "{path} {name}");
}

#[test]
fn values_of_an_event() {
    value(EVENT, "/Event/EventData[1]/Data[@Name='Image']", "C:\\a & b!");
    value(EVENT, "/Event/EventData[1]/Data[@Name=\"User\"]", "NT AUTHORITY");
    value(EVENT, "/Event/EventData[1]/Data[1]", "C:\\a & b!");
    value(EVENT, "/Event/EventData[1]/Data[4]", "<x>");
    value(EVENT, "/Event/EventData[1]/Data[-1]", "<x>");
    value(EVENT, "/Event/EventData[1]/Data[5]", "");
    value(EVENT, "/Event/EventData[1]/Data[@Name='Empty']", "");
    value(EVENT, "/Event/EventData[1]/Data[@Name='None']", "");
    value(EVENT, "/Event/System[1]/EventID", "1");
    attribute(EVENT, "/Event/System[1]/TimeCreated", "SystemTime", "2022-09-28T09:05:39.1Z");
    attribute(EVENT, "/Event/System[1]/Provider", "Name", "Microsoft-Windows-Sysmon");
    attribute(EVENT, "/Event/System[1]/Provider", "Nope", "");
}

#[test]
fn paths() {
    let xml = "<a><b k='1'>x</b><c><b>y</b><d>z</d></c><b>w</b></a>";
    value(xml, "/a/b", "x");
    value(xml, "a/b", "x");
    value(xml, "//b", "x");
    value(xml, "//c/b", "y");
    value(xml, "/a/*/b", "y");
    value(xml, "/a/c/../b[2]", "w");
    value(xml, "/a/./c/d", "z");
    value(xml, "/a/c[d]/b", "y");
    value(xml, "/a/c[d='z']/b", "y");
    value(xml, "/a/c[d='q']/b", "");
    value(xml, "/a/b[text()='w']", "w");
    value(xml, "/a/b[@k]", "x");
    value(xml, "/a/b[@k='2']", "");
    value(xml, "/a/b[1", "");
    value(xml, "/a/b[]", "");
    value(xml, "/a/b[nope()='x']", "");
    value(xml, "/a/b[@k=1]", "");
    value(xml, "/", "");
    value(xml, "", "");
    value(xml, "/b", "");
    value(xml, "..", "");
}

#[test]
fn prefixes() {
    let xml = "<s:a xmlns:s='u'><s:b s:k='1'>x</s:b></s:a>";
    value(xml, "/a/b", "x");
    value(xml, "/s:a/s:b", "x");
    value(xml, "/t:a/b", "");
    attribute(xml, "//b", "k", "1");
}

#[test]
fn what_is_no_document() {
    value("", "/a", "");
    value("no markup", "/a", "");
    value("<a>x", "/a", "");
    value("<a><b>x</a></b>", "/a", "");
    value("</a>", "/a", "");
    value("<a>&nope;</a>", "/a", "");
    value("<a k>x</a>", "/a", "");
}

#[test]
fn documents_are_remembered_by_their_whole_text() {
    let arena = Arena::new();
    for round in 0..3 {
        for number in 0..6 {
            let xml = arena.alloc_str(&format!("<a>{number}</a>"));
            value(xml, "/a", &number.to_string());
            assert!(round < 3);
        }
    }
}

#[test]
fn deep_documents_are_walked_once() {
    let xml = format!("{}x{}", "<a>".repeat(3000), "</a>".repeat(3000));
    value(&xml, "//a//a//a//b", "");
}

proptest! {
    #[test]
    fn any_document(xml in "(<[ab/]{0,2} ?(k='1')?[/>]{0,2}|&[a-z#0-9]{0,3};?|[<>x ]){0,8}", path in "[/ab*.\\[\\]@='1-]{0,12}") {
        let arena = Arena::new();
        let found = call_with(&arena, "XMLGetNodeValue", &[Value::Text(arena.alloc_str(&xml)), Value::Text(arena.alloc_str(&path))]);
        prop_assert!(found.is_ok());
    }
}
