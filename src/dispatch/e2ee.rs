//! Encrypted notifications: each device gets a message of its own, which nobody here can read.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::{DispatchError, Dispatcher};
use crate::{
    delivery::{Fate, Order, Push},
    domain::{
        device::{Provider, Row},
        e2ee_device::{DeviceName, E2eeDevice, TokenId},
        encrypted_push::{EncryptedContent, EncryptedPush},
        notification::Origin,
        remote_realm::RemoteRealm,
        remote_server::RemoteServer,
    },
    metrics::PushOutcome,
    providers::{ApnsMessage, FcmMessage, Message},
    registry::PushCount,
};

/// So many pushes of one notification are sent: it is for the phones of one user, and all of them are found
/// by one query.
const MAX_PUSHES: usize = 1000;

/// What a remote server learns of an encrypted notification.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct E2eeSummary<'a> {
    /// Pushes that Apple accepted, or has not decided on yet.
    pub apple_sent: usize,
    /// Pushes that Google accepted, or has not decided on yet.
    pub android_sent: usize,
    /// Devices that we do not hold, or no longer, each once.
    pub gone: Vec<DeviceName<'a>>,
}

/// A push whose device is known, or not.
struct Found<'a> {
    name: DeviceName<'a>,
    push: Option<Push>,
}

impl Dispatcher {
    /// Sends an encrypted notification of a realm, and answers when each push has its first outcome or the
    /// time for an answer is over; what is not decided by then counts as sent.
    ///
    /// # Errors
    ///
    /// When a device's name is none, or the devices cannot be read. It is counted as asked for.
    pub async fn notify_e2ee<'a>(
        &self,
        server: Arc<RemoteServer>,
        realm: Arc<RemoteRealm>,
        mut pushes: Vec<EncryptedPush<'a>>,
        body: &[u8],
    ) -> Result<E2eeSummary<'a>, DispatchError> {
        self.shared.delivery.admit()?;
        let received = i64::try_from(pushes.len()).unwrap_or(i64::MAX);
        self.count(&server, Some(&realm), PushCount { received, forwarded: 0 });
        let token_ids = token_ids(&pushes)?;
        if pushes.len() > MAX_PUSHES {
            tracing::warn!(
                event = "notify.cut",
                server = %server.uuid,
                asked_for = pushes.len(),
                sent = MAX_PUSHES,
                "a notification has too many pushes; the first are sent",
            );
            for cut in pushes.drain(MAX_PUSHES..) {
                self.is_unsent(cut.content.provider(), PushOutcome::TooMany);
            }
        }
        let live = Live::read(self, &realm, &pushes, &token_ids).await?;
        let mut summary = E2eeSummary::default();
        let (mut names, mut found) = (Vec::new(), Vec::new());
        let mut gone = Gone::default();
        for element in pushes {
            let provider = element.content.provider();
            let Found { name, push } = live.find(element, &token_ids);
            match push {
                Some(push) => {
                    names.push((name, push.target.provider));
                    found.push(push);
                }
                None => gone.add(name, provider),
            }
        }
        let order = Order { server, realm_id: Some(realm.id), origin: Origin::E2ee, body };
        let fates = self.run(order, found).await;
        for ((name, provider), fate) in names.into_iter().zip(fates) {
            match (fate, provider) {
                (Fate::Accepted | Fate::Waiting | Fate::Pending, Provider::Apns) => {
                    summary.apple_sent += 1;
                }
                (Fate::Accepted | Fate::Waiting | Fate::Pending, Provider::Fcm) => {
                    summary.android_sent += 1;
                }
                (Fate::Gone, provider) => gone.add(name, provider),
                (Fate::NotAccepted, _) => {}
            }
        }
        summary.gone = self.told_names(&realm, gone.names, &token_ids).await;
        Ok(summary)
    }
}

/// What the texts that name devices stand for.
fn token_ids(pushes: &[EncryptedPush<'_>]) -> Result<HashMap<String, TokenId>, DispatchError> {
    let mut ids = HashMap::new();
    for push in pushes {
        if let DeviceName::TokenId(text) = &push.device {
            let id = TokenId::parse(text).ok_or(DispatchError::TokenId)?;
            ids.insert(text.to_string(), id);
        }
    }
    Ok(ids)
}

/// The live devices among those that a notification names.
struct Live {
    by_token_id: HashMap<TokenId, E2eeDevice>,
    by_device_id: HashMap<i64, E2eeDevice>,
}

impl Live {
    async fn read(
        dispatcher: &Dispatcher,
        realm: &RemoteRealm,
        pushes: &[EncryptedPush<'_>],
        token_ids: &HashMap<String, TokenId>,
    ) -> Result<Self, DispatchError> {
        let (mut tokens, mut devices) = (HashSet::new(), HashSet::new());
        for push in pushes {
            match &push.device {
                DeviceName::TokenId(text) => tokens.extend(token_ids.get(&**text)),
                DeviceName::DeviceId(id) => {
                    devices.insert(*id);
                }
            }
        }
        let tokens: Vec<TokenId> = tokens.into_iter().copied().collect();
        let devices: Vec<i64> = devices.into_iter().collect();
        let registry = &dispatcher.shared.registry;
        let live = registry.live_e2ee_devices(realm, &tokens, &devices).await?;
        let by_token_id =
            live.iter().filter_map(|device| Some((device.token_id?, device.clone()))).collect();
        let by_device_id = live.into_iter().map(|device| (device.id, device)).collect();
        Ok(Self { by_token_id, by_device_id })
    }

    /// The push to the device that an element names, if there is such a device and it is of the kind that
    /// the element is for.
    fn find<'a>(
        &self,
        element: EncryptedPush<'a>,
        token_ids: &HashMap<String, TokenId>,
    ) -> Found<'a> {
        let EncryptedPush { device: name, content } = element;
        let device = match &name {
            DeviceName::TokenId(text) => {
                token_ids.get(&**text).and_then(|id| self.by_token_id.get(id))
            }
            DeviceName::DeviceId(id) => self.by_device_id.get(id),
        };
        let Some(device) = device else { return Found { name, push: None } };
        if device.target.provider != content.provider() {
            tracing::info!(
                event = "device.other_kind",
                provider = device.target.provider.as_str(),
                "a push has the form of another kind of phone than its device is",
            );
            return Found { name, push: None };
        }
        let push = Push {
            target: device.target.clone(),
            message: message(&content),
            row: Row::E2ee(device.id),
            is_suspect: device.is_suspect,
        };
        Found { name, push: Some(push) }
    }
}

fn message(content: &EncryptedContent<'_>) -> Message {
    match content {
        EncryptedContent::Apns { payload, priority, push_type } => {
            Message::Apns(Arc::new(ApnsMessage::e2ee(payload, *priority, *push_type)))
        }
        EncryptedContent::Fcm { key, encrypted_data, priority } => {
            Message::Fcm(Arc::new(FcmMessage::e2ee(*key, encrypted_data, *priority)))
        }
    }
}

/// Names of devices that are gone, each once, in the order they were found out.
#[derive(Default)]
struct Gone<'a> {
    names: Vec<(DeviceName<'a>, Provider)>,
    known: HashSet<DeviceName<'a>>,
}

impl<'a> Gone<'a> {
    fn add(&mut self, name: DeviceName<'a>, provider: Provider) {
        if self.known.insert(name.clone()) {
            self.names.push((name, provider));
        }
    }
}
