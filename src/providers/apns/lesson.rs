//! What an answer of Apple says about the credential that the push went by, and what follows from it.

use std::{sync::Arc, time::Duration};

use super::{
    ApnsReason,
    answer::Answer,
    app::App,
    generation::{Choice, Generation, Generations, Role},
};
use crate::{
    metrics::PushOutcome,
    providers::{Delay, Outcome, RejectionReason, Why, credential::expiry_is_over},
};

/// A new credential that Apple refuses is tried again so much later: Apple may not know it everywhere yet.
const PAUSE_AFTER_FAULT: Duration = Duration::from_secs(60);

/// The same where no answer came.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(10);

/// While Apple takes no credential, connections are closed and the operator is told this often; Apple takes
/// rapid connection and disconnection for an attack.
const ALARM_INTERVAL: Duration = Duration::from_secs(30);

impl App {
    /// Takes to heart what an answer says; whether another credential may do better.
    pub(super) fn learn(&self, choice: &Choice, answer: &Answer) -> bool {
        let (reason, is_final) = match &answer.outcome {
            Outcome::Accepted | Outcome::Unregistered { .. } | Outcome::Doubtful(_) => {
                if matches!(choice.role, Role::Trial(_)) {
                    self.settle(&choice.generation);
                }
                return false;
            }
            Outcome::Delayed(Delay {
                why: Why::Refused(RejectionReason::Apns(reason)), ..
            }) => (*reason, false),
            Outcome::Rejected(RejectionReason::Apns(reason)) => (*reason, true),
            Outcome::Delayed(Delay { why: Why::Failed(_), .. })
                if matches!(choice.role, Role::Trial(_)) =>
            {
                choice.generation.hold(self.running(), PAUSE_AFTER_FAILURE);
                return true;
            }
            Outcome::Delayed(_) | Outcome::Rejected(_) | Outcome::NotConfigured => return false,
        };
        match reason {
            ApnsReason::TooManyProviderTokenUpdates => self.is_one_change_too_many(choice),
            ApnsReason::ExpiredProviderToken => self.is_expired(choice, answer),
            _ if reason.outcome() == PushOutcome::AuthFailed => {
                self.is_faulty(choice, answer, reason, is_final)
            }
            _ => false,
        }
    }

    /// The older token serves on, or that of the key before.
    fn is_one_change_too_many(&self, choice: &Choice) -> bool {
        let (Some(tokens), Some(token)) = (&choice.generation.tokens, &choice.token) else {
            return false;
        };
        if matches!(choice.role, Role::Trial(_)) {
            choice.generation.hold(self.running(), tokens.rest_of_step());
            tracing::info!(
                event = "credential.waits",
                app = &*self.name,
                "Apple wants the team's tokens to change less often: the key before serves on for a while"
            );
        } else if tokens.hold_back(token) {
            // The connection that it was said on may say it on and on, whatever token comes:
            // <https://developer.apple.com/forums/thread/702056>.
            choice.generation.pool.retire_all();
        }
        true
    }

    fn is_expired(&self, choice: &Choice, answer: &Answer) -> bool {
        let (Some(tokens), Some(token)) = (&choice.generation.tokens, &choice.token) else {
            return false;
        };
        if tokens.is_misdated(&answer.headers) {
            return true;
        }
        tokens.has_expired(token);
        if let Role::Trial(_) = choice.role {
            choice.generation.hold(self.running(), tokens.next_in().unwrap_or_default());
        }
        if tokens.should_live(token)
            && choice.generation.alarmed.opens(self.running(), ALARM_INTERVAL)
        {
            tracing::error!(
                event = "credential.refused",
                app = &*self.name,
                reason = "ExpiredProviderToken",
                "Apple calls a token expired that is not an hour old by our clock: is the time of this machine right?"
            );
        }
        true
    }

    fn is_faulty(
        &self,
        choice: &Choice,
        answer: &Answer,
        reason: ApnsReason,
        is_final: bool,
    ) -> bool {
        let generation = &choice.generation;
        if let Some(tokens) = &generation.tokens
            && reason == ApnsReason::InvalidProviderToken
            && tokens.is_misdated(&answer.headers)
        {
            return true;
        }
        if let Role::Previous = choice.role
            && matches!(reason, ApnsReason::InvalidProviderToken | ApnsReason::BadCertificate)
        {
            // Revoked, most likely, and the new one is there: it is not waited for any longer.
            self.settle(&self.generations.load().current);
            return true;
        }
        let is_trial = matches!(choice.role, Role::Trial(_));
        if generation.alarmed.opens(self.running(), ALARM_INTERVAL) {
            let what = if is_trial {
                "the new credential; the one before serves on"
            } else {
                "our credential"
            };
            tracing::error!(
                event = "credential.refused",
                app = &*self.name,
                reason = reason.as_str(),
                "Apple does not take {what}"
            );
            if !is_final {
                // After a key was revoked its connections stay useless, also when all is well again.
                generation.pool.retire_all();
            }
        }
        if is_trial {
            generation.hold(self.running(), PAUSE_AFTER_FAULT);
        }
        is_trial
    }

    /// Takes another credential into use; the one that Apple has taken last serves until it takes this one.
    pub(super) fn renew(&self, generation: Generation) {
        let generation = Arc::new(generation);
        let old = self.generations.load_full();
        if old.current.kind() != generation.kind() {
            expiry_is_over(&self.place.tools().metrics, old.current.kind(), &self.name);
        }
        self.note_end(&generation);
        self.generations.rcu(|now| Generations {
            current: Arc::clone(&generation),
            previous: Some(Arc::clone(now.previous.as_ref().unwrap_or(&now.current))),
        });
    }

    /// From now on there is only this credential, unless another one has come meanwhile.
    fn settle(&self, only: &Arc<Generation>) {
        only.release();
        let before = self.generations.rcu(|now| {
            if !Arc::ptr_eq(&now.current, only) || now.previous.is_none() {
                return Arc::clone(now);
            }
            Arc::new(Generations { current: Arc::clone(only), previous: None })
        });
        if Arc::ptr_eq(&before.current, only) && before.previous.is_some() {
            tracing::info!(
                event = "credential.changed",
                app = &*self.name,
                "the new credential serves alone"
            );
        }
    }

    fn running(&self) -> Duration {
        self.place.tools().clock.running()
    }
}
