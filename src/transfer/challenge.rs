//! The call to the host: does it show a secret under the access token it made?
//!
//! `GET https://{hostname}/api/v1/zulip-services/verify/{access_token}/`, which chat servers answer since 10.0.

use std::{net::IpAddr, time::Duration};

use http::StatusCode;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout_at};

use crate::{
    domain::hostname::Hostname,
    names::{Located, Names},
    outbound::{Reply, Stranger, StrangerError, Strangers},
};

/// The whole call, from the name to the last byte.
const DEADLINE: Duration = Duration::from_secs(5);

/// The code of a chat server that has prepared nothing, or for another token.
const NOT_PREPARED: &str = "REMOTE_SERVER_VERIFICATION_SECRET_NOT_PREPARED";

/// What the new installation made up for this call. It does not print itself.
pub struct AccessToken(String);

impl AccessToken {
    /// The longest, in characters; chat servers make 43.
    pub const MAX_LENGTH: usize = 128;

    /// The token, which is letters, digits, `_` and `-`; so it can stand in a path.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let is_token = (1..=Self::MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed);
        is_token.then(|| Self(text.to_owned()))
    }
}

/// Why the host did not show a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// It says that it has none.
    #[error("the host has no secret")]
    NotPrepared,
    /// It answered with another status than 200.
    #[error("the host answered with status {}", .0.as_u16())]
    Status(StatusCode),
    /// It did not prove who it is.
    #[error("no secure connection to the host")]
    Tls,
    /// It cannot be reached, or may not be.
    #[error("no connection to the host")]
    Connection,
    /// It did not answer within five seconds.
    #[error("the host took too long")]
    Timeout,
    /// Its answer is no HTTP, or broke off.
    #[error("the answer of the host cannot be read")]
    Transport,
    /// Its answer is no JSON with a secret in it.
    #[error("the answer of the host holds no secret")]
    Content,
}

/// Calls hosts.
pub(super) struct Challenges {
    names: Names,
    strangers: Strangers,
}

impl Challenges {
    pub(super) fn new(names: Names, strangers: Strangers) -> Self {
        Self { names, strangers }
    }

    /// The secret that the host shows under this token.
    pub(super) async fn fetch(
        &self,
        hostname: &Hostname,
        token: &AccessToken,
    ) -> Result<String, ChallengeError> {
        let deadline = Instant::now() + DEADLINE;
        let port = hostname.port().ok_or(ChallengeError::Connection)?;
        let located = timeout_at(deadline, self.locate(hostname)).await;
        let Located { name, addresses } = located.map_err(|_| ChallengeError::Timeout)??;
        let stranger = Stranger { name, port, addresses };
        let path = format!("/api/v1/zulip-services/verify/{}/", token.0);
        match self.strangers.get(&stranger, &path, deadline).await {
            Ok(reply) => secret_in(&reply),
            Err(error) => {
                if let StrangerError::Forbidden(address) = error {
                    tracing::warn!(event = "outbound.address_refused", hostname = hostname.as_str(), %address, "a host that is not on the public Internet was not called; `outbound.permitted_networks` would permit it");
                }
                Err(error.into())
            }
        }
    }

    async fn locate(&self, hostname: &Hostname) -> Result<Located, ChallengeError> {
        let host = hostname.host();
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(Located { name: host.to_owned(), addresses: vec![address] });
        }
        self.names.addresses(host).await.map_err(|_| ChallengeError::Connection)
    }
}

impl From<StrangerError> for ChallengeError {
    fn from(error: StrangerError) -> Self {
        match error {
            // Whoever named the host is not told what our own network looks like.
            StrangerError::Forbidden(_)
            | StrangerError::Name
            | StrangerError::Tcp(_)
            | StrangerError::Interrupted => Self::Connection,
            StrangerError::Tls(_) => Self::Tls,
            StrangerError::Answer(_) => Self::Transport,
            StrangerError::Deadline => Self::Timeout,
        }
    }
}

fn secret_in(reply: &Reply) -> Result<String, ChallengeError> {
    // A struct would be read from a list too.
    let body = serde_json::from_slice::<Map<String, Value>>(&reply.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    match reply.status {
        StatusCode::OK => {
            text("verification_secret").map(str::to_owned).ok_or(ChallengeError::Content)
        }
        StatusCode::BAD_REQUEST if text("code") == Some(NOT_PREPARED) => {
            Err(ChallengeError::NotPrepared)
        }
        other => Err(ChallengeError::Status(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_can_stand_in_a_path() {
        let longest = "a".repeat(AccessToken::MAX_LENGTH);
        for text in ["a", "-_Z9", &longest] {
            assert!(AccessToken::parse(text).is_some(), "{text}");
        }
        let too_long = format!("{longest}a");
        for text in
            ["", "a/b", "..", "a.b", "a b", "a\n", "a%2f", "\u{e9}", "a?b", "a#b", &too_long]
        {
            assert!(AccessToken::parse(text).is_none(), "{text}");
        }
    }
}
