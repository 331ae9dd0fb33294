//! The ways of logging in that a realm has: names, and whether each is switched on.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// More are not kept: of those that are left the first in order of the alphabet. Chat servers have about ten.
const MAX_METHODS: usize = 64;

/// A method with a longer name is not kept, in characters.
const MAX_NAME_LENGTH: usize = 64;

/// In one order, so that only a change is a change; of a repeated name the last value counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Methods(BTreeMap<String, bool>);

impl Methods {
    /// As they are stored.
    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(&self.0).expect("names and truth values can be written as JSON")
    }
}

impl<'de> Deserialize<'de> for Methods {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MethodsVisitor)
    }
}

struct MethodsVisitor;

impl<'de> Visitor<'de> for MethodsVisitor {
    type Value = Methods;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("names and truth values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Methods, A::Error> {
        let mut methods = BTreeMap::new();
        while let Some((name, is_on)) = map.next_entry::<String, bool>()? {
            if name.chars().nth(MAX_NAME_LENGTH).is_some() {
                continue;
            }
            methods.insert(name, is_on);
            if methods.len() > MAX_METHODS {
                // Never one that comes back: there are enough before it.
                methods.pop_last();
            }
        }
        Ok(Methods(methods))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_the_first_by_name_are_kept_in_whatever_order_they_come() {
        let text = |numbers: &mut dyn Iterator<Item = usize>| {
            let methods: Vec<_> = numbers.map(|number| format!("\"{number:03}\":true")).collect();
            format!("{{{}}}", methods.join(","))
        };
        let forth: Methods = serde_json::from_str(&text(&mut (0..200))).unwrap();
        let back: Methods = serde_json::from_str(&text(&mut (0..200).rev())).unwrap();
        assert_eq!(forth, back);
        assert_eq!(forth.0.len(), MAX_METHODS);
        assert_eq!(forth.0.last_key_value(), Some((&"063".to_owned(), &true)));
    }

    #[test]
    fn a_long_name_is_left_out_and_a_repeated_one_has_its_last_value() {
        let text = format!(
            r#"{{"b":true,"{}":true,"{}":true,"b":false,"\u0061":true}}"#,
            "ж".repeat(MAX_NAME_LENGTH),
            "x".repeat(MAX_NAME_LENGTH + 1)
        );
        let methods: Methods = serde_json::from_str(&text).unwrap();
        let kept: Vec<_> = methods.0.iter().map(|(name, is_on)| (name.as_str(), *is_on)).collect();
        assert_eq!(kept[..2], [("a", true), ("b", false)]);
        assert_eq!(kept.len(), 3);
        assert!(serde_json::from_str::<Methods>(r#"{"a":1}"#).is_err());
    }
}
