//! The OAuth access tokens given out: whose they are and how long they last.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    clock::Timestamp,
    random::Random,
    sandbox::faults::{Faults, TokenAge},
};

/// Tokens kept; the ones that end first leave first.
const TOKENS_LIMIT: usize = 10_000;

/// Why an access token is no good, in the words of Google's `ErrorInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TokenFault {
    Missing,
    Expired,
    Unknown,
}

impl TokenFault {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "CREDENTIALS_MISSING",
            Self::Expired => "ACCESS_TOKEN_EXPIRED",
            Self::Unknown => "ACCESS_TOKEN_TYPE_UNSUPPORTED",
        }
    }
}

/// All tokens of one server.
pub(super) struct AccessTokens {
    life: Duration,
    faults: Faults,
    tokens: Mutex<HashMap<String, Grant>>,
}

struct Grant {
    project_id: Arc<str>,
    ends: Timestamp,
    stamp: u64,
}

impl AccessTokens {
    /// No tokens yet; each will last this long.
    pub(super) fn new(life: Duration, faults: Faults) -> Self {
        Self { life, faults, tokens: Mutex::default() }
    }

    /// How long a token lasts.
    pub(super) const fn life(&self) -> Duration {
        self.life
    }

    /// Gives out a token for this project.
    pub(super) fn issue(&self, project_id: &str, random: &Random, now: Timestamp) -> String {
        let secret: [u8; 32] = random.bytes();
        let mut token = String::from("ya29.c.");
        token.extend(secret.iter().map(|byte| format!("{byte:02x}")));
        let mut tokens = self.tokens();
        if tokens.len() >= TOKENS_LIMIT
            && let Some(first) = tokens.iter().min_by_key(|(_, grant)| grant.ends)
        {
            let first = first.0.clone();
            tokens.remove(&first);
        }
        let stamp = self.faults.stamp();
        let grant = Grant { project_id: project_id.into(), ends: now + self.life, stamp };
        tokens.insert(token.clone(), grant);
        token
    }

    /// The project that the token of an `authorization` header may send for.
    pub(super) fn project_of(
        &self,
        authorization: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<Arc<str>, TokenFault> {
        let header = authorization.and_then(|header| str::from_utf8(header).ok());
        let (scheme, token) =
            header.and_then(|header| header.split_once(' ')).ok_or(TokenFault::Missing)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(TokenFault::Missing);
        }
        let tokens = self.tokens();
        let grant = tokens.get(token).ok_or(TokenFault::Unknown)?;
        match self.faults.age(grant.stamp) {
            TokenAge::Revoked => Err(TokenFault::Unknown),
            TokenAge::Expired => Err(TokenFault::Expired),
            TokenAge::Live if grant.ends <= now => Err(TokenFault::Expired),
            TokenAge::Live => Ok(Arc::clone(&grant.project_id)),
        }
    }

    fn tokens(&self) -> MutexGuard<'_, HashMap<String, Grant>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
