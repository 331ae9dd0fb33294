//! What is read of an object, and how it is written again.

use super::*;

fn members(text: &str) -> Vec<(String, String)> {
    let object = JsonObject::parse(text).unwrap();
    object.iter().map(|(name, value)| (name.to_owned(), value.get().to_owned())).collect()
}

#[test]
fn a_repeated_name_keeps_its_first_place_and_its_last_value() {
    let expected =
        [("a", "3"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(members(r#"{"a":1,"b":2,"\u0061":3}"#), expected);
}

#[test]
fn of_named_members_the_last_value_counts_and_others_are_passed_over() {
    let parse = |text| JsonObject::parse_members(text, &["a", "b"]).map(|object| object.members);
    let found = parse(r#"{"c":[{}],"b":1,"\u0061":2,"d":3,"b":{"e":4},"c":5}"#).unwrap();
    let found: Vec<_> = found.iter().map(|(name, value)| (name.as_ref(), value.get())).collect();
    assert_eq!(found, [("b", "{\"e\":4}"), ("a", "2")]);
    assert_eq!(parse("[]").err(), Some(JsonObjectError::NotAnObject));
    for text in ["{\"c\":}", "{\"a\":1", "{\"c\":NaN}", "{} x"] {
        assert_eq!(parse(text).err(), Some(JsonObjectError::NotJson), "{text}");
    }
}

#[test]
fn many_repeated_names_are_treated_as_few_are() {
    let text = (0..100).map(|n| format!("\"k{}\":{n}", n % 50)).collect::<Vec<_>>().join(",");
    let found = members(&format!("{{{text}}}"));
    assert_eq!(found.len(), 50);
    assert_eq!(found[7], ("k7".to_owned(), "57".to_owned()));
}

#[test]
fn compact_is_without_blanks_and_escapes() {
    let compact = |text: &str| {
        let mut output = Vec::new();
        write_compact(&mut output, serde_json::from_str(text).unwrap());
        String::from_utf8(output).unwrap()
    };
    assert_eq!(
        compact("{ \"a\" : [ 1.50 ,\n true ] , \"b\": \"x  y\" }"),
        "{\"a\":[1.50,true],\"b\":\"x  y\"}"
    );
    assert_eq!(compact(r#""\u0436\ud83d\ude00 \" \\""#), "\"ж😀 \\\" \\\\\"");
    assert_eq!(compact(r#"["\\","\ud83d", "\n"]"#), r#"["\\","\ud83d","\n"]"#);
    assert_eq!(compact("7"), "7");
}

#[test]
fn what_is_no_object_is_told_from_what_is_no_json() {
    for text in ["[]", "null", "5", "\"x\"", " [1] "] {
        assert_eq!(JsonObject::parse(text).err(), Some(JsonObjectError::NotAnObject), "{text}");
    }
    for text in ["", "{", "[1", "{\"a\":}", "{} x", "\u{feff}{}", "{\"a\":NaN}"] {
        assert_eq!(JsonObject::parse(text).err(), Some(JsonObjectError::NotJson), "{text}");
    }
}

#[test]
fn ten_thousand_levels_are_no_danger() {
    let text = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(JsonObject::parse(&text).is_ok());
}
