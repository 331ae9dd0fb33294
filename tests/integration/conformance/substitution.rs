//! Values of earlier answers that later requests use as `${name}`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::recording::Request;

/// The values captured so far.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    values: BTreeMap<String, String>,
}

impl Captures {
    /// Keeps what `keys` (name → key of the answer) ask for; what is not there stays as it was.
    pub(crate) fn keep(&mut self, keys: &BTreeMap<String, String>, answer: Option<&Value>) {
        for (name, key) in keys {
            let value = answer.and_then(|answer| answer.get(key)).and_then(Value::as_str);
            if let Some(value) = value {
                self.values.insert(name.clone(), value.to_owned());
            }
        }
    }

    /// The request with the values in place; a name nothing was captured for stays as written.
    pub(crate) fn fill_request(&self, request: &Request) -> Request {
        let mut request = request.clone();
        request.path = self.fill(&request.path);
        request.headers.values_mut().for_each(|value| *value = self.fill(value));
        request.auth = request.auth.map(|(name, key)| (self.fill(&name), self.fill(&key)));
        request.body = request.body.map(|body| self.fill(&body));
        request
    }

    /// The text with the values in place.
    pub(crate) fn fill(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&String, &String)| {
            text.replace(&format!("${{{name}}}"), value)
        };
        self.values.iter().fold(text.to_owned(), fill)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_captured_value_is_filled_in_everywhere() {
        let mut captures = Captures::default();
        let keys = BTreeMap::from([("newkey".to_owned(), "zulip_org_key".to_owned())]);
        captures.keep(&keys, Some(&json!({"zulip_org_key": "k3y"})));
        let request = serde_json::from_value(json!({
            "method": "POST", "path": "/x?k=${newkey}", "headers": {"A": "${newkey}!"},
            "auth": ["id", "${newkey}"], "body": "a=${newkey}&b=${other}",
        }));
        let filled = captures.fill_request(&request.unwrap());
        assert_eq!(filled.path, "/x?k=k3y");
        assert_eq!(filled.headers["A"], "k3y!");
        assert_eq!(filled.auth, Some(("id".to_owned(), "k3y".to_owned())));
        assert_eq!(filled.body.as_deref(), Some("a=k3y&b=${other}"));
    }

    #[test]
    fn a_later_capture_replaces_an_earlier_one_only_when_it_is_there() {
        let mut captures = Captures::default();
        let keys = BTreeMap::from([("secret".to_owned(), "verification_secret".to_owned())]);
        captures.keep(&keys, Some(&json!({"verification_secret": "one"})));
        captures.keep(&keys, Some(&json!({"result": "error"})));
        captures.keep(&keys, None);
        assert_eq!(captures.fill("${secret}"), "one");
        captures.keep(&keys, Some(&json!({"verification_secret": "two"})));
        assert_eq!(captures.fill("${secret}"), "two");
    }
}
