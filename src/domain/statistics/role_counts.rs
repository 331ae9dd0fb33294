//! How many users of each role a realm has, as audit rows tell it.

use crate::domain::json_object::JsonObject;

/// Above this no number of users is believed; sums of so many realms still fit 64 bits.
const MOST_USERS_OF_A_ROLE: i64 = 1_000_000_000;

/// Zulip's numbers for owners, administrators, moderators, members and guests.
const ROLES: [&str; 5] = ["100", "200", "300", "400", "600"];

/// Where the roles are: the counts by role, and in them those of people; bots are beside them.
const ROLE_COUNT: &str = "10";
const OF_PEOPLE: &str = "11";

/// An audit row tells something, but not how many users each role has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an audit row tells something, but not how many users each role has")]
pub struct OddRoleCounts;

/// How many people use a realm by the `extra_data` of an audit row: all five roles, guests among them, bots
/// not. An empty object says nothing, as in rows of old servers and of system users.
///
/// # Errors
///
/// When it is not empty, and lacks a role or has something else than a number for one.
pub fn user_count(extra_data: &JsonObject<'_>) -> Result<Option<i64>, OddRoleCounts> {
    if extra_data.is_empty() {
        return Ok(None);
    }
    let of_people = extra_data.get(ROLE_COUNT).and_then(JsonObject::from_value);
    let of_people = of_people.and_then(|counts| counts.get(OF_PEOPLE));
    let of_people = of_people.and_then(JsonObject::from_value).ok_or(OddRoleCounts)?;
    let mut total = 0;
    for role in ROLES {
        let count = of_people.get(role).ok_or(OddRoleCounts)?;
        let count: i64 = serde_json::from_str(count.get()).map_err(|_| OddRoleCounts)?;
        if !(0..=MOST_USERS_OF_A_ROLE).contains(&count) {
            return Err(OddRoleCounts);
        }
        total += count;
    }
    Ok(Some(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(text: &str) -> Result<Option<i64>, OddRoleCounts> {
        user_count(&JsonObject::parse(text).unwrap())
    }

    #[test]
    fn guests_count_and_bots_do_not() {
        let text = r#"{"10":{"11":{"100":1,"200":2,"300":3,"400":4,"600":5},"12":99},"x":[]}"#;
        assert_eq!(count(text), Ok(Some(15)));
    }

    #[test]
    fn nothing_told_is_no_number() {
        assert_eq!(count("{}"), Ok(None));
    }

    #[test]
    fn a_role_that_is_missing_or_no_number_is_odd() {
        for text in [
            r#"{"foo":1}"#,
            r#"{"10":5}"#,
            r#"{"10":{}}"#,
            r#"{"10":{"11":[]}}"#,
            r#"{"10":{"11":{"100":1,"200":2,"300":3,"400":4}}}"#,
            r#"{"10":{"11":{"100":1,"200":2,"300":3,"400":4,"600":"5"}}}"#,
            r#"{"10":{"11":{"100":1,"200":2,"300":3,"400":4,"600":-5}}}"#,
            r#"{"10":{"11":{"100":1,"200":2,"300":3,"400":4,"600":9223372036854775807}}}"#,
        ] {
            assert_eq!(count(text), Err(OddRoleCounts), "{text}");
        }
    }
}
