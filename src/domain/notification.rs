//! A notification as a remote server asks for it.

use serde_json::value::RawValue;

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
