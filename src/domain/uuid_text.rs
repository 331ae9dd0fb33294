//! UUIDs as clients write them.

use uuid::Uuid;

/// The UUID in `text`, in every form that Python's `uuid.UUID` reads: either case, with hyphens
/// anywhere or without, in braces, with `urn:` and `uuid:` before it.
///
/// ```
/// use push_bouncer::domain::uuid_text;
///
/// let plain = uuid_text::parse("a0000001-0000-4000-8000-000000000001");
/// assert_eq!(uuid_text::parse("urn:uuid:{A0000001000040008000000000000001}"), plain);
/// assert_eq!(uuid_text::parse("a0000001"), None);
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<Uuid> {
    // The usual form first: no copy is needed for it.
    if text.len() == 36
        && let Ok(uuid) = Uuid::try_parse(text)
    {
        return Some(uuid);
    }
    // Longer than any form of it: nothing to copy and search.
    if text.len() > 64 {
        return None;
    }
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    if bare.len() != 32 || !bare.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u128::from_str_radix(&bare, 16).ok().map(Uuid::from_u128)
}

/// Whether `text` is the one canonical form of a random UUID: lower case, hyphens, version 4.
#[must_use]
pub fn is_canonical_v4(text: &str) -> bool {
    parse(text).is_some_and(|uuid| {
        uuid.get_version() == Some(uuid::Version::Random)
            && uuid.get_variant() == uuid::Variant::RFC4122
            && uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_python_is_read() {
        let expected = Some(Uuid::from_u128(0xa000_0001_0000_4000_8000_0000_0000_0001));
        for text in [
            "A0000001-0000-4000-8000-000000000001",
            "a0000001000040008000000000000001",
            "{a0000001-0000-4000-8000-000000000001}",
            "urn:uuid:a0000001-0000-4000-8000-000000000001",
            "a0000001-00004000-80000000-00000001",
        ] {
            assert_eq!(parse(text), expected, "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "nope",
            "a0000001-0000-4000-8000-00000000000",
            "g0000001-0000-4000-8000-000000000001",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_lower_case_version_four_is_canonical() {
        assert!(is_canonical_v4("a0000001-0000-4000-8000-000000000001"));
        assert!(!is_canonical_v4("A0000001-0000-4000-8000-000000000001"));
        assert!(!is_canonical_v4("6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
        assert!(!is_canonical_v4("18cedb98-5222-5f34-50a9-fc418e1ba972"));
    }
}
