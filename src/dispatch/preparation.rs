//! To whom a notification in the clear goes, and what it says to each kind of phone.

use std::{collections::HashSet, sync::Arc};

use super::{DispatchError, Dispatcher, Recipient};
use crate::{
    domain::{
        device::{Device, DeviceToken, Provider},
        json_object::JsonObject,
        notification::Notification,
        user::User,
    },
    metrics::{DeviceChange, DeviceChangeLabels},
    providers::{ApnsMessage, FcmMessage, Message},
    registry::RegistryError,
};

impl Dispatcher {
    /// The user's devices, each token once: a row under the user's number gives way to the one under
    /// the UUID.
    pub(super) async fn devices(
        &self,
        recipient: &Recipient,
    ) -> Result<Vec<Device>, RegistryError> {
        let shared = &self.shared;
        let mut devices = shared.registry.devices_of(&recipient.server, recipient.user).await?;
        if !matches!(recipient.user, User::Both { .. }) || devices.len() < 2 {
            return Ok(devices);
        }
        let by_uuid: HashSet<(Provider, DeviceToken)> = devices
            .iter()
            .filter(|device| device.user_uuid.is_some())
            .map(|device| (device.provider, device.token.clone()))
            .collect();
        let is_repeated = |device: &Device| {
            device.user_uuid.is_none() && by_uuid.contains(&(device.provider, device.token.clone()))
        };
        let repeated: Vec<i64> =
            devices.iter().filter(|device| is_repeated(device)).map(|device| device.id).collect();
        if !repeated.is_empty() {
            shared.registry.remove_rows(&repeated).await?;
            for device in devices.iter().filter(|device| repeated.contains(&device.id)) {
                let labels = DeviceChangeLabels {
                    provider: device.provider,
                    change: DeviceChange::Deduplicated,
                };
                shared.metrics.device_changes.get_or_create(&labels).inc();
            }
            devices.retain(|device| !repeated.contains(&device.id));
        }
        Ok(devices)
    }

    /// The messages for both kinds of phone, where the user has such phones.
    pub(super) fn messages(
        &self,
        notification: Notification<'_>,
        android_devices: usize,
        apple_devices: usize,
    ) -> Result<(Option<Message>, Option<Message>), DispatchError> {
        let is_said =
            |payload| JsonObject::from_value(payload).is_some_and(|said| !said.is_empty());
        let has_project = self.shared.providers.has(Provider::Fcm);
        let fcm = match android_devices {
            0 => None,
            // What it says is not even looked at: each push comes to its end unsent.
            _ if !has_project => is_said(notification.gcm_payload).then(FcmMessage::unsent),
            _ => FcmMessage::legacy(notification.gcm_payload, notification.gcm_options)?,
        };
        let apns = match apple_devices {
            0 => None,
            _ => ApnsMessage::legacy(notification.apns_payload),
        };
        let is_sent_to_android = has_project && fcm.is_some();
        if apple_devices > 0
            && apns.is_none()
            && !is_sent_to_android
            && is_said(notification.apns_payload)
        {
            return Err(DispatchError::NothingToSend);
        }
        Ok((
            fcm.map(|message| Message::Fcm(Arc::new(message))),
            apns.map(|message| Message::Apns(Arc::new(message))),
        ))
    }
}
