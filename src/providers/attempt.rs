//! One push, sent once.

use uuid::Uuid;

use super::{AppKey, Message, Outcome};
use crate::{clock::Timestamp, domain::device::Target};

/// One notification to one device, to be tried once.
pub struct Attempt<'a> {
    /// Where it goes.
    pub target: &'a Target,
    /// The app to begin with, of those that may reach it.
    pub app: Option<AppKey>,
    /// What it says.
    pub message: &'a Message,
    /// What Apple calls it; the same in each attempt, so that Apple shows it once.
    pub id: Uuid,
    /// On whose behalf, by our key of the remote server: each has a fair share of the connections.
    pub owner: i64,
    /// When it was asked for.
    pub asked_at: Timestamp,
}

/// What became of one attempt.
pub struct Attempted {
    /// What became of it.
    pub outcome: Outcome,
    /// When it was sent.
    pub at: Timestamp,
    /// The app whose push service had the last word.
    pub app: Option<AppKey>,
    /// What others said that were asked before, each once.
    pub others: Vec<(AppKey, Outcome)>,
}
