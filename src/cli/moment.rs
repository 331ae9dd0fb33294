//! Moments as operators write them, and as operators and programs read them.

use time::{
    Date, OffsetDateTime, UtcOffset,
    format_description::well_known::{Iso8601, Rfc3339},
};

use crate::clock::Timestamp;

/// A day such as 2027-12-01, which is its beginning in UTC, or a moment as RFC 3339 has it.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let day =
        Date::parse(text, &Iso8601::DATE).map(|day| day.midnight().assume_offset(UtcOffset::UTC));
    let moment = day.or_else(|_| OffsetDateTime::parse(text, &Rfc3339));
    let moment =
        moment.map_err(|_| "write it like 2027-12-01 or 2027-12-01T08:00:00Z".to_owned())?;
    Ok(Timestamp::from_unix_seconds(moment.unix_timestamp()))
}

/// A moment as RFC 3339 has it, in UTC and to the second; Unix seconds where its year has not four digits.
pub(super) fn utc(moment: Timestamp) -> String {
    let seconds = moment.unix_seconds();
    let moment = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = moment.and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| seconds.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_utc() {
        assert_eq!(parse("2027-12-01"), Ok(Timestamp::from_unix_seconds(1_827_619_200)));
        let with_zone = parse("2027-12-01T02:00:00+02:00");
        assert_eq!(with_zone, Ok(Timestamp::from_unix_seconds(1_827_619_200)));
        for text in ["", "tomorrow", "2027-13-01", "1.12.2027"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_700_000_000, "2023-11-14T22:13:20Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (1_827_619_200, "2027-12-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (9_223_372_036_854_775, "9223372036854775"),
        ] {
            assert_eq!(utc(Timestamp::from_unix_seconds(seconds)), expected);
        }
    }
}
