use proptest::prelude::*;

use super::verbs::general_form;
use super::*;
use crate::expr::functions::tests::values;

#[track_caller]
fn check(format: &str, arguments: &str, expected: &str) {
    let arena = Arena::new();
    let arguments = values(&arena, arguments);
    let found = Printer::new(arguments).print(format).expect("short enough");
    assert_eq!(found, expected, "{format}");
}

#[test]
fn default_forms() {
    check("%v", "['a']", "a");
    check("%v", "[nil]", "<nil>");
    check("%v", "[true]", "true");
    check("%v", "[[1, 2]]", "[1 2]");
    check("%+v", "[[1, 2]]", "[1 2]");
    check("%v", "[{'b': 1, 'a': nil}]", "map[a:<nil> b:1]");
    check("%v", "[1700000000.0]", "1.7e+09");
    check("%v", "[1700000000.25]", "1.70000000025e+09");
    check("%v", "[123456.0]", "123456");
    check("%v", "[1234567.0]", "1.234567e+06");
    check("%v", "[0.0001]", "0.0001");
    check("%v", "[0.00001]", "1e-05");
    check("%v", "[100000.0]", "100000");
    check("%v", "[1000000.0]", "1e+06");
    check("%v", "[-2.5]", "-2.5");
    assert_eq!(default_text(Value::Duration(5_400_000_000_000)), "1h30m0s");
    assert_eq!(default_text(Value::Float(f64::INFINITY)), "+Inf");
    assert_eq!(
        default_text(Value::Time(crate::value::Time::from_seconds(0))),
        "1970-01-01 00:00:00 +0000 UTC"
    );
}

#[test]
fn numbers() {
    check("%d|%5d|%-5d|%05d|%+d|% d", "[42, 42, 42, 42, 42, 42]", "42|   42|42   |00042|+42| 42");
    check("%x %X %#x %o %b", "[255, 255, 255, 8, 5]", "ff FF 0xff 10 101");
    check("%05d", "[-42]", "-0042");
    check("%.4d", "[42]", "0042");
    check("%c %U %q", "[65, 65, 65]", "A U+0041 'A'");
    check(
        "%f %.2f %8.3f|%-8.1f|",
        "[1.5, 1.005, 3.14159, 2.25]",
        "1.500000 1.00    3.142|2.2     |",
    );
    check("%e %.2E %g", "[123456.789, 0.00012, 1e21]", "1.234568e+05 1.20E-04 1e+21");
    check(
        "%.3g %.3g %.10g %.3g",
        "[1234.5, 0.00001234, 100000.0, 100.0]",
        "1.23e+03 1.23e-05 100000 100",
    );
    check("%06.2f", "[-1.5]", "-01.50");
    check("%*d|%-*d|%.*f", "[5, 42, 4, 7, 1, 2.55]", "   42|7   |2.5");
}

#[test]
fn texts() {
    check("%s %5s|%-5s|%.2s", "['a', 'b', 'c', 'h\u{e9}llo']", "a     b|c    |h\u{e9}");
    check("%q", "['a \\\"x\\\" \\n \u{1}']", "\"a \\\"x\\\" \\n \\x01\"");
    check("%x %X", "['hi', 'hi']", "6869 6869");
    check("%t", "[false]", "false");
    check("100%%", "[]", "100%");
    check("%T %T %T", "[1, 'a', nil]", "int string <nil>");
    check("%s", "[['a', 'b']]", "[a b]");
    check("%d", "[['a', 2]]", "[%!d(string=a) 2]");
}

#[test]
fn mismatches() {
    check("%d", "['x']", "%!d(string=x)");
    check("%s", "[5]", "%!s(int=5)");
    check("%t", "[5]", "%!t(int=5)");
    check("%d", "[1.5]", "%!d(float64=1.5)");
    check("%d", "[true]", "%!d(bool=true)");
    check("%s", "[nil]", "%!s(<nil>)");
    check("%d %d", "[1]", "1 %!d(MISSING)");
    check("%d", "[1, 'a', nil]", "1%!(EXTRA string=a, <nil>)");
    check("a%", "[]", "a%!(NOVERB)");
    check("%z", "[1]", "%!z(int=1)");
    check("%*d", "['a', 1]", "%!(BADWIDTH)1");
}

#[test]
fn too_long_is_a_fault() {
    let arena = Arena::new();
    let arguments = vec![Value::Int(1); 40];
    let format = "%1000000d".repeat(40);
    assert!(Printer::new(arena.alloc_slice_copy(&arguments)).print(&format).is_err());
}

proptest! {
    #[test]
    fn any_format(format in "(%[-+# 0]{0,2}[0-9*]{0,3}(\\.[0-9*]{0,2})?[a-zA-Z%é]?|.){0,6}", number: f64, int: i64) {
        let arguments = [Value::Float(number), Value::Int(int), Value::Text("x\u{e9}"), Value::Nil];
        let _ = Printer::new(&arguments).print(&format);
        prop_assert!(general_form(number, None).parse::<f64>().is_ok() || !number.is_finite());
    }
}
