//! The signed token by which Apple knows the publisher of an app.
//!
//! "Refresh your token no more than once every 20 minutes and no less than once every 60 minutes":
//! <https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns>.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use http::{HeaderMap, HeaderValue};
use prometheus_client::metrics::counter::Counter;

use super::token_key::TokenKey;
use crate::{
    clock::Timestamp,
    metrics::{CredentialKind, RefreshLabels, RefreshResult},
    providers::{
        Tools,
        clock_skew::{ClockSkew, DATED_BACK},
    },
    random::Random,
};

/// A token serves for one step of the clock, counted from the Unix epoch, so that all nodes, and a node
/// before and after a restart, make tokens with the same `iat` and change them at the same moment. Within
/// Apple's 20 to 60 minutes, also when a token serves for one more step.
const STEP: Duration = Duration::from_secs(25 * 60);

/// "No less than once every 60 minutes".
const LIFE: Duration = Duration::from_secs(60 * 60);

/// So old a token of a key that is being replaced may become: the new key's turn comes when no token of the
/// team was new for 20 minutes, at the latest with the second next step, 51 minutes after this token's `iat`.
const LONGEST_KEPT: Duration = Duration::from_secs(55 * 60);

/// Makes and keeps the authentication tokens of one key.
pub(super) struct AuthenticationTokens {
    key: TokenKey,
    skew: Arc<ClockSkew>,
    random: Random,
    renewals: Counter,
    current: ArcSwapOption<Token>,
    /// The step whose token Apple does not take yet, because the team has changed its token too lately;
    /// the token of the step before serves instead.
    held_back: AtomicI64,
    /// Held while a token is made, so that only one is.
    making: Mutex<()>,
}

/// One token; it does not print itself.
pub(super) struct Token {
    /// The value of `authorization`.
    pub(super) header: HeaderValue,
    pub(super) step: i64,
}

impl Token {
    pub(super) fn ends_at(&self) -> Timestamp {
        start_of(self.step) + LIFE
    }
}

impl AuthenticationTokens {
    pub(super) fn new(key: TokenKey, tools: &Tools, skew: &Arc<ClockSkew>) -> Self {
        let labels = RefreshLabels { kind: CredentialKind::ApnsJwt, result: RefreshResult::Ok };
        Self {
            key,
            skew: Arc::clone(skew),
            random: tools.random.clone(),
            renewals: tools.metrics.credential_refreshes.get_or_create(&labels).clone(),
            current: ArcSwapOption::empty(),
            held_back: AtomicI64::new(i64::MIN),
            making: Mutex::default(),
        }
    }

    pub(super) fn key(&self) -> &TokenKey {
        &self.key
    }

    /// The token that serves now.
    pub(super) fn current(&self) -> Arc<Token> {
        let step = self.step();
        match &*self.current.load() {
            Some(token) if token.step == step => Arc::clone(token),
            _ => self.make(step),
        }
    }

    /// The token that serves while another key of the team waits for its turn: not a new one as long as
    /// that can be helped, since each new one makes the other key wait for 20 minutes more.
    pub(super) fn kept(&self) -> Arc<Token> {
        let is_good = |token: &Arc<Token>| {
            self.skew.now().since(start_of(token.step)) <= LONGEST_KEPT
                && token.step <= step_of(self.skew.now())
                && token.step != self.held_back.load(Ordering::Acquire)
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
        let now = self.skew.now();
        (start_of(step_of(now) + 1) + DATED_BACK).since(now)
    }

    /// To be called when Apple calls this token one change too many: the one of the step before serves for the
    /// rest of the step. Whether that is new.
    pub(super) fn hold_back(&self, refused: &Token) -> bool {
        refused.step == step_of(self.skew.now())
            && self.held_back.swap(refused.step, Ordering::AcqRel) != refused.step
    }

    /// To be called when Apple calls a token expired: nothing is held back any more.
    pub(super) fn let_go(&self) {
        self.held_back.store(i64::MIN, Ordering::Release);
    }

    /// Whether this token was refused because our clock is wrong; then the next one is dated better.
    pub(super) fn is_misdated(&self, answer: &HeaderMap) -> bool {
        self.skew.explains_refusal(answer)
    }

    /// Whether the token should live, by the best we know.
    pub(super) fn should_live(&self, token: &Token) -> bool {
        self.skew.now() < token.ends_at()
    }

    /// The step whose token serves now.
    fn step(&self) -> i64 {
        let step = step_of(self.skew.now());
        if self.held_back.load(Ordering::Acquire) == step { step - 1 } else { step }
    }

    fn make(&self, step: i64) -> Arc<Token> {
        let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &*self.current.load()
            && token.step == step
        {
            return Arc::clone(token);
        }
        let text = self.key.sign(start_of(step), &self.random);
        let mut header =
            HeaderValue::try_from(format!("bearer {text}")).expect("base64url and dots are ASCII");
        header.set_sensitive(true);
        let token = Arc::new(Token { header, step });
        self.current.store(Some(Arc::clone(&token)));
        self.renewals.inc();
        token
    }
}

const STEP_SECONDS: i64 = STEP.as_secs().cast_signed();

/// A step begins a minute late, so that its token is from the future nowhere.
fn step_of(now: Timestamp) -> i64 {
    (now - DATED_BACK).unix_seconds().div_euclid(STEP_SECONDS)
}

fn start_of(step: i64) -> Timestamp {
    Timestamp::from_unix_seconds(step.saturating_mul(STEP_SECONDS))
}
