//! Devices that receive end-to-end encrypted notifications, and what names them.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::digest::{SHA256, digest};

use super::device::{AppId, DeviceToken, Provider, Target};
use crate::clock::Timestamp;

/// What Zulip 12 calls a device: the beginning of a hash of its token, which is all the chat server knows.
///
/// A hash is over the text as the phone wrote it, so the case of an APNs token matters (protocol, 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TokenId(i64);

impl TokenId {
    /// The id of the token that a phone wrote as `text`.
    ///
    /// ```
    /// use push_bouncer::domain::e2ee_device::TokenId;
    ///
    /// assert_eq!(TokenId::parse("+wKIhyAx/Eg="), Some(TokenId::of("c0ffee")));
    /// assert_eq!(TokenId::of("c0ffee").stored(), -359574906294109112);
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut first = [0; 8];
        first.copy_from_slice(&digest(&SHA256, text.as_bytes()).as_ref()[..8]);
        Self(i64::from_be_bytes(first))
    }

    /// The id in `text`: base64 of 8 bytes, in its one canonical form.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        Some(Self(i64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// The id as the database holds it: signed, big-endian.
    #[must_use]
    pub fn stored(self) -> i64 {
        self.0
    }

    /// An id that was stored.
    #[must_use]
    pub fn from_stored(stored: i64) -> Self {
        Self(stored)
    }
}

/// How a chat server names a device in a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum DeviceName<'a> {
    /// As Zulip 12 does: a [`TokenId`] as text, which may turn out to be none.
    TokenId(Cow<'a, str>),
    /// As Zulip 11 did: our own key of the row.
    DeviceId(i64),
}

/// A device as a chat server registers it.
#[derive(Clone, Debug)]
pub struct NewE2eeDevice {
    /// How it will be named.
    pub identity: E2eeIdentity,
    /// Which push service reaches it.
    pub provider: Provider,
    /// What that service calls it.
    pub token: DeviceToken,
    /// The app it is an installation of.
    pub app_id: Option<AppId>,
    /// When the phone made the registration, and not after it came.
    pub registered_at: Timestamp,
}

/// What a device is registered under, within one realm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum E2eeIdentity {
    /// Zulip 12: the token's id; all accounts on the phone share the device.
    TokenId(TokenId),
    /// Zulip 11: the app's number for the account, together with the token.
    PushAccount(i64),
}

/// A live device, as stored.
#[derive(Clone, Debug)]
pub struct E2eeDevice {
    /// Our own key.
    pub id: i64,
    /// The token's id, when it was registered under it.
    pub token_id: Option<TokenId>,
    /// Where a push to it goes.
    pub target: Target,
    /// A push service calls it bad, and is not believed.
    pub is_suspect: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_first_eight_bytes_of_a_hash_of_the_text() {
        for (token, text, stored) in [
            ("c0ffee", "+wKIhyAx/Eg=", -359_574_906_294_109_112),
            ("fcm-token-1", "PPqj8dYtEUg=", 4_394_004_645_529_063_752),
            ("ABCDEF", "6cD4tXXL/LQ=", -1_603_008_009_094_824_780),
        ] {
            assert_eq!(TokenId::of(token).stored(), stored, "{token}");
            assert_eq!(TokenId::parse(text), Some(TokenId::of(token)), "{token}");
        }
        assert_ne!(TokenId::of("abcdef"), TokenId::of("ABCDEF"), "case matters");
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in [
            "",
            "abc",
            "+wKIhyAx/Eg",
            "+wKIhyAx/Eh=",
            "-wKIhyAx_Eg=",
            "+wKIhyAx/Eg=\n",
            "+wKIhyAx/A==",
            "+wKIhyAx/EgA",
        ] {
            assert_eq!(TokenId::parse(text), None, "{text}");
        }
    }
}
