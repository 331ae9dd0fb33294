//! Durations as a person writes them: `"500ms"`, `"12s"`, `"10m"`, `"1h"`, `"7d"`, `"2y"`.

use std::time::Duration;

use serde::{Deserialize as _, Deserializer, de::Error as _};

/// Reads one duration; for `#[serde(deserialize_with)]`.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| {
        D::Error::custom(format!(
            "`{text}` is not a duration; write a number and ms, s, m, h, d or y, such as \"12s\""
        ))
    })
}

fn parse(text: &str) -> Option<Duration> {
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let seconds = |each: u64| number.checked_mul(each).map(Duration::from_secs);
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => seconds(1),
        "m" => seconds(60),
        "h" => seconds(60 * 60),
        "d" => seconds(24 * 60 * 60),
        // Of 365 days: who counts in years does not count leap days.
        "y" => seconds(365 * 24 * 60 * 60),
        // Nothing is nothing in every unit.
        "" if number == 0 => Some(Duration::ZERO),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_unit_make_a_duration() {
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("12s"), Some(Duration::from_secs(12)));
        assert_eq!(parse("7d"), Some(Duration::from_secs(604_800)));
        assert_eq!(parse("2y"), parse("730d"));
        assert_eq!(parse("0"), Some(Duration::ZERO));
    }

    #[test]
    fn anything_else_does_not() {
        for text in [
            "",
            "s",
            "12",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "99999999999999999999s",
            "99999999999999999d",
            "999999999999y",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
