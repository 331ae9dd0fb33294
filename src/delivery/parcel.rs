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

/// One push on its way. It has no `Debug`: it holds a message.
pub(super) struct Parcel {
    pub(super) job: Arc<Job>,
    /// Its place among the pushes of the job.
    pub(super) index: usize,
    pub(super) push: Push,
    /// The how manieth push of its notification to the same device it is.
    pub(super) occurrence: u32,
    /// What Apple calls it; the same in each attempt.
    pub(super) id: Uuid,
    /// Older parcels have smaller numbers.
    pub(super) number: u64,
    /// Attempts so far.
    pub(super) attempts: u32,
    /// The push service may have it, and only its answer was lost.
    pub(super) may_have_arrived: bool,
    /// Why the last attempt failed, and the outcome it would be in the end.
    pub(super) last: Option<(RetryCause, PushOutcome)>,
    /// The tickets it has told a failure with, one for an app.
    pub(super) told: Vec<(AppKey, Ticket)>,
    /// When it came, and the last moment for an attempt: moments of [`crate::clock::Clock::running`].
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

    /// Less urgent ones come first.
    pub(super) fn urgency(&self) -> (Class, u64) {
        let class = match self.about().content {
            Content::Removal(_) => Class::Removal,
            Content::Message(_) | Content::Other => Class::Message,
        };
        (class, self.number)
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
