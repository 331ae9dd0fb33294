//! What an operator decides about suspects, batch by batch, each with audit rows of the servers they are of.

use std::collections::BTreeMap;

use sea_orm::{DbErr, TransactionTrait as _};
use serde_json::json;

use super::{AppDevices, device_batch, e2ee_device_batch, e2ee_suspects, suspects};
use crate::registry::{
    AuditEvent, Decision, Registry, RegistryError,
    audit_log::{self, AuditEntry},
    fates::Change,
    standing::decided,
};

/// What becomes of suspects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are devices like all others.
    Restore,
    /// They are gone.
    Expire,
}

impl Registry {
    /// Applies a verdict to some of an app's suspects; how many rows, and 0 when there is none left.
    ///
    /// # Errors
    ///
    /// When the database fails; nothing was done then.
    pub async fn settle_suspects(
        &self,
        app: &AppDevices,
        verdict: Verdict,
        decision: &Decision,
    ) -> Result<u64, RegistryError> {
        let now = self.inner.clock.now();
        let (event, change) = match verdict {
            Verdict::Restore => (AuditEvent::DevicesRestored, Change::default()),
            Verdict::Expire => {
                let gone_at = Some(Some(now.unix_millis()));
                let token = Some(String::new());
                (AuditEvent::DevicesExpired, Change { gone_at, token, ..Change::default() })
            }
        };
        let change = Change { suspected_at: Some(None), ..change };
        let settled = async {
            let transaction = self.inner.database.begin().await?;
            let rows = device_batch(suspects(app), change.clone())
                .exec_with_returning(&transaction)
                .await?;
            let e2ee_rows = e2ee_device_batch(e2ee_suspects(app), change)
                .exec_with_returning(&transaction)
                .await?;
            let mut by_server: BTreeMap<i64, u64> = BTreeMap::new();
            let servers = rows.iter().map(|row| row.server_id);
            for server in servers.chain(e2ee_rows.iter().map(|row| row.server_id)) {
                *by_server.entry(server).or_default() += 1;
            }
            let entry = |(server_id, devices)| {
                let more = json!({
                    "provider": app.provider.as_str(), "app": &*app.name, "devices": devices,
                });
                let extra_data = decided(decision, more);
                AuditEntry { extra_data, ..AuditEntry::of_server(server_id, event) }
            };
            let entries = by_server.into_iter().map(entry).collect();
            audit_log::note_all(&transaction, entries, now).await?;
            transaction.commit().await?;
            Ok::<_, DbErr>((rows, e2ee_rows.len() as u64))
        };
        let settled = self.carry_out(Box::pin(settled)).await;
        let (rows, e2ee_rows) = self.noted(settled)?;
        Ok(self.forget_rows(&rows) + e2ee_rows)
    }
}
