//! Lists of read messages whose notifications a phone is to take down.

use crate::domain::json_object::JsonObject;

/// So many message ids reach the phone at most, the largest ones, as in the reference; more would not
/// fit into what Apple and Google carry.
pub const MAX_MESSAGE_IDS: usize = 200;

/// The message ids of a removal as they are to be sent: ascending, the [`MAX_MESSAGE_IDS`] largest.
///
/// `None` when the payload is no removal, or its list is not one of numbers: then it goes out as it came.
#[must_use]
pub fn message_ids_to_send(payload: &JsonObject<'_>) -> Option<String> {
    if payload.get_text("event")? != "remove" {
        return None;
    }
    let listed = payload.get_text("zulip_message_ids")?;
    let mut ids =
        listed.split(',').map(|id| id.trim().parse::<i64>()).collect::<Result<Vec<_>, _>>().ok()?;
    ids.sort_unstable();
    let largest = &ids[ids.len().saturating_sub(MAX_MESSAGE_IDS)..];
    Some(largest.iter().map(i64::to_string).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(payload: &str) -> Option<String> {
        message_ids_to_send(&JsonObject::parse(payload).unwrap())
    }

    #[test]
    fn ids_are_sorted_and_freed_of_blanks() {
        assert_eq!(
            ids(r#"{"event":"remove","zulip_message_ids":"9, 3,7"}"#).as_deref(),
            Some("3,7,9")
        );
    }

    #[test]
    fn the_largest_two_hundred_are_kept() {
        let listed = (0..250).rev().map(|id: i32| id.to_string()).collect::<Vec<_>>().join(",");
        let kept = ids(&format!(r#"{{"event":"remove","zulip_message_ids":"{listed}"}}"#)).unwrap();
        assert!(kept.starts_with("50,51,") && kept.ends_with(",249"));
        assert_eq!(kept.split(',').count(), MAX_MESSAGE_IDS);
    }

    #[test]
    fn anything_else_is_left_alone() {
        for payload in [
            r#"{"event":"message","zulip_message_ids":"3"}"#,
            r#"{"event":"remove"}"#,
            r#"{"event":"remove","zulip_message_ids":""}"#,
            r#"{"event":"remove","zulip_message_ids":"a,b"}"#,
            r#"{"event":"remove","zulip_message_ids":5}"#,
        ] {
            assert_eq!(ids(payload), None, "{payload}");
        }
    }
}
