//! One push on its way, with all that a further attempt needs.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use uuid::Uuid;

use super::{Push, breaker::Ticket, duplicates::PushKey, job::Job};
use crate::{
    domain::{
        device::Provider,
        notification::{About, Content},
    },
    metrics::{PushOutcome, RetryCause},
    providers::{AppKey, Attempt, Message},
};

/// What a waiting push needs besides its message: itself, its places in the store, and what the allocator
/// leaves unused. Measured by the resident memory of a release build.
const OVERHEAD_BYTES: usize = 1280;

/// The last attempt is made so long before the end, or a tenth of the time there is, where that is shorter.
const BEFORE_THE_END: Duration = Duration::from_secs(10);

/// So much time has a push for its first attempt that found no place, where it is to be tried for less.
const FIRST_WITHIN: Duration = Duration::from_secs(60);

/// One push on its way. It has no `Debug`: it holds a message.
pub(super) struct Parcel {
    pub(super) job: Arc<Job>,
    /// Its place among the pushes of the job.
    pub(super) index: usize,
    pub(super) push: Push,
    /// The app it is tried with first; nothing where the operator has none.
    pub(super) app: Option<AppKey>,
    /// The how manieth push of its notification to the same device it is.
    pub(super) occurrence: u32,
    /// What Apple calls it; the same in each attempt.
    pub(super) id: Uuid,
    /// Older parcels have smaller numbers.
    pub(super) number: u64,
    /// Attempts so far.
    pub(super) attempts: u32,
    /// The push service may have it, and only its answer was lost, for this cause; by this request or an earlier one.
    pub(super) may_have_arrived: Option<RetryCause>,
    /// Why the last attempt failed, and the outcome it would be in the end.
    pub(super) last: Option<(RetryCause, PushOutcome)>,
    /// The tickets it has told a failure with, one for an app.
    pub(super) told: Vec<(AppKey, Ticket)>,
    /// When it came, and from when on it is not tried again: moments of [`crate::clock::Clock::running`].
    pub(super) came: Duration,
    pub(super) expires: Duration,
    /// When it came, for its duration.
    pub(super) began: Instant,
}

/// How much a push matters when there is no room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Class {
    /// It takes a notification down that was read elsewhere.
    Removal,
    /// Anything else.
    Message,
}

impl Parcel {
    /// What it is remembered by when its notification comes again.
    pub(super) fn key(&self) -> PushKey {
        (self.push.row, self.occurrence)
    }

    pub(super) fn provider(&self) -> Provider {
        self.push.target.provider
    }

    /// From when on it is not sent any more.
    pub(super) fn ends(&self) -> Duration {
        match self.attempts {
            0 => self.expires.max(self.came.saturating_add(FIRST_WITHIN)),
            _ => self.expires,
        }
    }

    /// When it is tried for the last time, if its push service asks for no longer pause.
    pub(super) fn last_attempt(&self) -> Duration {
        let life = self.expires.saturating_sub(self.came);
        self.expires.saturating_sub(BEFORE_THE_END.min(life / 10))
    }

    /// Less urgent ones come first.
    pub(super) fn urgency(&self) -> (Class, u64) {
        let class = if self.is_removal() { Class::Removal } else { Class::Message };
        (class, self.number)
    }

    pub(super) fn is_message(&self) -> bool {
        matches!(self.about().content, Content::Message(_))
    }

    pub(super) fn is_removal(&self) -> bool {
        matches!(self.about().content, Content::Removal(_))
    }

    pub(super) fn about(&self) -> &About {
        match &self.push.message {
            Message::Apns(message) => message.about(),
            Message::Fcm(message) => message.about(),
        }
    }

    /// Its own memory, in bytes, without the body that it shares with others.
    pub(super) fn own_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.push.target.token.expose().len()
    }

    /// The body it shares with others: where it lies, and its length.
    pub(super) fn body(&self) -> (usize, usize) {
        let body = match &self.push.message {
            Message::Apns(message) => message.body(),
            Message::Fcm(message) => message.shared_body().clone(),
        };
        (body.as_ptr().addr(), body.len())
    }

    /// Whether it has not yet told the app's breaker a failure with this ticket; it does now.
    pub(super) fn tells(&mut self, app: AppKey, ticket: Ticket) -> bool {
        match self.told.iter_mut().find(|(of, _)| *of == app) {
            Some((_, told)) => std::mem::replace(told, ticket) != ticket,
            None => {
                self.told.push((app, ticket));
                true
            }
        }
    }

    pub(super) fn attempt(&self, app: Option<AppKey>) -> Attempt<'_> {
        Attempt {
            target: &self.push.target,
            app,
            message: &self.push.message,
            id: self.id,
            owner: self.job.server.id,
            asked_at: self.job.asked_at,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::AtomicU64;

    use serde_json::value::RawValue;

    use super::*;
    use crate::{
        clock::Timestamp,
        domain::{
            device::{DeviceToken, Row, Target},
            notification::Origin,
            remote_server::{KeyHash, RemoteServer},
        },
        providers::fcm::FcmMessage,
    };

    /// What a chat server says of the push to one Android phone, as JSON. Each parcel is younger than those before.
    pub(in crate::delivery) fn parcel(payload: &str) -> Box<Parcel> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let server = Arc::new(RemoteServer {
            id: 1,
            uuid: Uuid::nil(),
            key: KeyHash::of(""),
            previous_key: None,
            hostname: String::new(),
            deactivated: false,
            api_feature_level: None,
            approved: true,
            plan: None,
            user_count: 0,
            audit_log_updated_at: None,
            transfers: 0,
        });
        let json = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        let message = FcmMessage::legacy(&json(payload), &json("{}")).unwrap().unwrap();
        let token = DeviceToken::parse(Provider::Fcm, "phone").unwrap();
        Box::new(Parcel {
            job: Arc::new(Job::new(
                server,
                None,
                Origin::Notify,
                Timestamp::from_unix_seconds(0),
                None,
                1,
            )),
            index: 0,
            push: Push {
                target: Target { provider: Provider::Fcm, token, app_id: None, fcm_app: None },
                message: Message::Fcm(message.into()),
                row: Row::Device(1),
                is_suspect: false,
            },
            app: None,
            occurrence: 0,
            id: Uuid::nil(),
            number,
            attempts: 0,
            may_have_arrived: None,
            last: None,
            told: Vec::new(),
            came: Duration::ZERO,
            expires: Duration::MAX,
            began: Instant::now(),
        })
    }
}
