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

use std::{collections::BTreeMap, iter, ops::Range, sync::Arc, time::Duration};

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

    /// Sends to one device by the project in this place, and where that does not decide, by the others in turn, all
    /// of them begun before one deadline; which of them had the last word, and what the others said that were asked.
    ///
    /// Where none decides, the word counts of one that may have taken it and whose answer was lost.
    pub(super) async fn send(
        &self,
        first: usize,
        attempt: &Attempt<'_>,
        message: &FcmMessage,
    ) -> (usize, Outcome, Vec<(usize, Outcome)>) {
        let mut said = Vec::new();
        if message.is_too_large() {
            let reason = RejectionReason::Fcm(FcmReason::InvalidArgument);
            return (first, Outcome::Rejected(reason), said);
        }
        let deadline = Instant::now() + self.attempt_timeout;
        // The place among `said` of the word that counts where none decides.
        let mut undecided = None;
        let others = (0..self.projects.len()).filter(|other| *other != first);
        for project in iter::once(first).chain(others) {
            let is_known = project == first && attempt.target.fcm_app.is_some();
            let shares = if is_known { 1 } else { self.projects.len() - said.len() };
            let left = deadline.saturating_duration_since(Instant::now());
            let start_by = deadline - left + left / u32::try_from(shares).unwrap_or(u32::MAX);
            let outcome = self.projects[project].send(attempt, message, start_by).await;
            match &outcome {
                mismatch if is_of_another_project(mismatch) => {}
                // It may have been this one's, and is there.
                Outcome::Delayed(delay) if project == first && delay.may_have_been_accepted() => {
                    return (project, outcome, said);
                }
                // It may be this one's, or that of one behind it.
                Outcome::Delayed(delay) if !is_known => {
                    if undecided.is_none() || delay.may_have_been_accepted() {
                        undecided = Some(said.len());
                    }
                }
                _ => return (project, outcome, said),
            }
            said.push((project, outcome));
        }
        let (project, outcome) = said.swap_remove(undecided.unwrap_or(0));
        (project, outcome, said)
    }
}

fn is_of_another_project(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Doubtful(RejectionReason::Fcm(FcmReason::SenderIdMismatch)))
}
