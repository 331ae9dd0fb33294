//! The signed token by which Apple knows the publisher of an app.
//!
//! "Refresh your token no more than once every 20 minutes and no less than once every 60 minutes":
//! <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderValue};
use prometheus_client::metrics::counter::Counter;

use super::{
    token_key::TokenKey,
    token_schedule::{Schedule, rest_of_step},
};
use crate::{
    clock::{Clock, Timestamp},
    metrics::{CredentialKind, RefreshLabels, RefreshResult},
    providers::{
        Tools,
        clock_skew::{ClockSkew, DATED_BACK},
    },
    random::Random,
};

/// "No less than once every 60 minutes".
const LIFE: Duration = Duration::from_secs(60 * 60);

/// So old a token of a key that is being replaced may become: the new key's turn comes when no token of the
/// team was new for 20 minutes, at the latest with the second next step, 51 minutes after this token's `iat`.
const LONGEST_KEPT: Duration = Duration::from_secs(55 * 60);

/// Makes and keeps the authentication tokens of one key.
pub(super) struct AuthenticationTokens {
    key: TokenKey,
    clock: Clock,
    skew: Arc<ClockSkew>,
    random: Random,
    renewals: Counter,
    current: ArcSwapOption<Token>,
    schedule: Mutex<Schedule>,
    /// The token before the current one, which may have to serve again. Held while a token is made, so that
    /// only one is.
    before: Mutex<Option<Arc<Token>>>,
}

/// One token; it does not print itself.
pub(super) struct Token {
    /// The value of `authorization`.
    pub(super) header: HeaderValue,
    pub(super) issued: Timestamp,
    /// When it was made here, by [`Clock::running`].
    made: Duration,
}

impl Token {
    pub(super) fn ends_at(&self) -> Timestamp {
        self.issued + LIFE
    }
}

impl AuthenticationTokens {
    pub(super) fn new(key: TokenKey, tools: &Tools, skew: &Arc<ClockSkew>) -> Self {
        let labels = RefreshLabels { kind: CredentialKind::ApnsJwt, result: RefreshResult::Ok };
        Self {
            key,
            clock: tools.clock.clone(),
            skew: Arc::clone(skew),
            random: tools.random.clone(),
            renewals: tools.metrics.credential_refreshes.get_or_create(&labels).clone(),
            current: ArcSwapOption::empty(),
            schedule: Mutex::default(),
            before: Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> &TokenKey {
        &self.key
    }

    /// The token that serves now.
    pub(super) fn current(&self) -> Arc<Token> {
        let issued = self.schedule().issued(self.skew.now(), self.clock.running());
        match &*self.current.load() {
            Some(token) if token.issued == issued => Arc::clone(token),
            _ => self.make(issued),
        }
    }

    /// The token that serves while another key of the team waits for its turn: not a new one as long as
    /// that can be helped, since each new one makes the other key wait for 20 minutes more.
    pub(super) fn kept(&self) -> Arc<Token> {
        let now = self.skew.now();
        let is_good = |token: &Arc<Token>| {
            now.since(token.issued) <= LONGEST_KEPT
                && token.issued + DATED_BACK <= now
                && self.schedule().may_serve(token.issued, self.clock.running())
        };
        match self.current.load_full().filter(is_good) {
            Some(token) => token,
            None => self.current(),
        }
    }

    /// The last token that was made, if one was.
    pub(super) fn last(&self) -> Option<Arc<Token>> {
        self.current.load_full()
    }

    /// How long the present step lasts.
    pub(super) fn rest_of_step(&self) -> Duration {
        rest_of_step(self.skew.now())
    }

    /// To be called when Apple calls this token one change too many: the one before serves for a while.
    /// Whether that is new.
    pub(super) fn hold_back(&self, refused: &Token) -> bool {
        self.schedule().hold_back(refused.issued, self.skew.now(), self.clock.running())
    }

    /// To be called when Apple calls this token expired: there is another one as soon as Apple allows it.
    pub(super) fn has_expired(&self, refused: &Token) {
        let (now, running) = (self.skew.now(), self.clock.running());
        self.schedule().has_expired(refused.issued, refused.made, now, running);
    }

    /// How long there will be no other token than one that Apple calls expired; nothing where there is one.
    pub(super) fn next_in(&self) -> Option<Duration> {
        self.schedule().next_in(self.skew.now(), self.clock.running())
    }

    /// Whether this token was refused because our clock is wrong; then the next one is dated better.
    pub(super) fn is_misdated(&self, answer: &HeaderMap) -> bool {
        self.skew.explains_refusal(answer)
    }

    /// Whether the token should live, by the best we know.
    pub(super) fn should_live(&self, token: &Token) -> bool {
        self.skew.now() < token.ends_at()
    }

    fn make(&self, issued: Timestamp) -> Arc<Token> {
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load_full();
        if let Some(token) = &current
            && token.issued == issued
        {
            return Arc::clone(token);
        }
        let token = match before.take_if(|before| before.issued == issued) {
            Some(token) => token,
            None => self.sign(issued),
        };
        self.current.store(Some(Arc::clone(&token)));
        *before = current;
        token
    }

    fn sign(&self, issued: Timestamp) -> Arc<Token> {
        let text = self.key.sign(issued, &self.random);
        let mut header =
            HeaderValue::try_from(format!("bearer {text}")).expect("base64url and dots are ASCII");
        header.set_sensitive(true);
        self.renewals.inc();
        Arc::new(Token { header, issued, made: self.clock.running() })
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
