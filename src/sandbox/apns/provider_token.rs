//! Judges the provider tokens of token-based authentication, each distinct one once.
//!
//! The rules are those of Apple's
//! [documentation](https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderValue;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde::Deserialize;

use super::{key::AppleKey, reason::Reason};
use crate::{
    clock::Timestamp,
    sandbox::{
        faults::{Faults, TokenAge},
        json_web_token::JsonWebToken,
    },
};

/// A token older than this is stale: `ExpiredProviderToken`.
const LONGEST_AGE: Duration = Duration::from_secs(60 * 60);
/// Verdicts kept; when there are more, all are forgotten and found anew.
const VERDICTS_LIMIT: usize = 1024;

/// A token whose signature is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProviderToken {
    pub(super) team_id: String,
    pub(super) key_id: String,
    issued_at: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: i64,
}

/// The keys of all teams and what they have presented so far.
pub(super) struct ProviderTokens {
    update_interval: Duration,
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Public keys by team and name.
    keys: HashMap<(String, String), Vec<u8>>,
    /// By the whole header value; a bad signature stays bad.
    verdicts: HashMap<HeaderValue, Verdict>,
    /// Tokens in use, with the time of their first use.
    in_use: HashMap<String, Vec<InUse>>,
}

#[derive(Clone)]
struct Verdict {
    token: Result<Arc<ProviderToken>, Reason>,
    stamp: u64,
}

struct InUse {
    token: Arc<ProviderToken>,
    since: Timestamp,
    stamp: u64,
}

impl ProviderTokens {
    /// Knows these keys, and lets a team change its token once in `update_interval`.
    pub(super) fn new(keys: &[AppleKey], update_interval: Duration, faults: Faults) -> Self {
        let tokens = Self { update_interval, faults, state: Mutex::default() };
        tokens.replace_keys(keys);
        tokens
    }

    /// Knows these keys only; all tokens are judged again.
    pub(super) fn replace_keys(&self, keys: &[AppleKey]) {
        let by_name = |key: &AppleKey| {
            ((key.team_id().to_owned(), key.key_id().to_owned()), key.public_key().to_vec())
        };
        let keys = keys.iter().map(by_name).collect();
        self.with(|state| *state = State { keys, ..State::default() });
    }

    /// Forgets which tokens were in use.
    pub(super) fn reset(&self) {
        self.with(|state| state.in_use.clear());
    }

    /// Judges an `authorization` header at this moment.
    pub(super) fn judge(
        &self,
        authorization: &HeaderValue,
        now: Timestamp,
    ) -> Result<Arc<ProviderToken>, Reason> {
        self.with(|state| {
            let Verdict { token, stamp } = state.verify(authorization, &self.faults);
            let token = token?;
            match self.faults.age(stamp) {
                TokenAge::Live => {}
                TokenAge::Expired => return Err(Reason::ExpiredProviderToken),
                TokenAge::Revoked => return Err(Reason::InvalidProviderToken),
            }
            if token.issued_at > now {
                return Err(Reason::InvalidProviderToken);
            }
            if now.since(token.issued_at) > LONGEST_AGE {
                return Err(Reason::ExpiredProviderToken);
            }
            state.admit(&token, now, self.update_interval, &self.faults)?;
            Ok(token)
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn verify(&mut self, authorization: &HeaderValue, faults: &Faults) -> Verdict {
        if let Some(verdict) = self.verdicts.get(authorization) {
            return verdict.clone();
        }
        let token = self.check_signature(authorization).map(Arc::new);
        if self.verdicts.len() >= VERDICTS_LIMIT {
            self.verdicts.clear();
        }
        let verdict = Verdict { token, stamp: faults.stamp() };
        self.verdicts.insert(authorization.clone(), verdict.clone());
        verdict
    }

    fn check_signature(&self, authorization: &HeaderValue) -> Result<ProviderToken, Reason> {
        let header = authorization.to_str().unwrap_or_default();
        let (scheme, compact) = header.split_once(' ').unwrap_or((header, ""));
        if !scheme.eq_ignore_ascii_case("bearer") || compact.is_empty() {
            return Err(Reason::MissingProviderToken);
        }
        let good = || {
            let token = JsonWebToken::<Claims>::parse(compact)?;
            let team_id = token.claims.iss;
            let key_id = token.header.kid.filter(|_| token.header.alg == "ES256")?;
            let names = (team_id, key_id);
            let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.keys.get(&names)?);
            key.verify(token.signed.as_bytes(), &token.signature).ok()?;
            let (team_id, key_id) = names;
            let issued_at = Timestamp::from_unix_seconds(token.claims.iat);
            Some(ProviderToken { team_id, key_id, issued_at })
        };
        good().ok_or(Reason::InvalidProviderToken)
    }

    /// "APNs reports an error if you recreate your tokens more than once every 20 minutes."
    ///
    /// Tokens of one team, key and second of issue are the same token, whatever their signatures:
    /// nodes that round the time of issue mint equal tokens, but an ECDSA signature is never the
    /// same twice.
    fn admit(
        &mut self,
        token: &Arc<ProviderToken>,
        now: Timestamp,
        update_interval: Duration,
        faults: &Faults,
    ) -> Result<(), Reason> {
        if update_interval.is_zero() {
            return Ok(());
        }
        let in_use = match self.in_use.get_mut(&token.team_id) {
            Some(in_use) => in_use,
            None => self.in_use.entry(token.team_id.clone()).or_default(),
        };
        in_use.retain(|known| faults.age(known.stamp) == TokenAge::Live);
        if in_use.iter().any(|known| known.token == *token) {
            return Ok(());
        }
        in_use.retain(|known| now.since(known.token.issued_at) <= LONGEST_AGE);
        if in_use.iter().any(|known| now.since(known.since) < update_interval) {
            return Err(Reason::TooManyProviderTokenUpdates);
        }
        in_use.push(InUse { token: Arc::clone(token), since: now, stamp: faults.stamp() });
        Ok(())
    }
}
