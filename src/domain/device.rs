//! Devices and the tokens that reach them.

use std::{fmt, sync::Arc};

use ring::digest::{SHA256, digest};
use uuid::Uuid;

use crate::clock::Timestamp;

/// The longest token that is taken, in characters; Zulip's limit.
pub const MAX_TOKEN_CHARACTERS: usize = 4096;

/// Which push service reaches a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// Apple Push Notification service.
    Apns,
    /// Firebase Cloud Messaging.
    Fcm,
}

impl Provider {
    /// The provider with this number on the wire: 1 is APNs, 2 is FCM.
    #[must_use]
    pub fn from_token_kind(kind: i64) -> Option<Self> {
        match kind {
            1 => Some(Self::Apns),
            2 => Some(Self::Fcm),
            _ => None,
        }
    }

    /// The provider's number on the wire and in the database.
    #[must_use]
    pub fn token_kind(self) -> i16 {
        match self {
            Self::Apns => 1,
            Self::Fcm => 2,
        }
    }

    /// The provider's word in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Apns => "apns",
            Self::Fcm => "fcm",
        }
    }
}

/// What Apple or Google call one app installation; whoever has it can be sent to it by us.
///
/// APNs tokens are kept in lower case and without blanks, so equal means equal. Its `Debug` prints
/// `[redacted]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceToken(Arc<str>);

/// Why a text is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceTokenError {
    /// Empty, or longer than [`MAX_TOKEN_CHARACTERS`].
    #[error("empty or too long")]
    Length,
    /// An APNs token that is not hexadecimal.
    #[error("not hexadecimal")]
    NotHexadecimal,
    /// A character that no database stores: NUL.
    #[error("contains NUL")]
    Nul,
}

impl DeviceToken {
    /// The token in `text`, as it is stored.
    ///
    /// # Errors
    ///
    /// When the text can be no token of this provider.
    pub fn parse(provider: Provider, text: &str) -> Result<Self, DeviceTokenError> {
        if text.is_empty()
            || text.len() > MAX_TOKEN_CHARACTERS && text.chars().count() > MAX_TOKEN_CHARACTERS
        {
            return Err(DeviceTokenError::Length);
        }
        match provider {
            Provider::Apns => Self::normalised(text).ok_or(DeviceTokenError::NotHexadecimal),
            Provider::Fcm if text.contains('\0') => Err(DeviceTokenError::Nul),
            Provider::Fcm => Ok(Self(text.into())),
        }
    }

    /// The token a client means, for comparison with stored ones; never fails.
    ///
    /// A text that can be no token is kept as it is: it equals no stored one.
    #[must_use]
    pub fn lenient(provider: Provider, text: &str) -> Self {
        match provider {
            Provider::Apns => Self::normalised(text).unwrap_or_else(|| Self(text.into())),
            Provider::Fcm => Self(text.into()),
        }
    }

    /// A token that was checked before it was stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The token, for the wire and the database only.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first 16 bytes of the token's SHA-256, by which the database finds it.
    #[must_use]
    pub fn digest(&self) -> [u8; 16] {
        let mut short = [0; 16];
        short.copy_from_slice(&digest(&SHA256, self.0.as_bytes()).as_ref()[..16]);
        short
    }

    /// What Python's `bytes.fromhex` reads: pairs of digits in either case, blanks between pairs.
    fn normalised(text: &str) -> Option<Self> {
        if !text.is_empty()
            && text.len().is_multiple_of(2)
            && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        {
            return Some(Self(text.into()));
        }
        let mut bare = String::with_capacity(text.len());
        let mut digits = text.bytes().peekable();
        while let Some(first) = digits.next() {
            if matches!(first, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c) {
                continue;
            }
            let second = digits.next()?;
            if !first.is_ascii_hexdigit() || !second.is_ascii_hexdigit() {
                return None;
            }
            bare.push(char::from(first.to_ascii_lowercase()));
            bare.push(char::from(second.to_ascii_lowercase()));
        }
        (!bare.is_empty()).then(|| Self(bare.into()))
    }
}

