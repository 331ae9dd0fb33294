//! Firebase Cloud Messaging, HTTP v1.
//!
//! Requests: <https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send>,
//! answers: <https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode>.

mod access_token;
mod message;
mod project;
mod quota;
mod rejection;
mod reload;
mod renewal;
mod service_account;
mod succession;

use std::{collections::BTreeMap, ops::Range, sync::Arc, time::Duration};

pub use message::{FcmMessage, FcmMessageError};
use project::Project;
pub use rejection::FcmReason;
use tokio::time::Instant;

use super::{
    Attempt, Credential, Outcome, ProvidersError, RejectionReason, Tools, clock_skew::ClockSkew,
};
use crate::{
    config::FcmAppConfig,
    domain::device::{Provider, Target},
};

/// All Firebase projects of the operator.
pub(super) struct Fcm {
    projects: Vec<Project>,
    /// The longest that one of them may take for an attempt.
    attempt_timeout: Duration,
}

impl Fcm {
    pub(super) fn new(
        config: &BTreeMap<String, FcmAppConfig>,
        tools: &Tools,
    ) -> Result<Self, ProvidersError> {
        let skew = Arc::new(ClockSkew::new(Provider::Fcm, &tools.clock, &tools.metrics));
        let projects = config
            .iter()
            .map(|(name, app)| Project::new(name, app, tools, &skew))
            .collect::<Result<_, _>>()?;
        let attempt_timeout = config.values().map(|app| app.attempt_timeout).max();
        Ok(Self { projects, attempt_timeout: attempt_timeout.unwrap_or_default() })
    }

    /// What the projects are known by.
    pub(super) fn credentials(&self) -> impl Iterator<Item = Credential> {
        self.projects.iter().map(Project::credential)
    }

    /// Renews access tokens that are due though nothing is sent.
    pub(super) fn renew_if_due(&self) {
        for project in &self.projects {
            project.accounts.current().tokens.renew_if_due();
        }
    }

    /// The names of all projects, in their order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.projects.iter().map(Project::name)
    }

    /// The projects that may reach a device, by their places: the one that did before, else all.
    pub(super) fn projects_of(&self, target: &Target) -> Range<usize> {
        let known = target
            .fcm_app
            .as_deref()
            .and_then(|known| self.projects.iter().position(|project| project.name() == known));
        known.map_or(0..self.projects.len(), |known| known..known + 1)
    }

    /// Sends to one device by the project in this place, and where Google says that the device is another
    /// project's, by the others in turn, all of them begun before one deadline; which of them had the last word, and
    /// where that is another one, what the first said.
    ///
    /// Where none decides, the word counts of one that may have taken it and whose answer was lost.
    pub(super) async fn send(
        &self,
        first: usize,
        attempt: &Attempt<'_>,
        message: &FcmMessage,
    ) -> (usize, Outcome, Option<Outcome>) {
        if message.is_too_large() {
            let reason = RejectionReason::Fcm(FcmReason::InvalidArgument);
            return (first, Outcome::Rejected(reason), None);
        }
        let deadline = Instant::now() + self.attempt_timeout;
        let is_known = attempt.target.fcm_app.is_some();
        let mut unasked = self.projects.len();
        let mut start_by = |is_last: bool| {
            let left = deadline.saturating_duration_since(Instant::now());
            let shares = if is_last { 1 } else { unasked };
            unasked -= 1;
            deadline - left + left / u32::try_from(shares.max(1)).unwrap_or(u32::MAX)
        };
        let outcome = self.projects[first].send(attempt, message, start_by(is_known)).await;
        let mut undecided = None;
        match outcome {
            ref mismatch if is_of_another_project(mismatch) => {}
            // Nobody knows whether it is this one's.
            Outcome::Delayed(ref delay) if !is_known && !delay.may_have_been_accepted() => {
                undecided = Some((first, outcome.clone()));
            }
            decided => return (first, decided, None),
        }
        for (other, project) in
            self.projects.iter().enumerate().filter(|(other, _)| *other != first)
        {
            match project.send(attempt, message, start_by(false)).await {
                mismatch if is_of_another_project(&mismatch) => {}
                // It may be this one's, or that of one behind it.
                Outcome::Delayed(delay) => {
                    if undecided.is_none() || delay.may_have_been_accepted() {
                        undecided = Some((other, Outcome::Delayed(delay)));
                    }
                }
                decided => return (other, decided, Some(outcome)),
            }
        }
        match undecided {
            Some((other, undecided)) if other != first => (other, undecided, Some(outcome)),
            _ => (first, outcome, None),
        }
    }
}

fn is_of_another_project(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Doubtful(RejectionReason::Fcm(FcmReason::SenderIdMismatch)))
}
