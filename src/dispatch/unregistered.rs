//! Devices that Apple or Google declare dead.

use super::Dispatcher;
use crate::{
    clock::Timestamp,
    domain::device::Device,
    metrics::{DeviceChange, DeviceChangeLabels},
    providers::RejectionReason,
};

/// Removes a dead token for every user on every server, unless it was registered after `since`: a late
/// answer must not kill a fresh registration. Whether any row went.
pub(super) async fn remove(
    dispatcher: &Dispatcher,
    device: &Device,
    since: Timestamp,
    reason: RejectionReason,
) -> bool {
    let shared = &dispatcher.shared;
    match shared.registry.remove_token(device.provider, &device.token, since).await {
        Ok(0) => false,
        Ok(rows) => {
            tracing::info!(
                event = "device.expired",
                provider = device.provider.as_str(),
                reason = reason.as_str(),
                rows,
                "removed a device that is gone",
            );
            let labels =
                DeviceChangeLabels { provider: device.provider, change: DeviceChange::Expired };
            shared.metrics.device_changes.get_or_create(&labels).inc_by(rows);
            true
        }
        Err(error) => {
            tracing::warn!(event = "device.not_removed", %error, "the next push finds the device dead again");
            false
        }
    }
}