impl fmt::Debug for DeviceToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

/// An Apple bundle id; APNs calls it the topic.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The bundle id in `text`: letters, digits, dots and hyphens.
    ///
    /// The pattern is Zulip's, `^[.a-zA-Z0-9-]+$`; Python's `$` also lets one newline end the text,
    /// which is refused here.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-';
        (!text.is_empty() && text.bytes().all(is_valid)).then(|| Self(text.into()))
    }

    /// The bundle id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// One app installation of one user, as stored.
#[derive(Clone, Debug)]
pub struct Device {
    /// Our own key.
    pub id: i64,
    /// Which push service reaches it.
    pub provider: Provider,
    /// What that service calls it.
    pub token: DeviceToken,
    /// The app it is an installation of; known for every Apple device that can be sent to.
    pub app_id: Option<AppId>,
    /// The user's UUID, when it is stored under it and not under the number.
    pub user_uuid: Option<Uuid>,
    /// Our key of the realm, once known.
    pub remote_realm_id: Option<i64>,
    /// When the server last registered it.
    pub registered_at: Timestamp,
    /// A push service calls it bad, and is not believed.
    pub is_suspect: bool,
    /// The Firebase project that reaches it, by its name in the configuration; nothing until it is known.
    pub fcm_app: Option<Arc<str>>,
}

impl Device {
    /// Where a push to it goes.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            provider: self.provider,
            token: self.token.clone(),
            app_id: self.app_id.clone(),
            fcm_app: self.fcm_app.clone(),
        }
    }
}

/// Where a push goes: all that a push service has to know of a device.
#[derive(Clone, Debug)]
pub struct Target {
    /// The push service.
    pub provider: Provider,
    /// What it calls the device.
    pub token: DeviceToken,
    /// The app; known for every Apple device that can be sent to.
    pub app_id: Option<AppId>,
    /// The Firebase project that reaches it, by its name in the configuration; nothing until it is known.
    pub fcm_app: Option<Arc<str>>,
}

/// Which row a push is for, by our own key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// A device that receives notifications in the clear.
    Device(i64),
    /// A device that receives encrypted notifications.
    E2ee(i64),
}

/// A device as a server registers it.
#[derive(Clone, Debug)]
pub struct NewDevice {
    /// Which push service reaches it.
    pub provider: Provider,
    /// What that service calls it.
    pub token: DeviceToken,
    /// The app it is an installation of.
    pub app_id: Option<AppId>,
    /// Our key of the realm, if it is known.
    pub remote_realm_id: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apns_tokens_are_kept_in_lower_case_without_blanks() {
        let token = DeviceToken::parse(Provider::Apns, "AB cd\n12").unwrap();
        assert_eq!(token.expose(), "abcd12");
    }

    #[test]
    fn apns_tokens_must_be_pairs_of_hexadecimal_digits() {
        for text in ["abc", "zz", "a bcd", "äbcd", "ab!!cd", " "] {
            let error = DeviceToken::parse(Provider::Apns, text).unwrap_err();
            assert_eq!(error, DeviceTokenError::NotHexadecimal, "{text}");
        }
    }

    #[test]
    fn fcm_tokens_are_kept_as_they_are() {
        for text in ["dX:APA91b_-ABC.def~%", "tökén-😀", "  "] {
            assert_eq!(DeviceToken::parse(Provider::Fcm, text).unwrap().expose(), text);
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let longest = "ö".repeat(MAX_TOKEN_CHARACTERS);
        assert!(DeviceToken::parse(Provider::Fcm, &longest).is_ok());
        let error = DeviceToken::parse(Provider::Fcm, &format!("{longest}ö")).unwrap_err();
        assert_eq!(error, DeviceTokenError::Length);
    }

    #[test]
    fn a_token_does_not_print_itself() {
        let token = DeviceToken::parse(Provider::Fcm, "secret").unwrap();
        assert_eq!(format!("{token:?}"), "[redacted]");
    }
}
