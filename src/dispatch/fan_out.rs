//! All pushes of one notification, at once.

use std::sync::{Arc, OnceLock};

use futures_util::{StreamExt as _, stream::FuturesUnordered};

use super::{Dispatcher, unregistered};
use crate::{
    domain::{
        device::Target, notification::Origin, remote_realm::RemoteRealm,
        remote_server::RemoteServer,
    },
    metrics::{ApiLabel, NotificationLabels, NotificationResult},
    providers::{Message, Outcome},
    registry::PushCount,
};

/// One notification and where it goes.
pub(super) struct FanOut {
    /// The server that asks.
    pub(super) server: Arc<RemoteServer>,
    /// The realm it asks for, if it is known.
    pub(super) realm: Option<Arc<RemoteRealm>>,
    pub(super) pushes: Vec<Push>,
    /// Rows that do not know their realm yet.
    pub(super) unlinked: Vec<i64>,
    pub(super) origin: Origin,
}

/// One push of a notification.
pub(super) struct Push {
    pub(super) target: Target,
    pub(super) message: Message,
    pub(super) row: Row,
}

/// Which row a push is for, and so what goes when its token is dead.
#[derive(Clone, Copy)]
pub(super) enum Row {
    /// A device in the clear: all rows of the token go, on all servers.
    Device,
    /// A device that receives encrypted notifications, by our key: this row expires.
    E2ee(i64),
}

/// What became of one push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The push service took it.
    Accepted,
    /// The device is gone, and so is its row.
    Gone,
    /// Anything else.
    NotAccepted,
}

/// The fates of all pushes of a notification in their order, each written once it is decided.
pub(super) type Fates = Arc<[OnceLock<Fate>]>;

impl FanOut {
    /// A place for the fate of each push.
    pub(super) fn fates(&self) -> Fates {
        self.pushes.iter().map(|_| OnceLock::new()).collect()
    }

    /// Sends to all devices, notes and counts what became of it, and removes the dead.
    pub(super) async fn send(self, dispatcher: &Dispatcher, fates: Fates) {
        let shared = &dispatcher.shared;
        let mut outcomes: FuturesUnordered<_> = self
            .pushes
            .iter()
            .zip(&*fates)
            .map(|(push, fate)| async move {
                (push, fate, shared.providers.send(&push.target, &push.message).await)
            })
            .collect();
        let mut accepted = 0_usize;
        while let Some((push, fate, sent)) = outcomes.next().await {
            let provider = push.target.provider.as_str();
            let decided = match &sent.outcome {
                Outcome::Accepted => {
                    accepted += 1;
                    Fate::Accepted
                }
                Outcome::Unregistered { since, reason } => {
                    let since = since.unwrap_or(sent.at);
                    match unregistered::remove(dispatcher, push, since, *reason).await {
                        true => Fate::Gone,
                        false => Fate::NotAccepted,
                    }
                }
                Outcome::Rejected(reason) => {
                    tracing::warn!(
                        event = "push.failed",
                        server = %self.server.uuid,
                        provider,
                        reason = reason.as_str(),
                        "the push service refused a push",
                    );
                    Fate::NotAccepted
                }
                Outcome::Failed(error) => {
                    tracing::warn!(
                        event = "push.failed",
                        server = %self.server.uuid,
                        provider,
                        %error,
                        "a push got no decision",
                    );
                    Fate::NotAccepted
                }
            };
            fate.set(decided).expect("each push is sent once");
        }
        drop(outcomes);
        self.count(dispatcher, accepted);
        self.link_realm(dispatcher).await;
    }

    fn count(&self, dispatcher: &Dispatcher, accepted: usize) {
        let devices = self.pushes.len();
        let is_counted = match self.origin {
            Origin::Notify | Origin::E2ee => true,
            Origin::Test => false,
        };
        if is_counted {
            let forwarded = i64::try_from(accepted).unwrap_or(i64::MAX);
            let count = PushCount { received: 0, forwarded };
            dispatcher.count(&self.server, self.realm.as_deref(), count);
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
        if let Some(realm) = &self.realm
            && !self.unlinked.is_empty()
            && let Err(error) = dispatcher.shared.registry.set_realm(&self.unlinked, realm.id).await
        {
            tracing::warn!(event = "device.realm_unknown", %error, "the next notify tells the devices their realm");
        }
    }
}
