//! When two exchanges are equal, and what to tell when they are not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::recording::{COMPARED_HEADERS, Expected};
use crate::world::{Answer, Push};

/// The longest piece of a value that is shown.
const SHOWN_CHARACTERS: usize = 240;

/// What an answer and its pushes are, in the form that is compared.
pub(crate) fn observed(
    answer: &Answer,
    pushes: Vec<Push>,
    volatile: &BTreeSet<String>,
) -> Expected {
    let headers = COMPARED_HEADERS.iter().filter_map(|name| {
        let value = answer.headers.get(*name)?;
        Some(((*name).to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    let json = (!answer.body.is_empty()).then(|| {
        serde_json::from_slice(&answer.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&answer.body).into_owned()))
    });
    Expected {
        status: answer.status,
        headers: headers.collect(),
        json,
        pushes,
        volatile: volatile.clone(),
    }
}

/// One line for each difference; none when the two are equal.
pub(crate) fn differences(expected: &Expected, observed: &Expected) -> Vec<String> {
    let mut observed = observed.clone();
    observed.volatile.clone_from(&expected.volatile);
    // The reference's library repeats inside a request, ours must not: nobody wants a message twice.
    let mut lines = repeated(&observed.pushes);
    let (expected, observed) = (normal_form(expected), normal_form(&observed));
    if expected.status != observed.status {
        lines.push(format!("status: expected {}, got {}", expected.status, observed.status));
    }
    for name in COMPARED_HEADERS {
        let (left, right) = (expected.headers.get(name), observed.headers.get(name));
        if left != right {
            lines.push(format!("header {name}: expected {left:?}, got {right:?}"));
        }
    }
    match (&expected.json, &observed.json) {
        (Some(left), Some(right)) => json_differences("json", left, right, &mut lines),
        (None, None) => {}
        (left, right) => {
            lines.push(format!("body: expected {}, got {}", body(left), body(right)));
        }
    }
    push_differences(&expected.pushes, &observed.pushes, &mut lines);
    lines
}

/// One line for each push that went out more than once.
fn repeated(pushes: &[Push]) -> Vec<String> {
    let is_repeated = |(index, push): &(usize, &Push)| pushes[..*index].contains(push);
    let twice = pushes.iter().enumerate().filter(is_repeated);
    twice.map(|(_, push)| format!("push to {} went out more than once", push.token)).collect()
}

/// The exchange with everything equal that does not matter: the order inside `deleted_devices`,
/// volatile values, the order and the repetitions of pushes.
pub(crate) fn normal_form(exchange: &Expected) -> Expected {
    let mut exchange = exchange.clone();
    if let Some(json) = &mut exchange.json {
        if let Some(Value::Object(lists)) = json.get_mut("deleted_devices") {
            lists.values_mut().filter_map(Value::as_array_mut).for_each(|list| {
                list.sort_by_key(ToString::to_string);
            });
        }
        for key in &exchange.volatile {
            if let Some(value) = json.get_mut(key) {
                *value = Value::String("(volatile)".to_owned());
            }
        }
    }
    for key in exchange.volatile.iter().filter_map(|key| key.strip_prefix("upstream.")) {
        exchange.pushes.iter_mut().for_each(|push| blank(&mut push.body, key));
    }
    let mut pushes: Vec<Push> = Vec::new();
    for push in exchange.pushes {
        if !pushes.contains(&push) {
            pushes.push(push);
        }
    }
    pushes.sort_by_key(|push| (push.token.clone(), push.body.to_string()));
    Expected { pushes, ..exchange }
}

/// Makes every value under `key`, however deep, the same.
fn blank(value: &mut Value, key: &str) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if name == key {
                    *member = Value::String("(volatile)".to_owned());
                } else {
                    blank(member, key);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| blank(item, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn json_differences(path: &str, left: &Value, right: &Value, lines: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(expected), Value::Object(observed)) => {
            let names: BTreeSet<&String> = expected.keys().chain(observed.keys()).collect();
            for name in names {
                let path = format!("{path}.{name}");
                match (expected.get(name), observed.get(name)) {
                    (Some(left), Some(right)) => json_differences(&path, left, right, lines),
                    (Some(left), None) => {
                        lines.push(format!("{path}: expected {}, is absent", shown(left)));
                    }
                    (None, Some(right)) => {
                        lines.push(format!("{path}: unexpected, is {}", shown(right)));
                    }
                    (None, None) => {}
                }
            }
        }
        _ if left == right => {}
        _ => lines.push(format!("{path}: expected {}, got {}", shown(left), shown(right))),
    }
}

fn push_differences(expected: &[Push], observed: &[Push], lines: &mut Vec<String>) {
    let mut surplus: Vec<&Push> = observed.iter().filter(|push| !expected.contains(push)).collect();
    for missing in expected.iter().filter(|push| !observed.contains(push)) {
        let name = format!("push {:?} {}", missing.kind, missing.token);
        let twin = |push: &&Push| push.kind == missing.kind && push.token == missing.token;
        let Some(position) = surplus.iter().position(twin) else {
            lines.push(format!("{name}: did not arrive: {}", shown(&missing.body)));
            continue;
        };
        let got = surplus.remove(position);
        if missing.topic != got.topic {
            lines.push(format!("{name} topic: expected {:?}, got {:?}", missing.topic, got.topic));
        }
        if missing.expires != got.expires {
            lines
                .push(format!("{name} expires: expected {}, got {}", missing.expires, got.expires));
        }
        json_differences(&name, &missing.body, &got.body, lines);
    }
    for push in surplus {
        let Push { kind, token, topic, .. } = push;
        let body = shown(&push.body);
        lines.push(format!("push {kind:?} {token}: unexpected, topic {topic:?}: {body}"));
    }
}

fn body(json: &Option<Value>) -> String {
    json.as_ref().map_or_else(|| "none".to_owned(), shown)
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    let mut start: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::world::Kind;

    fn exchange(json: Value) -> Expected {
        Expected {
            status: 200,
            headers: BTreeMap::new(),
            json: Some(json),
            pushes: Vec::new(),
            volatile: BTreeSet::new(),
        }
    }

    fn push(token: &str, body: Value) -> Push {
        let topic = Some("org.zulip.Zulip".to_owned());
        Push { kind: Kind::Apns, token: token.to_owned(), topic, expires: true, body }
    }

    #[test]
    fn the_order_of_deleted_devices_does_not_matter_and_other_orders_do() {
        let lists = |key: &str, tokens: [&str; 2]| exchange(json!({ key: {"a": tokens} }));
        let (one, other) =
            (lists("deleted_devices", ["x", "y"]), lists("deleted_devices", ["y", "x"]));
        assert_eq!(differences(&one, &other), Vec::<String>::new());
        let (one, other) = (lists("others", ["x", "y"]), lists("others", ["y", "x"]));
        assert_eq!(differences(&one, &other).len(), 1);
    }

    #[test]
    fn a_volatile_key_must_be_there_with_any_value() {
        let mut expected = exchange(json!({"retry-after": 53.5}));
        expected.volatile.insert("retry-after".to_owned());
        assert!(differences(&expected, &exchange(json!({"retry-after": 1.25}))).is_empty());
        assert_eq!(differences(&expected, &exchange(json!({}))).len(), 1);
    }

    #[test]
    fn recorded_repetitions_count_once_and_our_own_are_told() {
        let (a, b) = (push("a", json!({"x": 1})), push("b", json!({"x": 1})));
        let mut expected = exchange(json!({}));
        expected.pushes = vec![a.clone(), b.clone(), a.clone()];
        let mut observed = exchange(json!({}));
        observed.pushes = vec![b.clone(), a.clone()];
        assert!(differences(&expected, &observed).is_empty());
        observed.pushes = vec![b, a.clone(), a];
        assert_eq!(differences(&expected, &observed), ["push to a went out more than once"]);
    }

    #[test]
    fn a_push_differs_by_topic_expiry_and_body() {
        let mut expected = exchange(json!({}));
        expected.pushes = vec![push("a", json!({"time": 1, "x": 1}))];
        expected.volatile.insert("upstream.time".to_owned());
        let mut observed = exchange(json!({}));
        observed.pushes = vec![push("a", json!({"time": 2, "x": 1}))];
        assert!(differences(&expected, &observed).is_empty());

        let twin = &mut observed.pushes[0];
        twin.topic = None;
        twin.expires = false;
        twin.body = json!({"time": 2, "x": 2});
        assert_eq!(
            differences(&expected, &observed),
            [
                r#"push Apns a topic: expected Some("org.zulip.Zulip"), got None"#,
                "push Apns a expires: expected true, got false",
                "push Apns a.x: expected 1, got 2",
            ]
        );
        observed.pushes.clear();
        assert_eq!(differences(&expected, &observed).len(), 1, "one did not arrive");
        assert_eq!(differences(&observed, &expected).len(), 1, "one was not expected");
    }

    #[test]
    fn an_empty_body_is_not_an_empty_object() {
        let mut observed = exchange(json!({}));
        observed.json = None;
        let lines = differences(&exchange(json!({})), &observed);
        assert_eq!(lines, ["body: expected {}, got none"]);
    }

    #[test]
    fn a_nested_difference_is_told_by_its_path() {
        let one = exchange(json!({"realm": {"can_push": true}, "gone": 1}));
        let other = exchange(json!({"realm": {"can_push": false}, "new": 1}));
        assert_eq!(
            differences(&one, &other),
            [
                "json.gone: expected 1, is absent",
                "json.new: unexpected, is 1",
                "json.realm.can_push: expected true, got false",
            ]
        );
    }
}
