//! A notification as a remote server asks for it.

use std::sync::Arc;

use serde_json::value::RawValue;

use super::json_object::JsonObject;

/// What a remote server asks us to send to one user, for both kinds of phone.
///
/// The payloads pass through: they are looked into only where the protocol says so, borrowed from the
/// request, and have neither `Debug` nor `Display`.
#[derive(Clone, Copy)]
pub struct Notification<'a> {
    /// What iPhones get; empty when it is not meant for them.
    pub apns_payload: &'a RawValue,
    /// What Android phones get; empty when it is not meant for them.
    pub gcm_payload: &'a RawValue,
    /// How Android phones get it.
    pub gcm_options: &'a RawValue,
}

/// What a notification is about, as far as it can be seen: the numbers of messages, never their words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Content {
    /// A new message, by its number on the server.
    Message(i64),
    /// These messages were read elsewhere, in ascending order: what a phone shows of them goes.
    Removal(Arc<[i64]>),
    /// Anything else, or encrypted.
    #[default]
    Other,
}

/// What can be seen of a notification besides its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// What it is about.
    pub content: Content,
    /// When the message was written, in Unix seconds, if its server says so.
    pub written_at: Option<i64>,
}

impl About {
    /// What the metadata of a legacy payload say: all of it for Android phones, `custom.zulip` for Apple's.
    #[must_use]
    pub fn of(zulip: &JsonObject<'_>) -> Self {
        let written_at = zulip.get("time").and_then(|time| time.get().parse().ok());
        Self { content: Content::of(zulip), written_at }
    }
}

impl Content {
    fn of(zulip: &JsonObject<'_>) -> Self {
        match zulip.get_text("event").as_deref() {
            Some("message") | None => {
                let id = zulip.get("zulip_message_id").map(RawValue::get);
                // Apple's form has a list with one number.
                let id = id.or_else(|| {
                    let ids = zulip.get("message_ids")?.get().trim();
                    Some(ids.strip_prefix('[')?.strip_suffix(']')?.trim())
                });
                let id = id.and_then(|id| id.trim_matches('"').parse().ok());
                id.map_or(Self::Other, Self::Message)
            }
            Some("remove") => {
                let listed = zulip.get_text("zulip_message_ids");
                let one =
                    || zulip.get("zulip_message_id").map(|id| id.get().trim_matches('"').into());
                let Some(listed) = listed.or_else(one) else { return Self::Other };
                let ids = listed.split(',').map(|id| id.trim().parse());
                match ids.collect::<Result<Vec<i64>, _>>() {
                    Ok(mut ids) => {
                        ids.sort_unstable();
                        Self::Removal(ids.into())
                    }
                    Err(_) => Self::Other,
                }
            }
            Some(_) => Self::Other,
        }
    }
}

/// The kind of request a push came by, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// `push/notify`.
    Notify,
    /// `push/test_notification`.
    Test,
    /// `push/e2ee/notify`.
    E2ee,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(zulip: &str) -> Content {
        About::of(&JsonObject::parse(zulip).unwrap()).content
    }

    #[test]
    fn a_message_is_known_by_its_number_in_every_form() {
        for zulip in [
            r#"{"event":"message","zulip_message_id":7}"#,
            r#"{"event":"message","zulip_message_id":"7"}"#,
            r#"{"message_ids":[7]}"#,
            r#"{"message_ids":[ 7 ],"time":5}"#,
        ] {
            assert_eq!(content(zulip), Content::Message(7), "{zulip}");
        }
    }

    #[test]
    fn a_removal_is_known_by_its_list_or_by_the_one_number_of_old_servers() {
        let removal = |ids: &[i64]| Content::Removal(ids.into());
        let several = r#"{"event":"remove","zulip_message_ids":"9,3"}"#;
        assert_eq!(content(several), removal(&[3, 9]));
        assert_eq!(content(r#"{"event":"remove","zulip_message_id":3}"#), removal(&[3]));
    }

    #[test]
    fn what_is_odd_is_anything_else() {
        for zulip in [
            "{}",
            r#"{"event":"remove"}"#,
            r#"{"event":"remove","zulip_message_ids":"a,b"}"#,
            r#"{"event":"test","zulip_message_id":7}"#,
            r#"{"message_ids":[1,2]}"#,
        ] {
            assert_eq!(content(zulip), Content::Other, "{zulip}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_message() {
        let about = |zulip| About::of(&JsonObject::parse(zulip).unwrap());
        assert_eq!(about(r#"{"time":1700000000}"#).written_at, Some(1_700_000_000));
        assert_eq!(about(r#"{"time":"soon"}"#).written_at, None);
    }
}
