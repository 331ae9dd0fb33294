//! Tells a project whose quota is used up from a device that gets too much: Google says the same of both.

use std::sync::{Mutex, PoisonError};

use crate::domain::device::DeviceToken;

/// Refused for so many devices, with none taken in between, it is the project's quota.
const DEVICES: usize = 3;

/// The devices that were refused for a quota since a push was last taken.
#[derive(Default)]
pub(super) struct Quota {
    refused: Mutex<Vec<DeviceToken>>,
}

impl Quota {
    /// Notes that Google wants fewer pushes when one was sent to this device; whether that is about all devices.
    pub(super) fn is_used_up(&self, device: &DeviceToken) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < DEVICES && !refused.contains(device) {
            refused.push(device.clone());
        }
        refused.len() == DEVICES
    }

    /// Notes that Google has taken a push.
    pub(super) fn is_left(&self) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::device::Provider;

    #[test]
    fn three_devices_in_a_row_are_the_project_and_one_alone_never_is() {
        let quota = Quota::default();
        let refused =
            |device| quota.is_used_up(&DeviceToken::parse(Provider::Fcm, device).unwrap());
        assert_eq!(["a", "a", "a", "b", "a"].map(refused), [false; 5]);
        quota.is_left();
        assert_eq!(["c", "b", "a", "a", "d"].map(refused), [false, false, true, true, true]);
    }
}
