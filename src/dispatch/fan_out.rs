//! All pushes of one notification, at once.

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Dispatcher, Recipient, unregistered};
use crate::{
    domain::{device::Device, notification::Origin},
    metrics::{ApiLabel, NotificationLabels, NotificationResult},
    providers::{Message, Outcome},
    registry::PushCount,
};

/// One notification and where it goes.
pub(super) struct FanOut {
    pub(super) recipient: Recipient,
    pub(super) pushes: Vec<(Device, Message)>,
    /// Rows that do not know their realm yet.
    pub(super) unlinked: Vec<i64>,
    pub(super) origin: Origin,
}

impl FanOut {
    /// Sends to all devices, counts what became of it, removes the dead; whether there were any.
    pub(super) async fn send(self, dispatcher: &Dispatcher) -> bool {
        let shared = &dispatcher.shared;
        let mut outcomes: FuturesUnordered<_> = self
            .pushes
            .iter()
            .map(|(device, message)| async move {
                (device, shared.providers.send(device, message).await)
            })
            .collect();
        let (mut accepted, mut any_removed) = (0_usize, false);
        while let Some((device, sent)) = outcomes.next().await {
            match &sent.outcome {
                Outcome::Accepted => accepted += 1,
                Outcome::Unregistered { since, reason } => {
                    any_removed |=
                        unregistered::remove(dispatcher, device, since.unwrap_or(sent.at), *reason)
                            .await;
                }
                Outcome::Rejected(reason) => tracing::warn!(
                    event = "push.failed",
                    server = %self.recipient.server.uuid,
                    provider = device.provider.as_str(),
                    reason = reason.as_str(),
                    "the push service refused a push",
                ),
                Outcome::Failed(error) => tracing::warn!(
                    event = "push.failed",
                    server = %self.recipient.server.uuid,
                    provider = device.provider.as_str(),
                    %error,
                    "a push got no decision",
                ),
            }
        }
        drop(outcomes);
        self.count(dispatcher, accepted);
        self.link_realm(dispatcher).await;
        any_removed
    }

    fn count(&self, dispatcher: &Dispatcher, accepted: usize) {
        let devices = self.pushes.len();
        if self.origin == Origin::Notify {
            let forwarded = i64::try_from(accepted).unwrap_or(i64::MAX);
            dispatcher.count(&self.recipient, PushCount { received: 0, forwarded });
        }
        let result = match (devices, accepted) {
            (0, _) => NotificationResult::NoDevices,
            (_, 0) => NotificationResult::NoneAccepted,
            (devices, accepted) if devices == accepted => NotificationResult::AllAccepted,
            _ => NotificationResult::Partial,
        };
        let api = self.origin.into();
        let metrics = &dispatcher.shared.metrics;
        metrics.notifications.get_or_create(&NotificationLabels { api, result }).inc();
        #[expect(clippy::cast_precision_loss, reason = "nobody has 2^52 devices")]
        metrics.notification_devices.get_or_create(&ApiLabel { api }).observe(devices as f64);
    }

    /// Devices that were registered before their realm was known learn it now.
    async fn link_realm(&self, dispatcher: &Dispatcher) {
        if let Some(realm) = &self.recipient.realm
            && !self.unlinked.is_empty()
            && let Err(error) = dispatcher.shared.registry.set_realm(&self.unlinked, realm.id).await
        {
            tracing::warn!(event = "device.realm_unknown", %error, "the next notify tells the devices their realm");
        }
    }
}
