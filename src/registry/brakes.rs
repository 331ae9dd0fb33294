//! The brakes that are on, and what they do to the devices of an app.

mod verdict;

use std::sync::Arc;

use entities::{brakes, devices, e2ee_devices};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, Condition, EntityTrait as _, PaginatorTrait as _,
    QueryFilter as _, QuerySelect as _, QueryTrait as _, Select, sea_query::OnConflict,
};

use super::{ROWS_PER_STATEMENT, Registry, RegistryError, fates::Change};
use crate::{clock::Timestamp, domain::device::Provider};

pub use verdict::Verdict;

/// An app, and which devices are its own.
#[derive(Clone, Debug)]
pub struct AppDevices {
    /// Its push service.
    pub provider: Provider,
    /// Its name in the configuration.
    pub name: Arc<str>,
    /// Its bundle ids, on Apple's phones. A device on an Android phone is of the project that reaches it; one
    /// whose project nobody knows may be of any.
    pub topics: Vec<String>,
}

/// A brake that is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngagedBrake {
    /// The push service.
    pub provider: Provider,
    /// The app's name in the configuration.
    pub app: String,
    /// Since when.
    pub engaged_at: Timestamp,
    /// Pushes in the window by then.
    pub sends: u64,
    /// How many of them called their device bad.
    pub refusals: u64,
}

/// Devices of an app that a push service speaks ill of, in the clear and encrypted ones together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// They are sent to.
    pub suspects: u64,
    /// They were removed, and could come back.
    pub in_doubt: u64,
}

impl AppDevices {
    fn devices(&self) -> Condition {
        use devices::Column;
        let of_kind = Condition::all().add(Column::Kind.eq(self.provider.token_kind()));
        match self.provider {
            Provider::Apns => of_kind.add(Column::IosAppId.is_in(&self.topics)),
            Provider::Fcm => of_kind.add(
                Condition::any().add(Column::FcmApp.eq(&*self.name)).add(Column::FcmApp.is_null()),
            ),
        }
    }

    fn e2ee_devices(&self) -> Condition {
        use e2ee_devices::Column;
        let of_kind = Condition::all().add(Column::Kind.eq(self.provider.token_kind()));
        match self.provider {
            Provider::Apns => of_kind.add(Column::IosAppId.is_in(&self.topics)),
            Provider::Fcm => of_kind.add(
                Condition::any().add(Column::FcmApp.eq(&*self.name)).add(Column::FcmApp.is_null()),
            ),
        }
    }
}

