//! A registered self-hosted server, and its key.

use std::fmt;

use ring::digest::{SHA256, digest};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::plan::Plan;
use crate::clock::Timestamp;

/// A self-hosted server registered with us.
#[derive(Clone, Debug)]
pub struct RemoteServer {
    /// Our own key.
    pub id: i64,
    /// Its `zulip_org_id`.
    pub uuid: Uuid,
    /// What its key must hash to.
    pub key: KeyHash,
    /// The key before the last rotation, until the new one is first used.
    pub previous_key: Option<PreviousKey>,
    /// Its host name, lower case.
    pub hostname: String,
    /// Whether its registration was deactivated.
    pub deactivated: bool,
    /// Its API feature level; absent for servers before 8.0, or that never uploaded anything.
    pub api_feature_level: Option<i32>,
    /// Whether the operator approved it, where that is asked for.
    pub approved: bool,
    /// What the operator agreed with it.
    pub plan: Option<Plan>,
    /// How many people use its realms together, bots aside.
    pub user_count: i64,
    /// When it last uploaded audit rows; how fresh the number is.
    pub audit_log_updated_at: Option<Timestamp>,
    /// How often its registration was transferred.
    pub transfers: i32,
}

/// A key that was replaced and still opens the door for a while.
#[derive(Clone, Debug)]
pub struct PreviousKey {
    /// What it hashes to.
    pub hash: KeyHash,
    /// When it stops being accepted at the latest.
    pub until: Timestamp,
}

/// Which of a server's keys a caller has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMatch {
    /// The present one.
    Current,
    /// The one before the last rotation, which is still accepted.
    Previous,
}

impl RemoteServer {
    /// Which of the server's keys `key` is; `None` when it is neither.
    #[must_use]
    pub fn matches(&self, key: &KeyHash, now: Timestamp) -> Option<KeyMatch> {
        // Both are always compared, so that time tells nothing.
        let current = self.key.equals(key);
        let previous = self
            .previous_key
            .as_ref()
            .is_some_and(|previous| previous.hash.equals(key) & (now < previous.until));
        match (current, previous) {
            (true, _) => Some(KeyMatch::Current),
            (false, true) => Some(KeyMatch::Previous),
            (false, false) => None,
        }
    }
}

/// SHA-256 of a `zulip_org_key`: 64 random characters need no slower hash.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of no known key: nobody can make a text that hashes to it.
    pub const MATCHES_NOTHING: Self = Self([0; 32]);

    /// The hash of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, key.as_bytes()).as_ref());
        Self(hash)
    }

    /// A hash that was stored; `None` when it has not 32 bytes.
    #[must_use]
    pub fn from_stored(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The hash, for the database only.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    fn equals(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}
