//! One notification to all devices of one user: in the clear, or encrypted for each.

mod deleted_devices;
mod e2ee;
mod preparation;
mod told;
mod unsent;

use std::{collections::HashSet, sync::Arc, time::Duration};

pub use deleted_devices::{DeletedDevices, ListedDevices};
pub use e2ee::E2eeSummary;

use crate::{
    brake::Brake,
    clock::Clock,
    delivery::{Delivery, Fate, Order, Overloaded, Push},
    domain::{
        device::{Device, DeviceToken, Provider, Row},
        json_object::JsonObject,
        notification::{Notification, Origin},
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
        user::User,
    },
    metrics::{Metrics, PushOutcome},
    providers::{ApnsMessage, FcmMessage, FcmMessageError, Message, Providers},
    registry::{PushCount, Registry, RegistryError},
};

/// Sends notifications; clones share everything.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

struct Shared {
    registry: Registry,
    providers: Arc<Providers>,
    delivery: Delivery,
    brake: Brake,
    metrics: Arc<Metrics>,
    clock: Clock,
    answer_within: Duration,
}

/// Whom a notification is for.
pub struct Recipient {
    /// The server that asks.
    pub server: Arc<RemoteServer>,
    /// The user's realm, if it is known.
    pub realm: Option<Arc<RemoteRealm>>,
    /// The user.
    pub user: User,
}

/// What a remote server learns of a notification.
#[derive(Debug)]
pub struct Summary {
    /// Android devices it was for, whatever became of it.
    pub android_devices: usize,
    /// Apple devices it was for, whatever became of it.
    pub apple_devices: usize,
    /// Which of the devices the server listed we do not hold.
    pub deleted: DeletedDevices,
}

/// Why a notification was not sent.
#[derive(Debug, thiserror::Error)]
pub enum DispatchError {
    /// What we remember could not be read.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The message to Android phones cannot be made as it was asked for.
    #[error(transparent)]
    Message(#[from] FcmMessageError),
    /// The user has devices, and there is nothing in the payloads that could be sent to any.
    #[error("nothing to send")]
    NothingToSend,
    /// The user has no such device.
    #[error("no such device")]
    UnknownDevice,
    /// What names a device is no token id.
    #[error("no token id")]
    TokenId,
    /// Nothing was begun: there is no memory for more.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
}

impl Dispatcher {
    /// A dispatcher that answers a notify at the latest after `answer_within`, while sends go on.
    #[must_use]
    pub fn new(
        registry: Registry,
        providers: Arc<Providers>,
        delivery: Delivery,
        brake: Brake,
        metrics: Arc<Metrics>,
        clock: Clock,
        answer_within: Duration,
    ) -> Self {
        Self {
            shared: Arc::new(Shared {
                registry,
                providers,
                delivery,
                brake,
                metrics,
                clock,
                answer_within,
            }),
        }
    }

