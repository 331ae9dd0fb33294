//! What servers count.

/// Something that servers count and the bouncer keeps.
///
/// Servers also send four that were never worth keeping (`invites_sent::day`, `mobile_pushes_sent::day`,
/// `active_users_log:is_bot:day`, `active_users:is_bot:day`); newer ones may send others yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountProperty(&'static str);

/// The names, at most 32 characters each.
const KEPT: [&str; 14] = [
    "messages_sent:is_bot:hour",
    "messages_sent:message_type:day",
    "messages_sent:client:day",
    "messages_in_stream:is_bot:day",
    "ai_credit_usage::day",
    "active_users_audit:is_bot:day",
    "upload_quota_used_bytes::day",
    "messages_read::hour",
    "messages_read_interactions::hour",
    "1day_actives::day",
    "7day_actives::day",
    "15day_actives::day",
    "minutes_active::day",
    "realm_active_humans::day",
];

impl CountProperty {
    /// The property with this name, when it is kept.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        KEPT.into_iter().find(|kept| *kept == name).map(Self)
    }

    /// Everything that is kept.
    pub fn all() -> impl Iterator<Item = Self> {
        KEPT.into_iter().map(Self)
    }

    /// Whether it is counted every hour, and not every day.
    #[must_use]
    pub fn is_hourly(self) -> bool {
        self.0.ends_with(":hour")
    }

    /// Zulip's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_fits_its_column() {
        assert!(KEPT.iter().all(|name| name.len() <= 32));
    }

    #[test]
    fn the_end_of_a_name_tells_how_often_it_is_counted() {
        let hourly: Vec<_> = CountProperty::all().filter(|property| property.is_hourly()).collect();
        assert_eq!(hourly.len(), 3);
        assert!(KEPT.iter().all(|name| name.ends_with(":hour") || name.ends_with(":day")));
    }

    #[test]
    fn what_only_the_bouncer_counts_is_not_taken_from_servers() {
        for name in ["mobile_pushes_received::day", "mobile_pushes_forwarded::day"] {
            assert_eq!(CountProperty::from_name(name), None);
        }
    }
}
