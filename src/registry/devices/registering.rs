//! Storing devices, those of several requests in one statement; each is acknowledged after its commit.

use std::collections::BTreeMap;

use entities::{
    devices::{ActiveModel, Column, Entity},
    redacted::{RedactedBytes, RedactedText},
};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, DbErr, EntityTrait as _, QueryFilter as _,
    RuntimeErr, TransactionTrait as _, sea_query::OnConflict, sqlx,
};

use super::Owner;
use crate::{
    domain::{device::NewDevice, remote_server::RemoteServer, user::User},
    registry::{Registry, RegistryError},
};

/// A constraint is violated, in SQLite's words.
const SQLITE_CONSTRAINT: u32 = 19;

/// A device that is to be stored.
#[derive(Clone)]
pub(in crate::registry) struct Registering {
    key: Key,
    /// Under whom else the token is not to stand any more.
    replaced: Option<Owner>,
    model: ActiveModel,
}

/// What a row is found by: whose it is, which push service reaches it, the digest of its token.
type Key = (Owner, i16, Vec<u8>);

impl Registry {
    /// Stores a device of a user; one that is known is refreshed: its app, its realm, its time. One that is
    /// gone lives again, and a suspect is none any more.
    ///
    /// A user named by number and UUID is stored under the UUID, and a row of the token under the number goes.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn add_device(
        &self,
        server: &RemoteServer,
        user: User,
        new: NewDevice,
    ) -> Result<(), RegistryError> {
        let (user_id, user_uuid) = user.stored();
        let [by_id, by_uuid] = Owner::of(server, user);
        let (gathering, owner, replaced) = match by_uuid {
            Some(by_uuid) => (&self.inner.registering_by_uuid, Some(by_uuid), by_id),
            None => (&self.inner.registering_by_id, by_id, None),
        };
        let owner = owner.expect("a user has a number or a UUID");
        let kind = new.provider.token_kind();
        let digest = new.token.digest().to_vec();
        let model = ActiveModel {
            server_id: Set(server.id),
            user_id: Set(user_id),
            user_uuid: Set(user_uuid),
            kind: Set(kind),
            token: Set(RedactedText(new.token.expose().to_owned())),
            token_digest: Set(RedactedBytes(digest.clone())),
            ios_app_id: Set(new.app_id.map(|app| app.as_str().to_owned())),
            remote_realm_id: Set(new.remote_realm_id),
            registered_at: Set(self.inner.clock.now().unix_millis()),
            gone_at: Set(None),
            in_doubt: Set(false),
            suspected_at: Set(None),
            fcm_app: Set(None),
            ..Default::default()
        };
        let registering = Registering { key: (owner, kind, digest), replaced, model };
        let registry = self.clone();
        let store = move |all| {
            let registry = registry.clone();
            async move { registry.register_all(all).await }
        };
        gathering.join(registering, self.patience(), store).await
    }

    /// Stores devices whose owners are all of one kind.
    async fn register_all(&self, all: Vec<Registering>) -> Vec<Result<(), RegistryError>> {
        let mut answers = Vec::with_capacity(all.len());
        match self.store_devices(&all).await {
            Err(error) if all.len() > 1 && is_about_a_row(&error) => {
                // Whose row it is, the database does not say: the others are not to suffer for it.
                for one in &all {
                    answers.push(self.store_devices(std::slice::from_ref(one)).await);
                }
            }
            stored => answers.resize(all.len(), stored),
        }
        // Also after a failure: it may have been stored, and only the answer lost.
        for (registering, stored) in all.iter().zip(&answers) {
            for owner in [Some(registering.key.0), registering.replaced].into_iter().flatten() {
                self.inner.devices.changed(&owner, stored.is_ok());
            }
        }
        answers
    }

    async fn store_devices(&self, all: &[Registering]) -> Result<(), RegistryError> {
        let mut replaced = Condition::any();
        for registering in all {
            if let Some(owner) = registering.replaced {
                let (_, kind, digest) = &registering.key;
                replaced = replaced.add(
                    owner
                        .condition()
                        .add(Column::Kind.eq(*kind))
                        .add(Column::TokenDigest.eq(RedactedBytes(digest.clone()))),
                );
            }
        }
        // A statement stores a row once: of several registrations of one device the last counts. In order, so that
        // two nodes do not wait for each other's rows.
        let rows: BTreeMap<&Key, &ActiveModel> =
            all.iter().map(|registering| (&registering.key, &registering.model)).collect();
        let identity = match all.first().map(|registering| registering.key.0) {
            Some(Owner::Uuid(..)) => Column::UserUuid,
            Some(Owner::Id(..)) | None => Column::UserId,
        };
        let conflict =
            OnConflict::columns([Column::ServerId, identity, Column::Kind, Column::TokenDigest])
                .update_columns([
                    Column::Token,
                    Column::IosAppId,
                    Column::RemoteRealmId,
                    Column::RegisteredAt,
                    Column::GoneAt,
                    Column::InDoubt,
                    Column::SuspectedAt,
                    Column::FcmApp,
                ])
                .to_owned();
        let insert = || {
            Entity::insert_many(rows.values().map(|row| (*row).clone()))
                .on_conflict(conflict.clone())
        };
        if replaced.is_empty() {
            self.ask(|| insert().exec_without_returning(&self.inner.database)).await?;
            return Ok(());
        }
        // Never is there neither row: a notify between the two would reach nobody, and call the token unknown.
        let both = async || {
            let transaction = self.inner.database.begin().await?;
            Entity::delete_many().filter(replaced.clone()).exec(&transaction).await?;
            insert().exec_without_returning(&transaction).await?;
            transaction.commit().await
        };
        self.ask(both).await
    }
}

/// Whether one row among several may be what the database refuses: its values or what they refer to, or another
/// transaction that has it and waits for us.
fn is_about_a_row(error: &RegistryError) -> bool {
    let RegistryError(error) = error;
    let (DbErr::Exec(RuntimeErr::SqlxError(driver)) | DbErr::Query(RuntimeErr::SqlxError(driver))) =
        error
    else {
        return false;
    };
    let sqlx::Error::Database(refusal) = driver.as_ref() else { return false };
    refusal.code().is_some_and(|code| match code.len() {
        // Data exception, integrity constraint violation, deadlock detected:
        // <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
        5 => code.starts_with("22") || code.starts_with("23") || code == "40P01",
        // The last byte of SQLite's numbers says what kind they are of: <https://www.sqlite.org/rescode.html>.
        _ => code.parse::<u32>().is_ok_and(|code| code % 256 == SQLITE_CONSTRAINT),
    })
}