    /// Sends a notification to all devices of a user, and answers when each has its first outcome or
    /// the time for an answer is over. The request's `body` is what it is known by when it comes again.
    ///
    /// # Errors
    ///
    /// When the devices cannot be read, or the notification makes no message. It is counted as asked
    /// for in the second case.
    pub async fn notify(
        &self,
        recipient: Recipient,
        notification: Notification<'_>,
        listed: ListedDevices<'_>,
        body: &[u8],
    ) -> Result<Summary, DispatchError> {
        let shared = &self.shared;
        shared.delivery.admit()?;
        let devices = self.devices(&recipient).await?;
        let count = |provider| devices.iter().filter(|device| device.provider == provider).count();
        let (android_devices, apple_devices) = (count(Provider::Fcm), count(Provider::Apns));
        let received = i64::try_from(devices.len()).unwrap_or(i64::MAX);
        let count = PushCount { received, forwarded: 0 };
        self.count(&recipient.server, recipient.realm.as_deref(), count);
        let (fcm, apns) = self.messages(notification, android_devices, apple_devices)?;
        let held_token = |device: &Device| (device.provider, device.token.clone());
        let held: HashSet<_> = devices.iter().map(held_token).collect();
        let message_for = |device: Device| {
            let message = match device.provider {
                Provider::Fcm => fcm.clone(),
                Provider::Apns => apns.clone(),
            };
            let Some(message) = message else {
                self.is_unsent(device.provider, PushOutcome::NotAddressed);
                return None;
            };
            Some(Push {
                target: device.target(),
                message,
                row: Row::Device(device.id),
                is_suspect: device.is_suspect,
            })
        };
        let unlinked: Vec<i64> = devices
            .iter()
            .filter(|device| device.remote_realm_id.is_none())
            .map(|device| device.id)
            .collect();
        let pushes: Vec<Push> = devices.into_iter().filter_map(message_for).collect();
        let Recipient { server, realm, user } = recipient;
        let order = Order {
            server: Arc::clone(&server),
            realm_id: realm.as_ref().map(|realm| realm.id),
            origin: Origin::Notify,
            body,
        };
        let any_removed = self.run(order, pushes).await.contains(&Fate::Gone);
        self.link_realm(&unlinked, realm.as_deref()).await;
        let deleted = match listed.missing_in(&held) {
            missing if missing.is_empty() && !any_removed => missing,
            // A device may have been registered or removed while we sent, and a client deletes its own
            // copy of every token named here: look again before naming any.
            _ => match shared.registry.devices_of_now(&server, user).await {
                Ok(devices) => {
                    let held: HashSet<_> = devices.iter().map(held_token).collect();
                    listed.missing_in(&held)
                }
                Err(error) => {
                    tracing::warn!(event = "notify.deleted_unknown", %error, "no device is reported as deleted");
                    DeletedDevices::default()
                }
            },
        };
        let deleted = self.told(&server, deleted).await;
        Ok(Summary { android_devices, apple_devices, deleted })
    }

    /// Sends a test notification to one device of a user; a refusal is no error.
    ///
    /// # Errors
    ///
    /// When there is no such device, or it cannot be read, or there is no room for its push.
    pub async fn test(
        &self,
        recipient: Recipient,
        provider: Provider,
        token: &DeviceToken,
        base_payload: &JsonObject<'_>,
    ) -> Result<(), DispatchError> {
        self.shared.delivery.admit()?;
        let devices = self.shared.registry.devices_of(&recipient.server, recipient.user).await?;
        let device = devices
            .into_iter()
            .find(|device| device.provider == provider && device.token == *token)
            .ok_or(DispatchError::UnknownDevice)?;
        let message = match provider {
            Provider::Apns => Message::Apns(Arc::new(ApnsMessage::test(base_payload))),
            Provider::Fcm => {
                let now = self.shared.clock.now().unix_seconds();
                Message::Fcm(Arc::new(FcmMessage::test(base_payload, now)?))
            }
        };
        let pushes = vec![Push {
            target: device.target(),
            message,
            row: Row::Device(device.id),
            is_suspect: device.is_suspect,
        }];
        let Recipient { server, realm, .. } = recipient;
        let realm_id = realm.map(|realm| realm.id);
        let order = Order { server, realm_id, origin: Origin::Test, body: &[] };
        self.run(order, pushes).await;
        Ok(())
    }

    fn count(&self, server: &RemoteServer, realm: Option<&RemoteRealm>, count: PushCount) {
        self.shared.registry.count_pushes(server.id, realm.map(|realm| realm.id), count);
    }

    /// Sends until the time for an answer is over, then on behind it; what became of each push by then,
    /// in their order.
    async fn run(&self, order: Order<'_>, pushes: Vec<Push>) -> Vec<Fate> {
        let job = self.shared.delivery.deliver(order, pushes);
        // Late: what is decided is known all the same.
        let _ = tokio::time::timeout(self.shared.answer_within, job.first_outcomes()).await;
        job.fates().collect()
    }

    /// Devices that were registered before their realm was known learn it now.
    async fn link_realm(&self, unlinked: &[i64], realm: Option<&RemoteRealm>) {
        if let Some(realm) = realm
            && !unlinked.is_empty()
            && let Err(error) = self.shared.registry.set_realm(unlinked, realm.id).await
        {
            tracing::warn!(event = "device.realm_unknown", %error, "the next notify tells the devices their realm");
        }
    }
}
