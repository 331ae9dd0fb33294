//! What an app's counts on this node and those of the other nodes have to do with each other.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use super::App;
use crate::brake::told::{Others, Servers, Told};

/// What the others told last counts for so long without another word: one late answer of Redis must not make a node
/// decide alone that it would not have decided with them, for an operator has to undo that.
const GOOD_FOR: Duration = Duration::from_secs(5);

/// What is known of the other nodes.
#[derive(Default)]
pub(in crate::brake) struct Shared {
    /// What they counted; nothing while they cannot be asked.
    pub(super) others: Others,
    /// When they were heard last, by the clock that runs.
    heard: Duration,
    /// Which release of the brake the own counts are of after: 0 before the first.
    released: i64,
    /// The other nodes may not know of it.
    is_new: bool,
}

/// What the other nodes are told.
pub(in crate::brake) struct Telling {
    /// Which release of the brake it was counted after.
    pub(in crate::brake) released: i64,
    /// They may not know of it.
    pub(in crate::brake) is_new: bool,
    /// What was counted, if anything was.
    pub(in crate::brake) told: Option<Told>,
}

impl App {
    /// Forgets what was counted; where the brake is off now, this was before the release of one that was put on at this
    /// moment (Unix milliseconds).
    ///
    /// A release has no moment of its own that all nodes know. Releases are in order whatever a clock says: each counts
    /// higher than the one before.
    pub(in crate::brake) fn begin_anew(&self, released: Option<i64>) {
        let mut shared = self.shared();
        let (released, is_new) = match released {
            Some(engaged_at) => (engaged_at.max(shared.released + 1), true),
            None => (shared.released, shared.is_new),
        };
        *shared = Shared { released, is_new, ..Shared::default() };
        self.clear();
    }

    /// What there is to tell. It is read under the lock that clears it: counts go with the release they are of.
    pub(in crate::brake) fn tell(&self, minute: u64) -> Telling {
        let shared = self.shared();
        let by_server = self.by_server().by_age(minute, self.window_minutes);
        let servers = (self.first_server(), self.other_server_ago(minute));
        let told = Told::new(self.window_minutes, servers, self.window.by_age(minute), &by_server);
        Telling { released: shared.released, is_new: shared.is_new, told }
    }

    /// Takes what the others answered to what was told, unless it was counted before a release that was noticed
    /// meanwhile. Whether any of them was refused.
    pub(in crate::brake) fn hear(
        &self,
        telling: &Telling,
        others: Others,
        running: Duration,
    ) -> bool {
        let mut shared = self.shared();
        if shared.released != telling.released {
            return false;
        }
        let were_refused = others.sums.refusals > 0;
        *shared = Shared { others, heard: running, released: shared.released, is_new: false };
        were_refused
    }

    /// Another node knows of a later release: what was counted here may be from before it.
    pub(in crate::brake) fn was_released(&self, released: i64) {
        let mut shared = self.shared();
        if shared.released < released {
            *shared = Shared { released, ..Shared::default() };
            self.clear();
        }
    }

    /// The others cannot be asked: what they told last is forgotten when it has become old. Whether it was just now, and
    /// may have spoken against what this node counts.
    pub(in crate::brake) fn hear_nothing(&self, running: Duration) -> bool {
        let mut shared = self.shared();
        let is_old = running >= shared.heard + GOOD_FOR;
        is_old && std::mem::take(&mut shared.others).sums.sends > 0
    }

    /// The others need not be asked.
    pub(in crate::brake) fn forget_others(&self) {
        self.shared().others = Others::default();
    }

    /// Which servers this node sent for within the window.
    pub(super) fn servers(&self, minute: u64) -> Servers {
        match (self.other_server_ago(minute), self.first_server()) {
            _ if self.window.sums(minute).sends == 0 => Servers::None,
            (Some(_), _) => Servers::Several,
            (None, Some(first)) => Servers::One(first),
            (None, None) => Servers::None,
        }
    }

    pub(super) fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        brake::window::Sums, config::BrakeConfig, domain::device::Provider, registry::AppDevices,
    };

    fn app() -> App {
        let devices =
            AppDevices { provider: Provider::Fcm, name: Arc::from("one"), topics: Vec::new() };
        App::new(devices, &BrakeConfig::default())
    }

    fn many() -> Others {
        let sums = Sums { sends: 60, refusals: 60 };
        Others { sums, servers: Servers::One(1), ..Others::default() }
    }

    fn is_beyond(app: &App) -> bool {
        app.is_beyond(&BrakeConfig::default(), 0).is_some()
    }

    #[test]
    fn what_was_told_before_a_release_is_not_heard_after_it() {
        let app = app();
        app.refused(1, 0);
        let telling = app.tell(0);
        assert!(telling.told.is_some() && !telling.is_new);
        assert!(app.hear(&telling, many(), Duration::ZERO) && is_beyond(&app));
        app.begin_anew(Some(5));
        assert!(!app.hear(&telling, many(), Duration::ZERO) && !is_beyond(&app));
        let telling = app.tell(0);
        assert_eq!((telling.released, telling.is_new, telling.told), (5, true, None));
    }

    #[test]
    fn releases_count_up_whatever_the_clocks_say() {
        let app = app();
        let told = |app: &App| (app.tell(0).released, app.tell(0).is_new);
        app.begin_anew(Some(5));
        app.begin_anew(None);
        assert_eq!(told(&app), (5, true), "nothing was released");
        app.refused(1, 0);
        app.was_released(5);
        assert!(app.tell(0).told.is_some(), "that was known");
        app.was_released(7);
        assert_eq!((told(&app), app.tell(0).told), ((7, false), None));
        app.begin_anew(Some(6));
        assert_eq!(told(&app), (8, true));
    }

    #[test]
    fn who_is_not_heard_is_forgotten_when_it_is_old() {
        let app = app();
        let at = Duration::from_secs;
        app.hear(&app.tell(0), many(), at(60));
        assert!(!app.hear_nothing(at(64)) && is_beyond(&app));
        assert!(app.hear_nothing(at(65)) && !is_beyond(&app));
        assert!(!app.hear_nothing(at(66)), "it was told once");
    }
}
