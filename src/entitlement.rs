//! May this server or realm push, and until when?
//!
//! For now everybody may, without end.

use crate::{
    clock::Timestamp,
    domain::{remote_realm::RemoteRealm, remote_server::RemoteServer},
};

/// May a server or realm push?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entitlement {
    /// Whether it may.
    pub can_push: bool,
    /// When that ends, if it is known to end.
    pub expected_end: Option<Timestamp>,
    /// Why it is so; chat servers log it.
    pub reason: &'static str,
}

/// The rule by which servers and realms may push.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntitlementPolicy;

impl EntitlementPolicy {
    /// What a realm, or a server of which no realm is named, may do.
    #[must_use]
    pub fn decide(&self, _server: &RemoteServer, _realm: Option<&RemoteRealm>) -> Entitlement {
        Entitlement { can_push: true, expected_end: None, reason: "Everybody may push" }
    }
}
