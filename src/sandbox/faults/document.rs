//! The knobs as one JSON document.

use std::time::Duration;

use h2::Reason;
use serde::{Deserialize, Serialize};

use super::{Cut, Goaway, Outage, Reset, TokenOutage};

/// How the knobs of a fake stand. In JSON a member left out is one that is off; a duration is a
/// number of milliseconds under a name that says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How long every answer waits.
    #[serde(rename = "latency_ms", with = "millis")]
    pub latency: Duration,
    /// The random time below which is added to it.
    #[serde(rename = "latency_spread_ms", with = "millis")]
    pub latency_spread: Duration,
    /// What the random times follow from.
    pub latency_seed: u64,
    /// How the whole service fails.
    pub outage: Option<Outage>,
    /// How Google's token endpoint fails.
    pub token_outage: Option<TokenOutage>,
    /// The `timestamp` of answers with status 410, in Unix milliseconds; the time of the request
    /// when there is none.
    pub gone_at_ms: Option<i64>,
    /// How far the service's clock is ahead of the true one; behind it when negative.
    pub clock_ahead_ms: i64,
    /// The `Retry-After` of answers 429 and 503.
    pub retry_after_seconds: Option<u64>,
    /// The GOAWAY that is still to be said.
    pub goaway: Option<Goaway>,
    /// The resets still to come.
    pub reset_streams: Option<Reset>,
    /// The cuts still to come.
    pub cut: Option<Cut>,
}

pub(super) const fn one() -> u32 {
    1
}

pub(super) const fn no_error() -> Reason {
    Reason::NO_ERROR
}

/// Durations as numbers of milliseconds.
pub(super) mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(in crate::sandbox::faults) fn serialize<S: Serializer>(
        time: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(in crate::sandbox::faults) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// HTTP/2's error codes by their names in the [RFC](https://www.rfc-editor.org/rfc/rfc9113#section-7).
pub(super) mod code {
    use h2::Reason;
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Code {
        Name(String),
        Number(u32),
    }

    /// The table of the RFC has so many entries, from 0 on.
    const CODES: u32 = 14;

    pub(in crate::sandbox::faults) fn serialize<S: Serializer>(
        code: &Reason,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let number = u32::from(*code);
        if number < CODES {
            serializer.serialize_str(&format!("{code:?}"))
        } else {
            serializer.serialize_u32(number)
        }
    }

    pub(in crate::sandbox::faults) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Reason, D::Error> {
        match Code::deserialize(deserializer)? {
            Code::Number(number) => Ok(number.into()),
            Code::Name(name) => (0..CODES)
                .map(Reason::from)
                .find(|code| format!("{code:?}") == name)
                .ok_or_else(|| D::Error::custom(format!("`{name}` is no error code of HTTP/2"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_read_as_it_is_written() {
        let document = json!({
            "latency_ms": 5, "latency_spread_ms": 6, "latency_seed": 7, "outage": "silence",
            "token_outage": {"slow_ms": 8}, "gone_at_ms": 9, "clock_ahead_ms": -10,
            "retry_after_seconds": 11,
            "goaway": {"at_stream": 3, "code": "NO_ERROR", "reason": "Shutdown", "times": 2},
            "reset_streams": {"count": 1, "code": "REFUSED_STREAM", "is_accepted": true},
            "cut": {"count": 4, "is_accepted": false},
        });
        let settings: Settings = serde_json::from_value(document.clone()).unwrap();
        assert_eq!(serde_json::to_value(&settings).unwrap(), document);
        assert_eq!(settings.token_outage, Some(TokenOutage::Slow(Duration::from_millis(8))));
        let faults = super::super::Faults::default();
        faults.set(&settings);
        assert_eq!(faults.settings(), settings);
        faults.clear();
        assert_eq!(faults.settings(), Settings::default());
    }

    #[test]
    fn what_is_left_out_is_off_and_what_is_unknown_refused() {
        assert_eq!(serde_json::from_str::<Settings>("{}").unwrap(), Settings::default());
        let goaway: Goaway = serde_json::from_str("{}").unwrap();
        assert_eq!((goaway.at_stream, goaway.code, goaway.times), (1, Reason::NO_ERROR, 1));
        for wrong in [
            r#"{"latency": 5}"#,
            r#"{"outage": "rain"}"#,
            r#"{"latency_ms": -1}"#,
            r#"{"reset_streams": {"code": "OH_NO"}}"#,
            r#"{"reset_streams": {}}"#,
        ] {
            assert!(serde_json::from_str::<Settings>(wrong).is_err(), "{wrong}");
        }
    }
}
