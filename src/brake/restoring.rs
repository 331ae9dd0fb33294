//! Devices that are believed again, and those that come back with them.

use super::{App, Brake, Pushed};
use crate::{
    clock::Timestamp, domain::device::Provider, metrics::DeviceChange, registry::RegistryError,
};

impl Brake {
    /// Does what an accepted push asks for: its project, where that is another one, is remembered, and a suspect is cleared.
    pub(super) async fn believe(&self, app: &App, pushed: Pushed<'_>, project: Option<&str>) {
        if let Some(project) = project {
            let Pushed { row, target, .. } = pushed;
            if let Err(error) = self.inner.registry.remember_project(row, target, project).await {
                tracing::warn!(event = "device.project_unknown", %error, "the next push finds the device's project again");
            }
        }
        if pushed.is_suspect {
            self.clear(app, &pushed).await;
        }
    }

    /// A suspect was accepted: it is none any more. What was said of its app was not true then, at least not of
    /// it: whoever went by the same word since the app has suspects, or shortly before, comes back as one.
    pub(super) async fn clear(&self, app: &App, pushed: &Pushed<'_>) {
        let registry = &self.inner.registry;
        let cleared = async {
            // Nobody went in doubt while the brake is on, and never on Google's word.
            let since = match pushed.target.provider {
                Provider::Apns if !app.is_engaged() => {
                    registry.suspects_since(&app.devices).await?
                }
                Provider::Apns | Provider::Fcm => None,
            };
            // It is a suspect until the others are back: if that fails, the next accepted push does it all again.
            if let Some(since) = since {
                self.bring_back(app, since - self.inner.config.window).await?;
            }
            let rows = registry.trust(pushed.row, pushed.target).await?;
            self.count(pushed.target.provider, DeviceChange::Restored, rows);
            Ok::<(), RegistryError>(())
        };
        if let Err(error) = cleared.await {
            tracing::warn!(event = "device.not_restored", %error, "the next accepted push clears the device of suspicion");
        }
    }

    /// Brings back, as suspects, who went in doubt since a moment.
    pub(super) async fn bring_back(
        &self,
        app: &App,
        since: Timestamp,
    ) -> Result<(), RegistryError> {
        let rows = self.inner.registry.bring_back(&app.devices, since).await?;
        if rows > 0 {
            self.count(app.devices.provider, DeviceChange::Suspected, rows);
            tracing::info!(
                event = "device.brought_back",
                provider = app.devices.provider.as_str(),
                app = &*app.devices.name,
                rows,
                "devices that went in doubt are back, as suspects",
            );
        }
        Ok(())
    }
}
