//! Why a row of the source is not taken, or not as it is.

/// Why a row is in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It has no UUID, or one that is none.
    InvalidUuid,
    /// A server without a key.
    NoKey,
    /// A text is longer than we store.
    TooLong,
    /// What stands there is no host name.
    InvalidHostname,
    /// An active server that made a request later has the same host name: it is taken, and deactivated.
    DuplicateHostname,
    /// Its server was not taken.
    ServerMissing,
    /// Its realm was not taken.
    RealmMissing,
    /// It is a realm of the source itself, not of a remote server.
    LocalRealm,
    /// It names no user.
    NoUser,
    /// The push service has a number or name that nobody knows.
    UnknownKind,
    /// What stands there can be no token of its push service.
    InvalidToken,
    /// A device of Apple's without an app cannot be sent to.
    NoAppId,
    /// What stands there can be no bundle id.
    InvalidAppId,
    /// The app is not in the configuration.
    UnknownApp,
    /// An encrypted device without the name by which chat servers know it.
    NoName,
    /// The realm belongs to another server here.
    OtherServer,
    /// Another device has its number here.
    NumberTaken,
    /// It went at the source, and stays here.
    GoneAtSource,
}

impl Reason {
    /// The reason in the report and in summaries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidUuid => "invalid uuid",
            Self::NoKey => "no key",
            Self::TooLong => "too long",
            Self::InvalidHostname => "invalid host name",
            Self::DuplicateHostname => "duplicate host name: taken as deactivated",
            Self::ServerMissing => "server not taken",
            Self::RealmMissing => "realm not taken",
            Self::LocalRealm => "realm of the source itself",
            Self::NoUser => "without user id or uuid",
            Self::UnknownKind => "unknown push service",
            Self::InvalidToken => "invalid token",
            Self::NoAppId => "iOS without ios_app_id",
            Self::InvalidAppId => "invalid ios_app_id",
            Self::UnknownApp => "ios_app_id not in [apns.*]",
            Self::NoName => "without token_id or push_account_id",
            Self::OtherServer => "realm of another server here",
            Self::NumberTaken => "device_id of another device here",
            Self::GoneAtSource => "gone at the source: left here",
        }
    }
}

/// A reason, and what it is about: never a key or token.
pub(super) struct Refusal {
    pub(super) reason: Reason,
    pub(super) detail: String,
}

impl Refusal {
    pub(super) fn about(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, detail: String::new() }
    }
}

/// What a row of the source is to us.
pub(super) struct Judged<T> {
    pub(super) row: Option<T>,
    /// For the report; also of a row that is taken.
    pub(super) refusal: Option<Refusal>,
}

impl<T> From<Result<T, Refusal>> for Judged<T> {
    fn from(result: Result<T, Refusal>) -> Self {
        match result {
            Ok(row) => Self { row: Some(row), refusal: None },
            Err(refusal) => Self { row: None, refusal: Some(refusal) },
        }
    }
}
