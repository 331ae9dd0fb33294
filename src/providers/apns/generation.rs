//! Who an app says it is, and the connections that were opened under that name.
//!
//! A connection belongs to the key of its first request, or to its certificate, so a new credential gets
//! connections of its own. The old ones are given up when Apple has taken a push over the new ones: until then
//! one push at a time tries the new credential, all others go the old way, and what is refused goes there too.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use super::{
    authentication_token::{AuthenticationTokens, Token},
    token_key::{Source, TokenKey},
};
use crate::{
    clock::Timestamp,
    config::ApnsAppConfig,
    domain::device::Provider,
    metrics::CredentialKind,
    outbound::{ClientIdentity, Origin, Pool, PoolSettings, Trust},
    providers::{ProvidersError, Tools, clock_skew::ClockSkew, credential::Contents, gate::Gate},
};

/// What the connections of an app have in common, whatever its credential is.
pub(super) struct Place {
    origin: Origin,
    trust: Trust,
    settings: PoolSettings,
    tools: Tools,
    skew: Arc<ClockSkew>,
}

impl Place {
    pub(super) fn new(
        config: &ApnsAppConfig,
        tools: &Tools,
        skew: &Arc<ClockSkew>,
    ) -> Result<Self, ProvidersError> {
        let endpoint = config.endpoint.as_deref().unwrap_or_else(|| config.environment.endpoint());
        Ok(Self {
            origin: Origin::parse(endpoint)?,
            trust: tools.trust(config.ca_file.as_deref())?,
            settings: PoolSettings::new(config.connections, &tools.outbound, true),
            tools: tools.clone(),
            skew: Arc::clone(skew),
        })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn tools(&self) -> &Tools {
        &self.tools
    }

    pub(super) fn skew(&self) -> &ClockSkew {
        &self.skew
    }
}

/// One credential, and its connections, which end with it.
pub(super) struct Generation {
    pub(super) pool: Pool,
    /// Absent when a client certificate says who we are.
    pub(super) tokens: Option<Arc<AuthenticationTokens>>,
    certificate_ends_at: Option<Timestamp>,
    /// Not tried before this moment of [`Clock::running`](crate::clock::Clock::running), in milliseconds.
    held_until: AtomicU64,
    /// A push tries it.
    on_trial: AtomicBool,
    pub(super) alarmed: Gate,
    /// Opens when a connection is left though nothing is known to be wrong with it.
    pub(super) left: Gate,
}

impl Generation {
    /// Checks a credential; opens no connection yet. Tokens of the same key among `known` are shared, since
    /// Apple counts their changes by team.
    pub(super) fn new(
        source: &Source,
        contents: &Contents,
        place: &Place,
        known: &[Arc<AuthenticationTokens>],
    ) -> Result<Self, ProvidersError> {
        let tools = &place.tools;
        let (identity, tokens) = match source {
            Source::Certificate { .. } => {
                (Some(ClientIdentity::parse(&contents.path, &contents.bytes)?), None)
            }
            Source::Key { key_id, team_id, .. } => {
                let key = TokenKey::parse(contents, key_id, team_id, &tools.random)?;
                let same = known.iter().find(|tokens| tokens.key().is_same(&key)).cloned();
                let make = || Arc::new(AuthenticationTokens::new(key, tools, &place.skew));
                (None, Some(same.unwrap_or_else(make)))
            }
        };
        let certificate_ends_at = identity.as_ref().map(ClientIdentity::ends_at);
        let pool = Pool::new(
            place.origin.clone(),
            place.trust.http2_client(identity)?,
            tools.way.clone(),
            place.settings,
            tools.metrics.connections_of(Provider::Apns),
        );
        Ok(Self {
            pool,
            tokens,
            certificate_ends_at,
            held_until: AtomicU64::new(0),
            on_trial: AtomicBool::new(false),
            alarmed: Gate::default(),
            left: Gate::default(),
        })
    }

    pub(super) fn kind(&self) -> CredentialKind {
        if self.tokens.is_some() { CredentialKind::ApnsJwt } else { CredentialKind::ApnsCert }
    }

    /// When the certificate, or the last token, ends.
    pub(super) fn ends_at(&self) -> Option<Timestamp> {
        let token = || self.tokens.as_ref()?.last().map(|token| token.ends_at());
        self.certificate_ends_at.or_else(token)
    }

    /// Leaves it alone for so long.
    pub(super) fn hold(&self, running: Duration, time: Duration) {
        self.held_until.store(millis(running.saturating_add(time)), Ordering::Relaxed);
    }

    pub(super) fn release(&self) {
        self.held_until.store(0, Ordering::Relaxed);
    }
}

/// The credential of an app, and the one before as long as it is needed.
pub(super) struct Generations {
    pub(super) current: Arc<Generation>,
    pub(super) previous: Option<Arc<Generation>>,
}

/// By which credential one push goes.
pub(super) struct Choice {
    pub(super) generation: Arc<Generation>,
    pub(super) token: Option<Arc<Token>>,
    pub(super) role: Role,
}

/// What its outcome tells.
pub(super) enum Role {
    /// There is no other.
    Only,
    /// The new one is tried.
    Trial(#[expect(dead_code, reason = "ends the trial when it is dropped")] Trial),
    /// The old one, while there is a new one.
    Previous,
}

/// The only push that tries a new credential.
pub(super) struct Trial(Arc<Generation>);

impl Drop for Trial {
    fn drop(&mut self) {
        self.0.on_trial.store(false, Ordering::Release);
    }
}

impl Generations {
    /// The credential whose end is known: the one before as long as the new one of its kind has no token yet.
    pub(super) fn with_end(&self) -> &Arc<Generation> {
        let has_end = |generation: &&Arc<Generation>| generation.ends_at().is_some();
        let is_alike = |before: &&Arc<Generation>| before.kind() == self.current.kind();
        let before = self.previous.iter().filter(is_alike);
        [&self.current].into_iter().chain(before).find(has_end).unwrap_or(&self.current)
    }

    /// The credential for the next push, at this moment of [`Clock::running`](crate::clock::Clock::running).
    pub(super) fn choose(&self, running: Duration) -> Choice {
        let current = &self.current;
        let newest = |generation: &Generation| {
            generation.tokens.as_deref().map(AuthenticationTokens::current)
        };
        let Some(previous) = &self.previous else {
            let token = newest(current);
            return Choice { generation: Arc::clone(current), token, role: Role::Only };
        };
        let is_due = current.held_until.load(Ordering::Relaxed) <= millis(running);
        if is_due && !current.on_trial.swap(true, Ordering::AcqRel) {
            let trial = Role::Trial(Trial(Arc::clone(current)));
            let token = newest(current);
            return Choice { generation: Arc::clone(current), token, role: trial };
        }
        let token = previous.tokens.as_deref().map(AuthenticationTokens::kept);
        Choice { generation: Arc::clone(previous), token, role: Role::Previous }
    }
}

impl Choice {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let issued = |choice: &Self| choice.token.as_ref().map(|token| token.issued);
        Arc::ptr_eq(&self.generation, &other.generation) && issued(self) == issued(other)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
