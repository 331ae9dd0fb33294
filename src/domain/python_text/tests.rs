//! JSON values and the Python text of each, taken from CPython 3.11.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{PythonTextError, json::DEEPEST, python_repr, python_str};

fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap()
}

#[test]
fn values_become_what_str_makes_of_them() {
    for (json, text) in [
        ("true", "True"),
        ("false", "False"),
        ("null", "None"),
        ("0", "0"),
        ("-0", "0"),
        ("-0.0", "-0.0"),
        ("-0e0", "-0.0"),
        ("5", "5"),
        ("1e100", "1e+100"),
        ("1E5", "100000.0"),
        ("1.50", "1.5"),
        ("0.00001", "1e-05"),
        ("1e-400", "0.0"),
        ("1e16", "1e+16"),
        ("[]", "[]"),
        ("{}", "{}"),
        ("[1, \"a\"]", "[1, 'a']"),
        ("[1,2 , 3]", "[1, 2, 3]"),
        (r#"{"k": "v", "n": null}"#, "{'k': 'v', 'n': None}"),
        (r#" { "a" : { "b" : [ true , [ ] ] } } "#, "{'a': {'b': [True, []]}}"),
        (r#""it's""#, "it's"),
        (r#""a\tb\u00e9\ud83d\ude00""#, "a\tb\u{e9}\u{1f600}"),
        (r#""\u0000""#, "\0"),
        (r#""""#, ""),
    ] {
        assert_eq!(python_str(raw(json)).as_deref(), Ok(text), "{json}");
    }
}

#[test]
fn integers_beyond_64_bits_become_floats() {
    for (json, text) in [
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "1.8446744073709552e+19"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        ("123456789012345678901234567890", "1.2345678901234568e+29"),
    ] {
        assert_eq!(python_str(raw(json)).as_deref(), Ok(text));
    }
}

#[test]
fn strings_inside_are_quoted_and_escaped() {
    for (json, text) in [
        (r#"["it's"]"#, r#"["it's"]"#),
        (r#"["say \"hi\""]"#, r#"['say "hi"']"#),
        (r#"["it's \"hi\""]"#, r#"['it\'s "hi"']"#),
        (r#"["\n\t\r\\\/\b\f\u0000\u007f"]"#, r"['\n\t\r\\/\x08\x0c\x00\x7f']"),
        (r#"["\u00a0\u00ad\u00e9"]"#, "['\\xa0\\xad\u{e9}']"),
        (r#"["\u200b\u2028\u3000\ue000\uffff"]"#, r"['\u200b\u2028\u3000\ue000\uffff']"),
        (r#"["\ud83d\ude00\udbff\udfff"]"#, "['\u{1f600}\\U0010ffff']"),
        (r#"{"a'b\n": 1}"#, "{\"a'b\\n\": 1}"),
    ] {
        assert_eq!(python_str(raw(json)).as_deref(), Ok(text), "{json}");
    }
}

#[test]
fn an_equal_key_keeps_its_place_and_takes_the_last_value() {
    let json = r#"{"a": 1, "b": 2, "\u0061": {"c": 3, "c": 4}, "d": 5}"#;
    assert_eq!(python_str(raw(json)).unwrap(), "{'a': {'c': 4}, 'b': 2, 'd': 5}");
}

#[test]
fn repr_quotes_a_string_too() {
    for (json, text) in [
        ("\"invalid\"", "'invalid'"),
        ("\"it's\"", "\"it's\""),
        ("5", "5"),
        ("true", "True"),
        ("[\"a\"]", "['a']"),
    ] {
        assert_eq!(python_repr(raw(json)).as_deref(), Ok(text));
    }
}

#[test]
fn what_needs_no_change_is_not_copied() {
    for json in ["\"plain \u{e9}\"", "12", "null"] {
        assert!(matches!(python_str(raw(json)), Ok(Cow::Borrowed(_))), "{json}");
    }
}

#[test]
fn what_the_official_service_does_not_decode_is_an_error() {
    for (json, error) in [
        ("1e400", PythonTextError::NumberTooLarge),
        ("[-1e400]", PythonTextError::NumberTooLarge),
        (&"9".repeat(400), PythonTextError::NumberTooLarge),
        (r#""\ud800""#, PythonTextError::UnpairedSurrogate),
        (r#"{"\udc00\ud800": 1}"#, PythonTextError::UnpairedSurrogate),
    ] {
        assert_eq!(python_str(raw(json)), Err(error), "{json}");
    }
}

#[test]
fn nesting_ends_at_128_levels() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(python_str(raw(&nested(DEEPEST))).unwrap(), nested(DEEPEST));
    assert_eq!(python_str(raw(&nested(DEEPEST + 1))), Err(PythonTextError::TooDeep));
    let side_by_side = format!("[{}[]]", "[],".repeat(1000));
    assert!(python_str(raw(&side_by_side)).is_ok());
    let deep_object = r#"{"a":"#.repeat(100_000) + "1" + &"}".repeat(100_000);
    assert_eq!(python_str(raw(&deep_object)), Err(PythonTextError::TooDeep));
}
