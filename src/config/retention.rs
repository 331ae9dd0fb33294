//! `[retention]`: how long rows are kept that nobody needs for ever.

use std::time::Duration;

use serde::Deserialize;

use super::duration;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// How long rows are kept; older ones are deleted every hour. The newest row that a chat server uploaded of each
/// kind stays for ever.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Devices that are gone, since they went. Default 30 days, and not less: so long a row must say that its
    /// device is gone (`providers.md`, rule 4).
    #[serde(deserialize_with = "duration::read")]
    pub expired_devices: Duration,
    /// What happened to registrations, and on realms. Default 2 years.
    #[serde(deserialize_with = "duration::read")]
    pub audit: Duration,
    /// What chat servers count in an hour. Default 30 days.
    #[serde(deserialize_with = "duration::read")]
    pub stats_hourly: Duration,
    /// What chat servers count in a day, pushes of a day, and uses of registration keys in a day. Default 2 years,
    /// at least 30 days: whether a registration key is still in use is asked over that time.
    #[serde(deserialize_with = "duration::read")]
    pub stats_daily: Duration,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            expired_devices: 30 * DAY,
            audit: 730 * DAY,
            stats_hourly: 30 * DAY,
            stats_daily: 730 * DAY,
        }
    }
}

impl RetentionConfig {
    /// What would delete rows that are needed.
    pub(super) fn problems(&self) -> Vec<String> {
        let settings = [
            (
                "expired_devices",
                self.expired_devices,
                30,
                "so long a row must say that its device is gone",
            ),
            (
                "audit",
                self.audit,
                1,
                "less would keep nothing; a long time such as 1000y keeps all",
            ),
            (
                "stats_hourly",
                self.stats_hourly,
                1,
                "less would keep nothing; a long time such as 1000y keeps all",
            ),
            (
                "stats_daily",
                self.stats_daily,
                30,
                "so long the uses of a registration key are looked at before it is retired",
            ),
        ];
        let is_short = |(_, time, days, _): &(&str, Duration, u32, &str)| *time < *days * DAY;
        let sentence = |(name, _, days, reason): (&str, Duration, u32, &str)| {
            format!("`retention.{name}` must be at least {days}d: {reason}")
        };
        settings.into_iter().filter(is_short).map(sentence).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    const FILE: &str = "public_url = \"https://push.example.com\"\nsecret_key_file = \"s\"\n\
        http.tls = { cert_file = \"c\", key_file = \"k\" }\n";

    #[test]
    fn what_is_needed_cannot_be_deleted_by_a_setting() {
        let complaint = |setting: &str| {
            Config::parse(&format!("{FILE}retention.{setting}\n"))
                .err()
                .map(|error| error.to_string())
        };
        for (setting, least) in [
            ("expired_devices = \"29d\"", "30d"),
            ("audit = \"0\"", "1d"),
            ("stats_hourly = \"23h\"", "1d"),
            ("stats_daily = \"29d\"", "30d"),
        ] {
            let told = complaint(setting).unwrap();
            assert!(told.contains(&format!("must be at least {least}")), "{told}");
        }
        for setting in ["expired_devices = \"30d\"", "audit = \"1000y\"", "stats_hourly = \"1d\""] {
            assert_eq!(complaint(setting), None);
        }
    }
}
