//! What became of the devices of one notification.

use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

use crate::{domain::device::Row, metrics::RetryCause};

/// What became of the devices of one notification, over all its repetitions.
pub(in crate::delivery) struct Remembered {
    pushes: Mutex<Vec<Known>>,
}

struct Known {
    key: PushKey,
    /// What the push service was told it is called; by nothing else does it know the push again.
    id: Uuid,
    state: State,
    /// Why no answer came to an attempt that the push service may have taken.
    may_have_arrived: Option<RetryCause>,
}

/// What a push begins with that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) struct Beginning {
    /// What it is called.
    pub(in crate::delivery) id: Uuid,
    /// An earlier request's attempt may have brought it already, and its answer was lost for this cause.
    pub(in crate::delivery) may_have_arrived: Option<RetryCause>,
    /// It was tried before, and is not any more.
    pub(in crate::delivery) is_again: bool,
}

/// A push of a notification: its device, and the how manieth of that device it is, since a request may name one
/// several times.
pub(in crate::delivery) type PushKey = (Row, u32);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is being tried.
    Trying,
    /// The push service took it.
    Accepted,
    /// It did not.
    Failed,
}

impl Remembered {
    /// With room for so many pushes and no more: there are many of these.
    pub(super) fn of(pushes: usize) -> Self {
        Self { pushes: Mutex::new(Vec::with_capacity(pushes)) }
    }

    /// What the push begins with, if it is to be sent; it is being tried from now on then. One that failed keeps the
    /// id it had; any other gets `id`.
    pub(in crate::delivery) fn begin(&self, key: PushKey, id: Uuid) -> Option<Beginning> {
        let mut pushes = self.pushes();
        match pushes.iter_mut().find(|known| known.key == key) {
            Some(known) if known.state == State::Failed => {
                known.state = State::Trying;
                let Known { id, may_have_arrived, .. } = *known;
                Some(Beginning { id, may_have_arrived, is_again: true })
            }
            Some(_) => None,
            None => {
                pushes.push(Known { key, id, state: State::Trying, may_have_arrived: None });
                Some(Beginning { id, may_have_arrived: None, is_again: false })
            }
        }
    }

    /// Notes the final outcome.
    pub(in crate::delivery) fn end(
        &self,
        key: PushKey,
        is_accepted: bool,
        may_have_arrived: Option<RetryCause>,
    ) {
        let state = if is_accepted { State::Accepted } else { State::Failed };
        if let Some(known) = self.pushes().iter_mut().find(|known| known.key == key) {
            known.state = state;
            known.may_have_arrived = may_have_arrived;
        }
    }

    /// Notes what a push that is being tried is called by now.
    pub(in crate::delivery) fn is_called(&self, key: PushKey, id: Uuid) {
        if let Some(known) = self.pushes().iter_mut().find(|known| known.key == key) {
            known.id = id;
        }
    }

    /// Notes that another node is trying a push. When its notification comes again here, that node is asked again; where
    /// it cannot be, the push is sent, which may have arrived then.
    pub(in crate::delivery) fn is_tried_elsewhere(&self, key: PushKey, id: Uuid) {
        self.is_called(key, id);
        self.end(key, false, Some(RetryCause::Interrupted));
    }

    fn pushes(&self) -> MutexGuard<'_, Vec<Known>> {
        self.pushes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begins(remembered: &Remembered, key: PushKey) -> bool {
        remembered.begin(key, Uuid::nil()).is_some()
    }

    #[test]
    fn a_device_that_failed_is_tried_again_and_no_other() {
        let remembered = Remembered::of(2);
        let (failed, accepted) = ((Row::Device(1), 0), (Row::Device(1), 1));
        let (id, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let new = Beginning { id, may_have_arrived: None, is_again: false };
        assert_eq!(remembered.begin(failed, id), Some(new));
        assert!(begins(&remembered, accepted));
        assert!(!begins(&remembered, failed), "it is being tried");
        let may_have_arrived = Some(RetryCause::Timeout);
        remembered.end(failed, false, may_have_arrived);
        remembered.end(accepted, true, None);
        let same = Beginning { id, may_have_arrived, is_again: true };
        assert_eq!(remembered.begin(failed, other), Some(same), "it is the same push");
        assert!(!begins(&remembered, accepted));
    }
}
