//! Devices that Apple or Google declare dead.

use super::{
    Dispatcher,
    fan_out::{Push, Row},
};
use crate::{
    clock::Timestamp,
    metrics::{DeviceChange, DeviceChangeLabels},
    providers::RejectionReason,
};

/// Removes what a push was for, unless it was registered after `since`: a late answer must not kill a
/// fresh registration. Whether any row went.
///
/// A token in the clear goes for every user on every server; an encrypted device's row alone expires, since
/// whoever else has the token finds it dead himself (protocol, 4.5).
pub(super) async fn remove(
    dispatcher: &Dispatcher,
    push: &Push,
    since: Timestamp,
    reason: RejectionReason,
) -> bool {
    let shared = &dispatcher.shared;
    let provider = push.target.provider;
    let removed = match push.row {
        Row::Device => shared.registry.remove_token(provider, &push.target.token, since).await,
        Row::E2ee(id) => shared.registry.expire_e2ee_device(id, since).await.map(u64::from),
    };
    match removed {
        Ok(0) => false,
        Ok(rows) => {
            tracing::info!(
                event = "device.expired",
                provider = provider.as_str(),
                reason = reason.as_str(),
                rows,
                "removed a device that is gone",
            );
            let labels = DeviceChangeLabels { provider, change: DeviceChange::Expired };
            shared.metrics.device_changes.get_or_create(&labels).inc_by(rows);
            true
        }
        Err(error) => {
            tracing::warn!(event = "device.not_removed", %error, "the next push finds the device dead again");
            false
        }
    }
}
