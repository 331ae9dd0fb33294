//! `[limits]`: how much anybody may ask for.

use std::{num::NonZeroU32, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::duration;

/// All limits.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Authenticated requests of one server.
    pub server: ServerLimitConfig,
    /// Unauthenticated requests from one address.
    pub ip: IpLimitConfig,
    /// Failed authentication.
    pub login: LoginLimitConfig,
    /// Transfers of registrations asked for from one address.
    pub transfer: TransferLimitConfig,
}

/// Authenticated requests of one server.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerLimitConfig {
    /// Requests in any such span of time. Default `1000/min`, Zulip's documented limit.
    pub rate: Rate,
    /// A request that would be allowed within this time waits instead of being refused, because a
    /// refused notification is lost. Default 3 s.
    #[serde(deserialize_with = "duration::read")]
    pub max_delay: Duration,
}

/// Unauthenticated requests from one address.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IpLimitConfig {
    /// Requests, all at once or spread. Default `60/min`.
    pub rate: Rate,
}

/// Failed authentication, by address and by organization id.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoginLimitConfig {
    /// Failures, all at once or spread. Default `60/min`.
    pub rate: Rate,
}

/// Transfers of registrations asked for from one address, each of which makes the bouncer call a host.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransferLimitConfig {
    /// Transfers, all at once or spread. Default `10/day`.
    pub rate: Rate,
}

/// So many in such a span of time, written `60/min`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In which time.
    pub per: Duration,
}

impl Rate {
    /// So many a minute.
    #[must_use]
    pub const fn per_minute(count: NonZeroU32) -> Self {
        Self { count, per: Duration::from_secs(60) }
    }

    /// So many a day.
    #[must_use]
    pub const fn per_day(count: NonZeroU32) -> Self {
        Self { count, per: Duration::from_secs(24 * 60 * 60) }
    }

    fn parse(text: &str) -> Option<Self> {
        let (count, span) = text.split_once('/')?;
        let seconds = match span {
            "s" => 1,
            "min" => 60,
            "h" => 60 * 60,
            "day" => 24 * 60 * 60,
            _ => return None,
        };
        Some(Self { count: count.parse().ok()?, per: Duration::from_secs(seconds) })
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "`{text}` is not a rate; write it like \"60/min\" (s, min, h or day)"
            ))
        })
    }
}

const ONE_THOUSAND: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not zero");
const TEN: NonZeroU32 = NonZeroU32::new(10).expect("10 is not zero");
const SIXTY: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");

impl Default for ServerLimitConfig {
    fn default() -> Self {
        Self { rate: Rate::per_minute(ONE_THOUSAND), max_delay: Duration::from_secs(3) }
    }
}

impl Default for IpLimitConfig {
    fn default() -> Self {
        Self { rate: Rate::per_minute(SIXTY) }
    }
}

impl Default for LoginLimitConfig {
    fn default() -> Self {
        Self { rate: Rate::per_minute(SIXTY) }
    }
}

impl Default for TransferLimitConfig {
    fn default() -> Self {
        Self { rate: Rate::per_day(TEN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_and_a_span() {
        assert_eq!(Rate::parse("1000/min"), Some(Rate::per_minute(ONE_THOUSAND)));
        for text in ["", "5", "0/min", "-1/s", "5/week", "/min"] {
            assert_eq!(Rate::parse(text), None, "{text}");
        }
    }
}
