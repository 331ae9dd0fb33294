//! The words in a token that say how a device answers.

/// What a device answers; the table stands in [`super`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// `dead`: the app is gone from the device.
    Dead,
    /// `badtok`: no token at all.
    BadToken,
    /// `nottopic`: the token of another app.
    NotForTopic,
    /// `toomany`: this device got too much.
    TooMany,
    /// `oops`: the service fails.
    Oops,
    /// `unavail`: the service is overloaded.
    Unavailable,
    /// `slow`: accepted, but late.
    Slow,
    /// `reason-<name>-`: this entry of the service's own table.
    Reason(&'a str),
}

const WORDS: [(&[u8], Marker<'static>); 7] = [
    (b"dead", Marker::Dead),
    (b"badtok", Marker::BadToken),
    (b"nottopic", Marker::NotForTopic),
    (b"toomany", Marker::TooMany),
    (b"oops", Marker::Oops),
    (b"unavail", Marker::Unavailable),
    (b"slow", Marker::Slow),
];

impl<'a> Marker<'a> {
    /// The first word in a token, if it has one.
    pub(super) fn find(token: &'a [u8]) -> Option<Self> {
        // One pass for all words, by the letters they begin with: this runs for every request of a
        // load test.
        (0..token.len())
            .filter(|&at| {
                matches!(token[at], b'd' | b'b' | b'n' | b't' | b'o' | b'u' | b's' | b'r')
            })
            .find_map(|at| Self::at_start(&token[at..]))
    }

    fn at_start(text: &'a [u8]) -> Option<Self> {
        let word = WORDS.iter().find(|(word, _)| text.starts_with(word));
        word.map(|&(_, marker)| marker).or_else(|| {
            let name = text.strip_prefix(b"reason-")?;
            let name = &name[..name.iter().position(|&byte| byte == b'-')?];
            let plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
            let name = str::from_utf8(name).ok().filter(|name| !name.is_empty())?;
            name.as_bytes().iter().all(plain).then_some(Self::Reason(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_anywhere() {
        for (token, marker) in [
            ("ab-dead", Some(Marker::Dead)),
            ("badtok-1", Some(Marker::BadToken)),
            ("x:nottopic", Some(Marker::NotForTopic)),
            ("toomanytoomany", Some(Marker::TooMany)),
            ("ooops", Some(Marker::Oops)),
            ("unavail", Some(Marker::Unavailable)),
            ("slow", Some(Marker::Slow)),
            ("my-reason-Shutdown-1", Some(Marker::Reason("Shutdown"))),
            ("reason-QUOTA_EXCEEDED-", Some(Marker::Reason("QUOTA_EXCEEDED"))),
            ("reason-unfinished", None),
            ("reason--", None),
            ("reason-\"quoted\"-", None),
            ("", None),
            ("dea", None),
            ("ordinary", None),
        ] {
            assert_eq!(Marker::find(token.as_bytes()), marker, "{token}");
        }
    }
}