impl Registry {
    /// All brakes that are on, in no order.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn brakes(&self) -> Result<Vec<EngagedBrake>, RegistryError> {
        let rows = self.ask(|| brakes::Entity::find().all(&self.inner.database)).await?;
        Ok(rows.into_iter().filter_map(brake).collect())
    }

    /// Puts the brake of an app on; where it is on already, it stays as it is.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn engage_brake(&self, brake: &EngagedBrake) -> Result<(), RegistryError> {
        let row = brakes::ActiveModel {
            kind: Set(brake.provider.token_kind()),
            app: Set(brake.app.clone()),
            engaged_at: Set(brake.engaged_at.unix_millis()),
            sends: Set(i64::try_from(brake.sends).unwrap_or(i64::MAX)),
            refusals: Set(i64::try_from(brake.refusals).unwrap_or(i64::MAX)),
        };
        let conflict = OnConflict::columns([brakes::Column::Kind, brakes::Column::App])
            .do_nothing()
            .to_owned();
        self.ask(|| {
            brakes::Entity::insert(row.clone())
                .on_conflict(conflict.clone())
                .exec_without_returning(&self.inner.database)
        })
        .await?;
        Ok(())
    }

    /// Takes the brake of an app off; false when it was not on.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn release_brake(
        &self,
        provider: Provider,
        app: &str,
    ) -> Result<bool, RegistryError> {
        let statement = brakes::Entity::delete_by_id((provider.token_kind(), app.to_owned()));
        let deleted = self.ask(|| statement.clone().exec(&self.inner.database)).await?;
        Ok(deleted.rows_affected > 0)
    }

    /// Brings back, as suspects, the devices of an app that went in doubt since a moment; how many rows.
    ///
    /// # Errors
    ///
    /// When the database fails; some may be back then.
    pub async fn bring_back(
        &self,
        app: &AppDevices,
        since: Timestamp,
    ) -> Result<u64, RegistryError> {
        let since = since.unix_millis();
        let change = Change {
            gone_at: Some(None),
            in_doubt: Some(false),
            suspected_at: Some(Some(self.inner.clock.now().unix_millis())),
            ..Change::default()
        };
        let of_devices = app
            .devices()
            .add(devices::Column::GoneAt.gte(since))
            .add(devices::Column::InDoubt.eq(true));
        let of_e2ee_devices = app
            .e2ee_devices()
            .add(e2ee_devices::Column::ExpiredAt.gte(since))
            .add(e2ee_devices::Column::InDoubt.eq(true));
        let mut total = 0;
        loop {
            let statement = device_batch(of_devices.clone(), change.clone());
            let rows =
                self.ask(|| statement.clone().exec_with_returning(&self.inner.database)).await?;
            let statement = e2ee_device_batch(of_e2ee_devices.clone(), change.clone());
            let e2ee = self.ask(|| statement.clone().exec(&self.inner.database)).await?;
            let changed = self.forget_rows(&rows) + e2ee.rows_affected;
            if changed == 0 {
                return Ok(total);
            }
            total += changed;
        }
    }

    /// Since when an app has suspects; nothing when it has none.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn suspects_since(
        &self,
        app: &AppDevices,
    ) -> Result<Option<Timestamp>, RegistryError> {
        let query = devices::Entity::find()
            .select_only()
            .column_as(devices::Column::SuspectedAt.min(), "since")
            .filter(suspects(app));
        let first = |query: &Select<devices::Entity>| query.clone().into_tuple::<Option<i64>>();
        let of_devices = self.ask(|| first(&query).one(&self.inner.database)).await?.flatten();
        let query = e2ee_devices::Entity::find()
            .select_only()
            .column_as(e2ee_devices::Column::SuspectedAt.min(), "since")
            .filter(e2ee_suspects(app));
        let first =
            |query: &Select<e2ee_devices::Entity>| query.clone().into_tuple::<Option<i64>>();
        let of_e2ee = self.ask(|| first(&query).one(&self.inner.database)).await?.flatten();
        let first = of_devices.into_iter().chain(of_e2ee).min();
        Ok(first.map(Timestamp::from_unix_millis))
    }

    /// How many devices of an app are in question.
    ///
    /// # Errors
    ///
    /// When the database fails.
    pub async fn doubts(&self, app: &AppDevices) -> Result<Doubts, RegistryError> {
        let database = &self.inner.database;
        let gone = app
            .devices()
            .add(devices::Column::GoneAt.is_not_null())
            .add(devices::Column::InDoubt.eq(true));
        let expired = app
            .e2ee_devices()
            .add(e2ee_devices::Column::ExpiredAt.is_not_null())
            .add(e2ee_devices::Column::InDoubt.eq(true));
        let count = async |of_devices: Condition, of_e2ee: Condition| {
            let devices = devices::Entity::find().filter(of_devices);
            let e2ee = e2ee_devices::Entity::find().filter(of_e2ee);
            let devices = self.ask(|| devices.clone().count(database)).await?;
            let e2ee = self.ask(|| e2ee.clone().count(database)).await?;
            Ok::<u64, RegistryError>(devices + e2ee)
        };
        Ok(Doubts {
            suspects: count(suspects(app), e2ee_suspects(app)).await?,
            in_doubt: count(gone, expired).await?,
        })
    }
}

/// The live rows of devices in the clear that are under suspicion.
fn suspects(app: &AppDevices) -> Condition {
    app.devices()
        .add(devices::Column::SuspectedAt.is_not_null())
        .add(devices::Column::GoneAt.is_null())
}

/// The live rows of encrypted devices that are under suspicion.
fn e2ee_suspects(app: &AppDevices) -> Condition {
    app.e2ee_devices()
        .add(e2ee_devices::Column::SuspectedAt.is_not_null())
        .add(e2ee_devices::Column::ExpiredAt.is_null())
}

/// Changes some of these rows: what is left is for the next statement, so that none takes long.
fn device_batch(which: Condition, change: Change) -> sea_orm::UpdateMany<devices::Entity> {
    let batch = devices::Entity::find()
        .select_only()
        .column(devices::Column::Id)
        .filter(which.clone())
        .limit(ROWS_PER_STATEMENT as u64)
        .into_query();
    devices::Entity::update_many()
        .set(change.of_device())
        .filter(devices::Column::Id.in_subquery(batch))
        .filter(which)
}

/// The same for encrypted devices.
fn e2ee_device_batch(
    which: Condition,
    change: Change,
) -> sea_orm::UpdateMany<e2ee_devices::Entity> {
    let batch = e2ee_devices::Entity::find()
        .select_only()
        .column(e2ee_devices::Column::Id)
        .filter(which.clone())
        .limit(ROWS_PER_STATEMENT as u64)
        .into_query();
    e2ee_devices::Entity::update_many()
        .set(change.of_e2ee_device())
        .filter(e2ee_devices::Column::Id.in_subquery(batch))
        .filter(which)
}

fn brake(row: brakes::Model) -> Option<EngagedBrake> {
    Some(EngagedBrake {
        provider: Provider::from_token_kind(row.kind.into())?,
        app: row.app,
        engaged_at: Timestamp::from_unix_millis(row.engaged_at),
        sends: u64::try_from(row.sends).unwrap_or(0),
        refusals: u64::try_from(row.refusals).unwrap_or(0),
    })
}
